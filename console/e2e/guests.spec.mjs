// The guests of a node as a whole, and what nodes and pools carry for all projects.
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { picture, until, World } from './world.mjs'

let world
let page
before(async () => {
  world = await World.start({ hosts: 1 })
  page = await world.visitor()
  await world.image(page)
  await world.cli('launch', 'tiny', 'here', '--no-ssh-key')
  await world.cli('project', 'create', 'lab')
  await world.cli('--project', 'lab', 'vm', 'create', 'there', '--disk', '1GiB')
  await world.cli('--project', 'lab', 'start', 'there')
})
after(() => world?.end())
afterEach(() => world.checkComplaints())

const states = async () => {
  const ask = async (project, name) => (await world.api(page, 'GET', `/v1/projects/${project}/vms/${name}`)).status.state
  return [await ask('default', 'here'), await ask('lab', 'there')]
}

test('a node shows the VMs of every project, and a pool counts the volumes of every one', async () => {
  await page.goto(`${world.base}/nodes/n1/vms`)
  await page.getByRole('link', { name: 'here', exact: true }).waitFor()
  const other = page.getByRole('listitem').filter({ hasText: 'there' })
  await other.getByText('project lab').waitFor()
  await page.goto(`${world.base}/pools`)
  await page.locator('tr[data-name=default]').waitFor()
  const titles = await page.getByRole('columnheader').allInnerTexts()
  const cell = page.locator('tr[data-name=default] td').nth(titles.findIndex((each) => each.trim() === 'Volumes'))
  await cell.filter({ hasText: /^2$/ }).waitFor()
  // What comes to another project shows without a reload.
  await world.cli('--project', 'lab', 'volume', 'create', 'more', '--size', '1GiB')
  await cell.filter({ hasText: /^3$/ }).waitFor()
})

test('all guests of a node are shut down after a question, kept down, and started again', async () => {
  await page.goto(`${world.base}/nodes/n1`)
  await page.getByRole('button', { name: 'Shut guests down' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByText('2 VMs placed here').waitFor()
  await dialog.getByText('novacron node stop-guests n1').waitFor()
  assert.equal(await page.evaluate(() => document.activeElement?.textContent), 'Cancel')
  await picture(page, 'stop-guests')
  await dialog.getByRole('button', { name: 'Shut down' }).click()
  await page.getByText(/^Its guests are kept down since/).waitFor()
  await until('both are down', async () => (await states()).every((state) => !['running', 'stopping'].includes(state)))
  await page.goto(`${world.base}/nodes`)
  await page.locator('tr[data-name=n1]').getByText('guests kept down').waitFor()
  await page.goto(`${world.base}/nodes/n1`)
  await page.getByRole('button', { name: 'Start guests again' }).click()
  await until('both run', async () => (await states()).every((state) => state === 'running'))
  await page.getByRole('button', { name: 'Shut guests down' }).waitFor()
  assert.equal(await page.getByText('Its guests are kept down').count(), 0)
})
