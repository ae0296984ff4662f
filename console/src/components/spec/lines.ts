// The difference of two texts, line by line. Pure.

export interface Line {
  mark: ' ' | '-' | '+'
  text: string
}

/** By the longest common subsequence; short texts only, as its table has an entry for each pair of lines. */
export function diffLines(before: string, after: string): Line[] {
  const [a, b] = [linesOf(before), linesOf(after)]
  const width = b.length + 1
  const table = new Uint32Array((a.length + 1) * width)
  const at = (i: number, j: number) => table[i * width + j] ?? 0
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--) table[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1))

  const lines: Line[] = []
  let [i, j] = [0, 0]
  while (i < a.length || j < b.length) {
    const [left, right] = [a[i], b[j]]
    if (left !== undefined && left === right) {
      lines.push({ mark: ' ', text: left })
      i += 1
      j += 1
    } else if (left !== undefined && (right === undefined || at(i + 1, j) >= at(i, j + 1))) {
      lines.push({ mark: '-', text: left })
      i += 1
    } else if (right !== undefined) {
      lines.push({ mark: '+', text: right })
      j += 1
    }
  }
  return lines
}

const AROUND = 3

/** Changed lines with a few around them; `undefined` stands for lines that were left out. */
export function shownLines(lines: readonly Line[]): (Line | undefined)[] {
  const near = lines.map((_, index) => lines.slice(Math.max(0, index - AROUND), index + AROUND + 1).some((line) => line.mark !== ' '))
  return lines.flatMap((line, index) => (near[index] ? [line] : index === 0 || near[index - 1] ? [undefined] : []))
}

function linesOf(text: string): string[] {
  return text.replace(/\n$/, '').split('\n')
}
