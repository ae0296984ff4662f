// What was typed and not sent yet outlives a daemon that goes away and comes back.
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { until, World } from './world.mjs'

let world
let page
before(async () => {
  world = await World.start({ hosts: 1 })
  page = await world.visitor()
  await world.cli('vm', 'create', 'web', '--disk', '1GiB')
})
after(() => world?.end())
afterEach(() => world.checkComplaints())

const vm = () => world.api(page, 'GET', '/v1/projects/default/vms/web')
async function restart() {
  world.expected = [/Failed to load resource|ERR_|status of/]
  await world.stopServer('SIGKILL')
  await page.getByText(/Not current since/).waitFor()
  await world.startServer()
  await until('the banner is gone', async () => (await page.getByText('Not current').count()) === 0)
}

test('a section of Hardware', async () => {
  await page.goto(`${world.base}/p/default/vms/web/hardware`)
  await page.getByRole('button', { name: 'Edit cpu and memory' }).click()
  await page.getByLabel('CPUs').fill('6')
  await restart()
  assert.equal(await page.getByLabel('CPUs').inputValue(), '6')
  await page.getByRole('button', { name: 'Save' }).click()
  await until('it is saved', async () => (await vm()).spec.cpus === 6)
})

test('a dialog', async () => {
  await page.goto(`${world.base}/p/default/volumes`)
  await page.getByRole('button', { name: 'Create a volume' }).first().click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Name').fill('patient')
  await dialog.getByRole('textbox', { name: 'Size' }).fill('3GiB')
  await restart()
  assert.equal(await dialog.getByLabel('Name').inputValue(), 'patient')
  await dialog.getByRole('button', { name: 'Create', exact: true }).click()
  await until('it is there', async () => (await world.api(page, 'GET', '/v1/projects/default/volumes/patient')).spec.size === 3 * 2 ** 30)
})

test('the text of Spec', async () => {
  await page.goto(`${world.base}/p/default/vms/web/spec`)
  const text = page.getByLabel('Spec of web')
  await until('the spec is shown', async () => (await text.inputValue()).includes('cpus: 6'))
  await text.fill((await text.inputValue()).replace('cpus: 6', 'cpus: 5'))
  await restart()
  assert.match(await text.inputValue(), /cpus: 5/)
  // What its node found on coming back is a change of the VM, on top of which the own one goes.
  const rebase = page.getByRole('button', { name: 'Put my changes on top' })
  const review = page.getByRole('button', { name: 'Review and save' })
  await rebase.or(review.and(page.locator(':enabled'))).first().waitFor()
  if (await rebase.isVisible()) await rebase.click()
  await review.click()
  await page.getByRole('button', { name: 'Save', exact: true }).click()
  await until('it is saved', async () => (await vm()).spec.cpus === 5)
})
