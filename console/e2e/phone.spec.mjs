// A phone: what is done most is within reach of a thumb.
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { picture, until, World } from './world.mjs'

let world
let page
before(async () => {
  world = await World.start({ hosts: 1 })
  page = await world.visitor({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true })
  await world.image(page)
})
after(() => world?.end())
afterEach(() => world.checkComplaints())

const tap = (name) => page.getByRole('button', { name, exact: true }).tap()
const mark = (state) => page.locator(`tr[data-name=pocket] [data-state=${state}]`)

test('a VM is launched', async () => {
  await page.goto(`${world.base}/p/default`)
  await page.getByRole('banner').getByRole('link', { name: 'Launch' }).tap()
  await page.getByText('tiny', { exact: true }).first().tap()
  await page.getByLabel('Name').fill('pocket')
  await tap('Launch pocket')
  await page.waitForURL('**/vms/pocket')
  await page.getByRole('main').locator('[data-state=running]').first().waitFor()
  await picture(page, 'phone-vm')
})

test('it is stopped and started from the list, and its menu opens inside the window', async () => {
  await page.getByRole('navigation', { name: 'Main' }).last().getByRole('link', { name: 'VMs' }).tap()
  await mark('running').waitFor()
  await tap('Stop pocket')
  await mark('stopped').waitFor()
  await tap('Start pocket')
  await mark('running').waitFor()
  await tap('More for pocket')
  const menu = page.getByRole('menu', { name: 'More for pocket' })
  await menu.getByRole('menuitem', { name: 'Pause' }).waitFor()
  const box = await menu.boundingBox()
  assert.ok(box && box.x >= 0 && box.y >= 0 && box.x + box.width <= 390 && box.y + box.height <= 844, JSON.stringify(box))
  await menu.getByRole('menuitem', { name: 'Pause' }).tap()
  await mark('paused').waitFor()
  await tap('Resume pocket')
  await mark('running').waitFor()
})

test('pages that the bar has no room for are under More', async () => {
  for (const place of ['Images', 'Nodes', 'Settings']) {
    await tap('More')
    await page.getByRole('dialog', { name: 'More' }).getByRole('link', { name: place }).tap()
    await page.getByRole('heading', { level: 1, name: place }).waitFor()
    await until('More is closed', async () => (await page.getByRole('dialog').count()) === 0)
  }
})

test('a text is typed into the guest, whose screen opens no keyboard on a phone', async () => {
  await page.goto(`${world.base}/p/default/vms/pocket/screen`)
  await page.getByText('connected', { exact: true }).waitFor()
  await tap('Type text …')
  await page.getByRole('dialog').getByLabel('Text').fill('ls')
  await page.getByRole('dialog').getByRole('button', { name: 'Type', exact: true }).tap()
  await until('it was typed', async () => (await page.getByRole('dialog').count()) === 0)
})
