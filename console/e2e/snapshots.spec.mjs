// A VM's snapshots: taken, gone back to, deleted; of one VM and of many.
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { picture, until, World } from './world.mjs'

let world
let page
before(async () => {
  world = await World.start({ hosts: 1 })
  page = await world.visitor()
  await world.image(page)
  for (const name of ['web', 'db']) await world.cli('launch', 'tiny', name, '--no-ssh-key')
})
after(() => world?.end())
afterEach(() => world.checkComplaints())

const PROJECT = '/v1/projects/default'
const line = (name) => page.locator(`li[data-name="${name}"]`)
const ready = (name) => line(name).locator('[data-state=ready]')
const tasks = async (action) => (await world.api(page, 'GET', `${PROJECT}/tasks`)).items.filter((task) => task.spec.action === action)

test('a VM without snapshots says how the first one comes to be', async () => {
  await page.goto(`${world.base}/p/default/vms/web/snapshots`)
  await page.getByText('No snapshots yet.').waitFor()
  await page.getByText('novacron snapshot create web before').waitFor()
})

test('a snapshot is taken by keyboard alone, and shows when it is ready', async () => {
  await page.goto(`${world.base}/p/default/vms/web/snapshots`)
  await page.getByRole('button', { name: 'Take a snapshot' }).focus()
  await page.keyboard.press('Enter')
  await page.getByRole('dialog').waitFor()
  await page.keyboard.type('before')
  await page.keyboard.press('Enter')
  await ready('web.before').waitFor()
  await line('web.before').getByText('File systems are whole').waitFor()
  await line('web.before').getByText('1 disk, 1 MiB').waitFor()
  assert.equal(await page.getByRole('dialog').count(), 0)
})

test('a name that is taken is refused at its field', async () => {
  world.expected = [/status of 409/]
  await page.goto(`${world.base}/p/default/vms/web/snapshots`)
  await page.getByRole('button', { name: 'Take a snapshot' }).click()
  await page.getByLabel('Name').fill('before')
  await page.getByRole('button', { name: 'Take', exact: true }).click()
  await page.getByRole('dialog').getByRole('alert').getByText(/exists|taken/).first().waitFor()
})

test('a schedule is set, shown with its next run, and taken off again', async () => {
  await page.goto(`${world.base}/p/default/vms/web/snapshots`)
  const section = page.getByRole('region', { name: 'Schedule' })
  await section.getByText('No snapshots are taken by schedule.').waitFor()
  await section.getByRole('button', { name: 'Take them by schedule' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Keep daily').fill('x')
  assert.ok(await dialog.getByRole('button', { name: 'Save' }).isDisabled(), 'x is no number')
  await dialog.getByLabel('Keep daily').fill('7')
  await dialog.getByLabel('Keep weekly').fill('4')
  await dialog.getByLabel('At (UTC)').fill('02:30')
  await dialog.getByText('novacron snapshot schedule web --daily 7 --weekly 4 --at 02:30').waitFor()
  await picture(page, 'schedule')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await section.getByText('keeps 7 daily and 4 weekly, at 02:30 UTC').waitFor()
  await section.locator('[data-cadence=weekly]').getByText('next').waitFor()
  await world.cli('snapshot', 'schedule', 'web', '--none')
  await section.getByText('No snapshots are taken by schedule.').waitFor()
})

test('restoring a running VM says what is lost, stops it first, and starts it again', async () => {
  await page.goto(`${world.base}/p/default/vms/web/snapshots`)
  await line('web.before').getByRole('button', { name: 'Restore before' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByText('is lost').waitFor()
  await dialog.getByText('web-root').waitFor()
  assert.equal(await page.evaluate(() => document.activeElement?.textContent), 'Cancel')
  const go = dialog.getByRole('button', { name: 'Stop and restore' })
  assert.ok(await go.isDisabled(), 'a running VM is not stopped without a word')
  await picture(page, 'restore')
  await dialog.getByRole('checkbox', { name: /stop it first/ }).check()
  await go.click()
  await until('it was restored', async () => (await tasks('restore'))[0]?.status.state === 'succeeded')
  await page.getByRole('heading', { level: 1 }).locator('..').locator('[data-state=running]').waitFor()
  assert.equal(await page.getByRole('dialog').count(), 0)
})

test('a stopped VM is restored at once', async () => {
  await world.cli('stop', 'web')
  await page.goto(`${world.base}/p/default/vms/web/snapshots`)
  await line('web.before').getByRole('button', { name: 'Restore before' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('button', { name: 'Restore', exact: true }).click()
  await until('it was restored again', async () => (await tasks('restore')).filter((task) => task.status.state === 'succeeded').length === 2)
  const vm = await world.api(page, 'GET', `${PROJECT}/vms/web`)
  assert.equal(vm.spec.run, 'stopped')
})

test('many VMs are kept at once from the list', async () => {
  await page.goto(`${world.base}/p/default/vms`)
  await page.getByLabel('Select all VMs').check()
  await page.getByRole('button', { name: 'Snapshot', exact: true }).click()
  await page.getByLabel('Name').fill('both')
  await page.getByRole('button', { name: 'Take', exact: true }).click()
  for (const vm of ['web', 'db']) {
    await page.goto(`${world.base}/p/default/vms/${vm}/snapshots`)
    await ready(`${vm}.both`).waitFor()
  }
})

test('snapshots stand below the ones that they go on from', async () => {
  // web went back to `before`, went on to `both`, goes back again and on to `other`.
  await world.cli('snapshot', 'restore', 'web', 'before', '--yes')
  await world.cli('snapshot', 'create', 'web', 'other')
  await page.goto(`${world.base}/p/default/vms/web/snapshots`)
  await ready('web.other').waitFor()
  const all = page.getByRole('list', { name: 'Snapshots' }).getByRole('listitem')
  const lines = await all.evaluateAll((items) => items.map((each) => `${each.dataset.name} ${each.ariaLevel}`))
  assert.deepEqual(lines, ['web.before 1', 'web.both 2', 'web.other 2'])
  await line('web.other').getByText('the disks go on from here').waitFor()
  const left = (name) => line(name).getByRole('button', { name: /^Restore/ }).locator('../..').locator('[data-state]').evaluate((mark) => mark.getBoundingClientRect().x)
  assert.ok((await left('web.other')) > (await left('web.before')), 'a child is set in')
  await page.getByRole('button', { name: 'Delete web.other' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
  await until('it is gone', async () => (await line('web.other').count()) === 0)
})

test('a snapshot is deleted after a question', async () => {
  await page.goto(`${world.base}/p/default/vms/web/snapshots`)
  await ready('web.both').waitFor()
  await picture(page, 'snapshots')
  await page.getByRole('button', { name: 'Delete web.both' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
  await until('it is gone', async () => (await line('web.both').count()) === 0)
  await line('web.before').waitFor()
})
