// Keys as they stand on a keyboard: `g v` is one after the other.
export function Kbd({ keys }: { keys: string }) {
  return keys.split(' ').filter(Boolean).map((each) => (
    <kbd key={each} className="mr-1 rounded border border-line-strong px-1.5 py-0.5 font-mono text-xs">
      {each}
    </kbd>
  ))
}
