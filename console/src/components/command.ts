// Command lines as they stand on the pages. Pure.

/** The CLI speaks of project `default` until it is told otherwise. */
const ASSUMED = 'default'

/** The line with the project named wherever `novacron` is called. */
export function inProject(line: string, project: string): string {
  return project === ASSUMED ? line : line.replace(/(^|&& )novacron /g, `$1novacron --project ${project} `)
}
