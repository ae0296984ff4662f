// A node's page: its daemon's log, and what it may promise as YAML.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, afterEach, before, test } from 'node:test'
import { picture, until, World } from './world.mjs'

let world
let page
before(async () => {
  world = await World.start({ hosts: 2 })
  page = await world.visitor()
})
after(() => world?.end())
afterEach(() => world.checkComplaints())

const tabs = () => page.getByRole('navigation', { name: 'Node' })
const log = () => page.getByRole('log', { name: 'Log of n1' })
const STARTED = /INFO the agent has started/g

test('every tab of a node has its URL', async () => {
  await page.goto(`${world.base}/nodes`)
  await page.getByRole('link', { name: 'n1', exact: true }).click()
  for (const tab of ['VMs', 'Hardware', 'Logs', 'Spec']) {
    await tabs().getByRole('link', { name: tab, exact: true }).click()
    await page.waitForURL(`**/nodes/n1/${tab.toLowerCase()}`)
    assert.equal(await tabs().getByRole('link', { name: tab, exact: true }).getAttribute('aria-current'), 'page')
  }
  await tabs().getByRole('link', { name: 'Overview' }).click()
  await page.waitForURL('**/nodes/n1')
})

test('the log of a node is its own, is searched and downloaded', async () => {
  await page.goto(`${world.base}/nodes/n1/logs`)
  await log().filter({ hasText: 'INFO ready url=' }).waitFor()
  assert.equal((await log().innerText()).match(STARTED).length, 1, 'each of two nodes has started an agent')
  await picture(page, 'node-logs')
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download' }).click()])
  assert.equal(download.suggestedFilename(), 'n1.log')
  assert.match(await readFile(await download.path(), 'utf8'), STARTED)
  await page.getByLabel('Search in the log').fill('READY')
  await until('the others are gone', async () => !(await log().innerText()).includes('started'))
  await page.waitForURL(/q=READY/)
  await page.reload()
  await log().filter({ hasText: 'INFO ready url=' }).waitFor()
  assert.equal((await log().innerText()).includes('started'), false)
})

test('a log that is followed goes on after its daemon was started anew', async () => {
  await page.goto(`${world.base}/nodes/n1/logs`)
  await log().filter({ hasText: 'INFO ready url=' }).waitFor()
  const before = await log().innerText()
  world.expected = [/./] // what the browser says of a server that is away
  await world.stopServer()
  await page.getByText('NovaCron does not answer').first().waitFor()
  assert.ok((await log().innerText()).includes(before.trim()), 'what was read is in sight')
  await world.startServer()
  await until('the log is the new one', async () => {
    const now = await log().innerText()
    return now.includes('INFO ready url=') && !now.includes(before.split('\n')[0])
  })
  assert.equal(await page.getByText('NovaCron does not answer').count(), 0)
})

test('what a node may promise is changed as YAML, with the difference before it is saved', async () => {
  await page.goto(`${world.base}/nodes/n1/spec`)
  const text = page.getByLabel('Spec of n1')
  await until('the spec is shown', async () => (await text.inputValue()).includes('cpu_overcommit: 4\n'))
  const read = () => world.api(page, 'GET', '/v1/nodes/n1')
  await text.fill((await text.inputValue()).replace('cpu_overcommit: 4', 'cpu_overcommit: -1').replace('labels: {}', 'labels:\n    room: east'))
  await page.getByRole('button', { name: 'Review and save' }).click()
  await page.getByRole('list', { name: 'Difference' }).getByText('room: east').waitFor()
  world.expected = [/422/]
  await page.getByRole('button', { name: 'Save', exact: true }).click()
  await page.getByRole('alert').filter({ hasText: /overcommit/ }).waitFor()
  assert.equal((await read()).spec.cpu_overcommit, 4)
  await text.fill((await text.inputValue()).replace('cpu_overcommit: -1', 'cpu_overcommit: 2'))
  await page.getByRole('button', { name: 'Review and save' }).click()
  await page.getByRole('button', { name: 'Save', exact: true }).click()
  await page.getByText('Saved n1').waitFor()
  assert.deepEqual([(await read()).spec.cpu_overcommit, (await read()).meta.labels], [2, { room: 'east' }])
})
