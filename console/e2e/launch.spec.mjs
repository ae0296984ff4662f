// The launch page with a catalogue of its own: from an entry to a running VM, and what a failed import says.
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { World } from './world.mjs'

const CATALOGUE = `format = 1
[[image]]
name = "tiny/1"
os = "Tiny 1"
url = "http://127.0.0.1:9/tiny.qcow2"
sha256 = "${'0'.repeat(64)}"
[[image]]
name = "gone/missing"
url = "http://127.0.0.1:9/gone.qcow2"
sha256 = "${'0'.repeat(64)}"
`

let world, page
before(async () => {
  world = await World.start({ catalogue: CATALOGUE })
  page = await world.visitor()
})
afterEach(() => world.checkComplaints())
after(() => world?.end())

const vm = (name) => world.api(page, 'GET', `/v1/projects/default/vms/${name}`)

test('a VM is launched from the catalogue, by keyboard, and its image comes with it', async () => {
  await page.goto(`${world.base}/p/default/launch`)
  const card = page.getByRole('radio', { name: /^tiny\/1/ })
  await card.focus()
  await page.keyboard.press('Space')
  await page.getByLabel('Name').fill('web')
  await page.getByText('novacron launch tiny/1 web').waitFor()
  // What was chosen outlives a reload.
  await page.reload()
  assert.ok(await page.getByRole('radio', { name: /^tiny\/1/ }).isChecked())
  await page.getByText(/^More: pool/).click()
  await page.getByLabel('Firmware').selectOption('uefi')
  await page.getByLabel('Made for').selectOption('windows')
  await page.getByLabel('TPM 2.0').check()
  const line = (await page.getByLabel('Summary').locator('code').innerText()).replace(/\s+/g, ' ')
  await page.getByRole('button', { name: 'Launch web' }).focus()
  await page.keyboard.press('Enter')
  await page.waitForURL('**/vms/web')
  await page.getByRole('main').locator('[data-state=running]').first().waitFor()
  const { spec } = await vm('web')
  assert.deepEqual([spec.image, spec.preset, spec.firmware, spec.tpm], ['tiny-1', 'windows', 'uefi', true])
  // The line beside the form does the same.
  await world.cli(...line.replace('tiny/1 web', 'tiny/1 by-line').split(' ').slice(1))
  const named = JSON.stringify((await vm('by-line')).spec).replaceAll('by-line', 'web')
  assert.deepEqual(JSON.parse(named), spec)
})

test('the page can be used while the catalogue is being read', async () => {
  let answer
  const held = new Promise((resolve) => (answer = resolve))
  await page.route('**/v1/catalogue', async (route) => {
    await held
    await route.continue()
  })
  await page.goto(`${world.base}/p/default/launch`)
  await page.getByRole('group', { name: 'Image' }).getByRole('status', { name: 'Loading' }).waitFor()
  await page.getByText('Empty', { exact: true }).click()
  await page.getByLabel('Name').fill('soon')
  answer()
  await page.getByRole('radio', { name: /^gone\/missing/ }).waitFor()
  assert.equal(await page.getByLabel('Name').inputValue(), 'soon')
  assert.ok(await page.getByRole('radio', { name: /^Empty/ }).isChecked())
  await page.getByRole('button', { name: 'Start over' }).click()
  await page.unroute('**/v1/catalogue')
})

test('an entry whose image is there is offered as that image alone', async () => {
  await page.goto(`${world.base}/p/default/launch`)
  await page.getByRole('radio', { name: /^tiny-1/ }).waitFor()
  assert.equal(await page.getByRole('radio', { name: /^tiny\/1/ }).count(), 0)
})

test('a VM whose image cannot be fetched waits and says why', async () => {
  await page.goto(`${world.base}/p/default/launch`)
  await page.getByText('gone/missing', { exact: true }).click()
  await page.getByLabel('Name').fill('waits')
  await page.getByRole('button', { name: 'Launch waits' }).click()
  await page.waitForURL('**/vms/waits')
  await page.getByRole('main').getByText(/404 Not Found/).first().waitFor()
  assert.equal((await vm('waits')).status.state, 'pending')
})

test('an image is imported from the catalogue', async () => {
  await world.cli('delete', 'web', 'by-line', '--force', '--yes')
  await world.cli('image', 'delete', 'tiny-1', '--yes')
  await page.goto(`${world.base}/p/default/images`)
  await page.getByRole('button', { name: 'Import from the catalogue' }).click()
  await page.getByRole('dialog').getByLabel('Image').selectOption('tiny/1')
  await page.getByRole('dialog').getByRole('button', { name: 'Import' }).click()
  await page.locator('tr[data-name="tiny-1"] [data-state=ready]').waitFor()
  await page.locator('tr[data-name="tiny-1"]').getByRole('img', { name: 'As its publisher’s checksum wants it' }).waitFor()
})
