// Once with a real guest: NOVACRON_GUEST_MICRO names the micro guest's bundle (`cargo xtask guest micro`).
import { after, afterEach, before, test } from 'node:test'
import assert from 'node:assert/strict'
import { picture, until, World } from '../world.mjs'

const BOOT_MS = 180_000 // a guest without KVM on a busy machine
const bundle = process.env.NOVACRON_GUEST_MICRO

let world
let page
before(async () => {
  assert.ok(bundle, 'NOVACRON_GUEST_MICRO must name the micro guest')
  world = await World.start({ hosts: 0 })
  page = await world.visitor()
})
after(async () => {
  if (page) await world.cli('delete', 'hello', '--force', '--yes').catch(() => undefined)
  await world?.end()
})
afterEach(() => world.checkComplaints())

test('the micro guest is uploaded from this machine', async () => {
  await page.goto(`${world.base}/p/default/images`)
  await page.getByRole('button', { name: 'Upload' }).click()
  await page.getByLabel('File').setInputFiles(bundle)
  await page.getByLabel('Name').fill('micro')
  await page.getByRole('dialog').getByRole('button', { name: 'Upload' }).click()
  await page.locator('tr[data-name=micro] [data-state=ready]').waitFor()
})

test('a real guest is launched from the page and answers on its serial console', async () => {
  await page.goto(`${world.base}/p/default/launch`)
  await page.getByText('micro', { exact: true }).first().click()
  await page.getByLabel('Name').fill('hello')
  await page.getByRole('button', { name: 'Launch hello' }).click()
  await page.waitForURL('**/vms/hello')
  await page.getByRole('main').locator('[data-state=running]').first().waitFor()
  await page.getByRole('link', { name: 'Serial' }).first().click()
  await page.getByText('connected', { exact: true }).waitFor()
  const terminal = page.locator('.xterm-rows')
  const shows = async (text) => (await terminal.innerText()).includes(text)
  await page.locator('.xterm-helper-textarea').focus()
  await until('the guest has a shell', async () => {
    await page.keyboard.type('echo sum=$((40+2))\n')
    return shows('sum=42')
  }, BOOT_MS)
  await picture(page, 'real-serial')
})

test('its screen is shown', async () => {
  await page.getByRole('link', { name: 'Screen' }).first().click()
  await page.getByText('connected', { exact: true }).waitFor()
  const canvas = page.getByRole('region', { name: 'Screen of hello' }).locator('canvas').first()
  await until('the display has a size', () => canvas.evaluate((element) => element.width >= 640 && element.height >= 400))
  await picture(page, 'real-screen')
})
