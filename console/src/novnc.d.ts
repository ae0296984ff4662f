// The part of noVNC that the console uses; the package brings no types.
declare module '@novnc/novnc' {
  export default class RFB extends EventTarget {
    constructor(target: HTMLElement, urlOrChannel: string | WebSocket, options?: { shared?: boolean })
    scaleViewport: boolean
    clipViewport: boolean
    dragViewport: boolean
    resizeSession: boolean
    viewOnly: boolean
    background: string
    sendCtrlAltDel(): void
    /** Down and up, unless one of them is said. */
    sendKey(keysym: number, code: string, down?: boolean): void
    focus(): void
    disconnect(): void
  }
}
