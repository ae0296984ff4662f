// What VMs and nodes use: beside their names in lists, as charts on their pages, from one calm question.
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { picture, until, World } from './world.mjs'

let world
let page
before(async () => {
  world = await World.start()
  page = await world.visitor()
  await world.image(page)
  for (const name of ['a', 'b', 'c']) await world.cli('launch', 'tiny', name, '--no-ssh-key', '--cpus', '2', '--memory', '1GiB')
})
after(() => world?.end())
afterEach(() => world.checkComplaints())

const row = (name) => page.locator(`tr[data-name="${name}"]`)

test('a list shows what runs uses, and asks for all rows at once', async () => {
  const asked = []
  page.on('request', (request) => request.url().includes('/figures') && asked.push(new URL(request.url()).searchParams.get('names')))
  await page.goto(`${world.base}/p/default/vms`)
  const line = row('a').getByRole('img', { name: /^CPU in the last 15 minutes: at most \d+ %$/ })
  await line.waitFor()
  assert.match(await row('a').innerText(), /\d %/)
  await row('a').getByText(/^[\d.]+ \/ 1 GiB$/).waitFor()
  assert.deepEqual([...new Set(asked)], ['a,b,c'])
  await picture(page, 'figures-list')
  await world.cli('stop', 'b', '--force', '--timeout', '0s')
  await until('what stopped shows no figures', async () => (await row('b').getByRole('img', { name: /^CPU/ }).count()) === 0)
  assert.equal(await row('b').getByText(/ \/ /).count(), 0)
})

test('the page of a VM draws its last hour, and says it in words', async () => {
  await page.goto(`${world.base}/p/default/vms/a`)
  for (const title of ['CPU', 'Memory', 'Disk', 'Network']) {
    const chart = page.getByRole('img', { name: new RegExp(`^${title} in the last hour: .*at most`) })
    await chart.locator('canvas').waitFor()
  }
  const told = page.getByRole('img', { name: /^CPU in the last hour/ })
  const first = await told.getAttribute('aria-label')
  await until('the words follow the figures', async () => (await told.getAttribute('aria-label')) !== first)
  await picture(page, 'figures-vm')
})

test('what has not run has no line of zeros', async () => {
  await world.cli('vm', 'create', 'cold', '--cpus', '1', '--memory', '64MiB')
  await page.goto(`${world.base}/p/default/vms/cold`)
  await page.getByText('Nothing was measured in the last hour.').waitFor()
})

test('nodes and the overview show what is in use', async () => {
  await page.goto(`${world.base}/nodes`)
  await row('n1').getByRole('img', { name: /^CPU/ }).waitFor()
  await row('n1').getByText(/ \/ 64 GiB$/).waitFor()
  await page.goto(`${world.base}/nodes/n1`)
  await page.getByRole('img', { name: /^Memory in the last hour/ }).locator('canvas').waitFor()
  await page.goto(`${world.base}/p/default`)
  const meter = page.getByRole('meter', { name: 'CPU in use' })
  await meter.waitFor()
  assert.match(await meter.getAttribute('aria-valuetext'), /of 48 CPUs$/)
})
