// Networks on bridges: the list, the form, a VM on one.
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { World } from './world.mjs'

let world
let page
before(async () => {
  world = await World.start({ hosts: 2 })
  page = await world.visitor()
})
after(() => world?.end())
afterEach(() => world.checkComplaints())

const cell = async (row, title) => {
  await page.locator(`tr[data-name="${row}"]`).waitFor()
  const titles = await page.getByRole('columnheader').allInnerTexts()
  return page.locator(`tr[data-name="${row}"] td`).nth(titles.findIndex((each) => each.trim() === title))
}

async function make(name, bridge) {
  await page.getByRole('button', { name: 'Create a network' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Name').fill(name)
  await dialog.getByLabel('Kind').selectOption('bridge')
  await dialog.getByLabel('Bridge').fill(bridge)
  await dialog.getByRole('button', { name: 'Create', exact: true }).click()
}

test('a network on a bridge says on how many nodes it is ready, and what the others lack', async () => {
  await page.goto(`${world.base}/p/default/networks`)
  await make('lan', 'br0')
  await (await cell('lan', 'Kind')).filter({ hasText: /^bridge$/ }).waitFor()
  await (await cell('lan', 'Bridge')).filter({ hasText: /^br0$/ }).waitFor()
  await (await cell('lan', 'Nodes ready')).filter({ hasText: /^2 of 2$/ }).waitFor()
  await (await cell('user', 'Nodes ready')).filter({ hasText: /^all$/ }).waitFor()
  await make('lab', 'br9')
  await (await cell('lab', 'Nodes ready')).filter({ hasText: '0 of 2 · bridge "br9" does not exist on node "n1"' }).waitFor()
})

test('what is wrong with a bridge stands at its field', async () => {
  world.expected = [/400|422/]
  await make('odd', 'a/b')
  await page.getByRole('dialog').getByText(/a bridge.s name has 1 to 15/).first().waitFor()
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click()
})

test('a VM is launched on a bridge, without ports, and shows MAC and address', async () => {
  await page.goto(`${world.base}/p/default/launch`)
  await page.getByText('Empty', { exact: true }).click()
  await page.getByLabel('Name').fill('web')
  await page.getByLabel('Ports').fill('8080:80')
  await page.getByLabel('Network', { exact: true }).selectOption({ label: 'lan (bridge br0)' })
  await page.getByText('On bridge br0: an address of the LAN, by DHCP').waitFor()
  assert.ok(await page.getByLabel('Ports').isDisabled())
  assert.equal(await page.getByLabel('Ports').inputValue(), '')
  const line = await page.getByLabel('Summary').locator('code').innerText()
  assert.match(line, /--network lan/)
  assert.doesNotMatch(line, /--port/)
  await page.getByRole('button', { name: 'Launch web' }).click()
  await page.waitForURL('**/vms/web')
  await page.getByRole('button', { name: /^Copy 52:[0-9a-f:]{14}$/ }).waitFor()
  await page.getByText(/^192\.0\.2\.\d+$/).first().waitFor()
  await page.goto(`${world.base}/p/default/networks`)
  await (await cell('lan', 'NICs')).filter({ hasText: /^1$/ }).waitFor()
})

test('the list says, as the command line does, that nobody knows an address', async () => {
  // Simulated guests have an agent: the answer is bent on its way.
  const vms = '**/v1/projects/default/vms?*'
  await page.route(vms, async (route) => {
    const list = await (await route.fetch()).json()
    for (const { status } of list.items) if (status.runtime) delete status.runtime.agent
    await route.fulfill({ json: list })
  })
  await page.goto(`${world.base}/p/default/vms`)
  await (await cell('web', 'IP or ports')).filter({ hasText: 'unknown (no guest agent)' }).waitFor()
  await page.unroute(vms)
})
