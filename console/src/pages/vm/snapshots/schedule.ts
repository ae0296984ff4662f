// A schedule of snapshots in words, in fields and as a command line. Pure.
import type { Vm } from '../../../api/types'

export const CADENCES = ['hourly', 'daily', 'weekly', 'monthly'] as const
export type Cadence = (typeof CADENCES)[number]
export type Schedule = NonNullable<Vm['spec']['snapshots']>
/** As typed; an empty field takes none. */
export type Fields = Record<Cadence, string> & { at: string }

export function fieldsOf(schedule: Schedule | null | undefined): Fields {
  const kept = (cadence: Cadence) => String(schedule?.[cadence] || '')
  return { hourly: kept('hourly'), daily: kept('daily'), weekly: kept('weekly'), monthly: kept('monthly'), at: schedule?.at ?? '00:00' }
}

/** Nothing where nothing is to be taken. */
export function scheduleOf(fields: Fields): Schedule | null {
  const kept = (cadence: Cadence) => Number(fields[cadence] || 0)
  const schedule = { hourly: kept('hourly'), daily: kept('daily'), weekly: kept('weekly'), monthly: kept('monthly'), at: fields.at }
  return CADENCES.some((cadence) => schedule[cadence] > 0) ? schedule : null
}

/** The first field that is no number of snapshots. */
export function wrongField(fields: Fields): Cadence | undefined {
  return CADENCES.find((cadence) => !/^\d{0,4}$/.test(fields[cadence].trim()) || Number(fields[cadence]) > 1000)
}

/** `7 daily and 4 weekly`. */
export function inWords(schedule: Schedule): string {
  const kept = CADENCES.filter((cadence) => schedule[cadence] > 0).map((cadence) => `${schedule[cadence]} ${cadence}`)
  const last = kept.pop() ?? 'no'
  return kept.length > 0 ? `${kept.join(', ')} and ${last}` : last
}

/** `at 02:00 UTC`. */
export function whenInWords(schedule: Schedule): string {
  const hourly = CADENCES.every((cadence) => cadence === 'hourly' || schedule[cadence] === 0)
  return hourly ? `at minute ${schedule.at.slice(3)} of every hour` : `at ${schedule.at} UTC`
}

export function commandLine(vm: string, schedule: Schedule | null): string {
  if (!schedule) return `novacron snapshot schedule ${vm} --none`
  const kept = CADENCES.filter((cadence) => schedule[cadence] > 0).map((cadence) => ` --${cadence} ${schedule[cadence]}`)
  const at = schedule.at && schedule.at !== '00:00' ? ` --at ${schedule.at}` : ''
  return `novacron snapshot schedule ${vm}${kept.join('')}${at}`
}
