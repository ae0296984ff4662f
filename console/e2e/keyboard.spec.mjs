// Work done by keyboard alone: no pointer is used in this file.
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { diskContent, until, World } from './world.mjs'

let world
let page
before(async () => {
  world = await World.start({ hosts: 1 })
  page = await world.visitor()
  await world.image(page)
  await world.cli('vm', 'create', 'web', '--image', 'tiny')
  await world.cli('volume', 'create', 'data', '--size', '1GiB')
})
after(() => world?.end())
afterEach(() => world.checkComplaints())

const PROJECT = '/v1/projects/default'
const open = async (place, row) => {
  await page.goto(`${world.base}/p/default/${place}`)
  await page.locator(`tr[data-name="${row}"]`).waitFor()
}
const focused = () => page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent)
/** Goes forward with Tab until it stands on what is named so. */
async function tabTo(name) {
  for (let steps = 0; steps < 80; steps++) {
    if ((await focused())?.trim() === name) return
    await page.keyboard.press('Tab')
  }
  assert.fail(`Tab does not reach “${name}”`)
}
/** Of the menu that is open. */
async function downTo(name) {
  for (let steps = 0; steps < 20; steps++) {
    if ((await focused())?.trim() === name) return
    await page.keyboard.press('ArrowDown')
  }
  assert.fail(`the menu has no “${name}”`)
}
const closed = () => until('the dialog is closed', async () => (await page.getByRole('dialog').count()) === 0)

test('keys lead to networks and pools, and search and help tell them', async () => {
  await open('vms', 'web')
  for (const [key, place] of [['w', '/p/default/networks'], ['p', '/pools']]) {
    await page.keyboard.press('g')
    await page.keyboard.press(key)
    await page.waitForURL(`**${place}`)
  }
  await page.keyboard.press('?')
  await page.getByRole('dialog').getByText('Go to networks').waitFor()
  await page.getByRole('dialog').getByText('Go to pools').waitFor()
  await page.keyboard.press('Escape')
  await page.keyboard.press('/')
  await page.getByRole('combobox', { name: 'Search' }).waitFor()
  await page.keyboard.type('networks')
  const option = page.getByRole('option').filter({ hasText: 'Networks' })
  await until('it tells the keys', async () => (await option.locator('kbd').allTextContents()).join(' ') === 'g w')
  await page.keyboard.press('Escape')
})

test('s starts the VM of the row', async () => {
  await open('vms', 'web')
  await page.keyboard.press('j')
  await page.keyboard.press('s')
  await page.locator('tr[data-name=web] [data-state=running]').waitFor()
})

test('a volume is attached', async () => {
  await open('volumes', 'data')
  await tabTo('Attach data')
  await page.keyboard.press('Enter')
  await page.getByRole('dialog').waitFor()
  await page.keyboard.type('web') // a select takes what is typed
  await tabTo('Attach')
  await page.keyboard.press('Enter')
  await page.getByRole('button', { name: 'Detach data from web' }).waitFor()
  await closed()
})

test('a VM is cloned', async () => {
  await world.cli('stop', 'web', '--force')
  await open('vms', 'web')
  await tabTo('More for web')
  await page.keyboard.press('Enter')
  await page.getByRole('menuitem').first().waitFor()
  await downTo('Clone …')
  await page.keyboard.press('Enter')
  await page.getByRole('dialog').waitFor()
  await page.keyboard.type('copy')
  await page.keyboard.press('Enter')
  await closed()
  await until('it is a copy', async () => (await world.api(page, 'GET', `${PROJECT}/volumes/copy-root`)).status.state === 'ready')
})

test('an image is uploaded', async () => {
  await open('images', 'tiny')
  await tabTo('Upload')
  await page.keyboard.press('Enter')
  await page.getByRole('dialog').waitFor()
  const [chooser] = await Promise.all([page.waitForEvent('filechooser'), page.keyboard.press('Space')])
  await chooser.setFiles({ name: 'by-key.raw', mimeType: 'application/octet-stream', buffer: diskContent() })
  await tabTo('Upload')
  await page.keyboard.press('Enter')
  await page.locator('tr[data-name="by-key"] [data-state=ready]').waitFor()
  await closed()
})

test('a VM is selected and deleted; the word is typed where many go', async () => {
  await open('vms', 'copy')
  await page.keyboard.press('j')
  await page.locator('tr[data-current]').waitFor()
  await page.keyboard.press('x')
  await page.keyboard.press('j')
  await page.keyboard.press('x')
  await page.getByText('2 selected').waitFor()
  await tabTo('Delete')
  await page.keyboard.press('Enter')
  await page.getByRole('dialog').waitFor()
  assert.equal(await focused(), 'Cancel')
  await page.getByRole('dialog').getByText('web-root').waitFor()
  await page.keyboard.press('Shift+Tab')
  await page.keyboard.type('delete 2')
  await tabTo('Delete')
  await page.keyboard.press('Enter')
  await until('both are gone', async () => (await world.api(page, 'GET', `${PROJECT}/vms`)).items.length === 0)
})
