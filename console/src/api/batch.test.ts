import { expect, test } from 'vitest'
import { allOf } from './batch'

const numbers = Array.from({ length: 100 }, (_, n) => n)

test('all are asked, a few at a time, and answer in order', async () => {
  let now = 0
  let most = 0
  const answers = await allOf(numbers, async (n) => {
    most = Math.max(most, ++now)
    await new Promise((resolve) => setTimeout(resolve, n % 3))
    now -= 1
    return n * 2
  })
  expect(answers).toEqual(numbers.map((n) => n * 2))
  expect(most).toBeLessThanOrEqual(8)
})

test('a failure ends the asking', async () => {
  let asked = 0
  const ask = (n: number) => {
    asked += 1
    return n === 3 ? Promise.reject(new Error('no')) : Promise.resolve(n)
  }
  await expect(allOf(numbers, ask)).rejects.toThrow('no')
  expect(asked).toBeLessThan(100)
})
