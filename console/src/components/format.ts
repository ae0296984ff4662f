// Numbers, sizes and times as people read them. Pure.

const UNITS: [string, number][] = [['TiB', 2 ** 40], ['GiB', 2 ** 30], ['MiB', 2 ** 20], ['KiB', 2 ** 10]]

/** One decimal at most: `1.5 GiB`. */
export function bytes(count: number): string {
  const unit = UNITS.find(([, factor]) => count >= factor)
  if (!unit) return `${count} B`
  const tenths = Math.round((count * 10) / unit[1])
  return `${tenths % 10 === 0 ? tenths / 10 : (tenths / 10).toFixed(1)} ${unit[0]}`
}

/** As the command line takes it: `4GiB`, exact. */
export function bytesFlag(count: number): string {
  const unit = UNITS.find(([, factor]) => count >= factor && count % factor === 0)
  return unit ? `${count / unit[1]}${unit[0]}` : String(count)
}

const FACTORS: Record<string, number> = {
  '': 1, b: 1, k: 2 ** 10, kib: 2 ** 10, m: 2 ** 20, mib: 2 ** 20, g: 2 ** 30, gib: 2 ** 30, t: 2 ** 40, tib: 2 ** 40,
  kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12,
}

/** Reads `20GiB`, `512 M`; `undefined` for what is no size. A bare number counts `unit`. */
export function parseBytes(text: string, unit = ''): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(text)
  const factor = match && FACTORS[(match[2] || unit).toLowerCase()]
  if (!match || !factor) return undefined
  const count = Number(match[1]) * factor
  return Number.isSafeInteger(Math.round(count)) ? Math.round(count) : undefined
}

export function cpus(milli: number): string {
  return String(Math.round(milli / 100) / 10)
}

/** Thousandths of a CPU as a share of `cpus`: `7.5 %`, `63 %`. */
export function share(milli: number, cpus: number): string {
  const percent = milli / 10 / cpus
  return `${percent < 9.95 ? Math.round(percent * 10) / 10 : Math.round(percent)} %`
}

/** Both in the unit of the whole: `0.4 / 2 GiB`. */
export function usedOf(used: number, whole: number): string {
  const unit = UNITS.find(([, factor]) => whole >= factor)
  if (!unit) return `${used} / ${whole} B`
  return `${Math.round((used * 10) / unit[1]) / 10} / ${bytes(whole)}`
}

/** A span of time with its two largest units: `3 d 4 h`, `12 s`. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  const parts: [number, string][] = [
    [Math.floor(seconds / 86400), 'd'], [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'], [seconds % 60, 's'],
  ]
  const first = parts.findIndex(([count]) => count > 0)
  if (first < 0) return '< 1 s'
  const shown = parts.slice(first, first + (first >= 2 ? 1 : 2)).filter(([count]) => count > 0)
  return shown.map(([count, unit]) => `${count} ${unit}`).join(' ')
}

/** Age in one unit: `4 d`, `just now`. */
export function age(from: string, now: number): string {
  const seconds = Math.floor((now - Date.parse(from)) / 1000)
  if (seconds < 10) return 'just now'
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h`
  return `${Math.floor(seconds / 86400)} d`
}

export function clock(time: string | Date): string {
  return new Date(time).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
}

export function dateTime(time: string | Date): string {
  const date = new Date(time)
  const two = (count: number) => String(count).padStart(2, '0')
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

export function percent(part: number, whole: number): number {
  return whole > 0 ? Math.min(100, Math.round((part / whole) * 100)) : 0
}

export function count(n: number, singular: string, plural = `${singular}s`): string {
  return `${n} ${n === 1 ? singular : plural}`
}

/** `on_failure` as a word: `on failure`. */
export function words(text: string): string {
  return text.replaceAll('_', ' ')
}
