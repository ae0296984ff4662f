import { expect, test } from 'vitest'
import { commandLine, fieldsOf, inWords, scheduleOf, whenInWords, wrongField } from './schedule'

test('fields become a schedule and come back', () => {
  const schedule = { hourly: 0, daily: 7, weekly: 4, monthly: 0, at: '02:00' }
  const fields = fieldsOf(schedule)
  expect(fields).toEqual({ hourly: '', daily: '7', weekly: '4', monthly: '', at: '02:00' })
  expect(scheduleOf(fields)).toEqual(schedule)
  expect(inWords(schedule)).toBe('7 daily and 4 weekly')
  expect(commandLine('web', schedule)).toBe('novacron snapshot schedule web --daily 7 --weekly 4 --at 02:00')
})

test('of hourly snapshots only the minute is told', () => {
  const schedule = { hourly: 24, daily: 0, weekly: 0, monthly: 0, at: '02:30' }
  expect(whenInWords(schedule)).toBe('at minute 30 of every hour')
  expect(whenInWords({ ...schedule, daily: 1 })).toBe('at 02:30 UTC')
})

test('nothing kept is no schedule', () => {
  const schedule = scheduleOf(fieldsOf(null))
  expect(schedule).toBeNull()
  expect(commandLine('web', schedule)).toBe('novacron snapshot schedule web --none')
})

test('only counts are taken', () => {
  const fields = fieldsOf(null)
  expect(wrongField(fields)).toBeUndefined()
  expect(wrongField({ ...fields, daily: '1000' })).toBeUndefined()
  for (const text of ['x', '-1', '1.5', '1001']) expect(wrongField({ ...fields, weekly: text })).toBe('weekly')
})
