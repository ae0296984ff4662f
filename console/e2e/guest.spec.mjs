// Into the guest: serial console, screen, logs.
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { picture, until, World } from './world.mjs'

let world
let page
before(async () => {
  world = await World.start({ hosts: 1 })
  page = await world.visitor()
  await world.image(page)
  await world.cli('launch', 'tiny', 'hello', '--no-ssh-key')
})
after(() => world?.end())
afterEach(() => world.checkComplaints())

/** What a simulated guest says to `uname -a`. */
const ANSWER = 'x86_64 GNU/Linux'
const terminal = () => page.locator('.xterm-rows')

test('what is typed on the serial console reaches the guest, and its answer comes back', async () => {
  await page.goto(`${world.base}/p/default/vms/hello/serial`)
  await page.getByText('connected', { exact: true }).waitFor()
  await page.locator('.xterm-helper-textarea').focus()
  await page.keyboard.type('uname -a\n')
  await until('the guest answers', async () => (await terminal().innerText()).includes(ANSWER))
  await picture(page, 'serial')
})

test('keys of the console rest while the guest has the focus', async () => {
  await page.keyboard.type('?gv')
  await page.keyboard.press('Escape')
  assert.equal(await page.getByRole('dialog').count(), 0)
  assert.ok(page.url().endsWith('/serial'))
})

test('opened again, the serial console shows what was there', async () => {
  await page.goto(`${world.base}/p/default/vms/hello/serial`)
  await until('the replay is shown', async () => (await terminal().innerText()).includes(ANSWER))
})

test('the serial line comes back by itself after the VM was stopped and started', async () => {
  await world.cli('stop', 'hello')
  await page.getByText('it is stopped').waitFor()
  await world.cli('start', 'hello')
  await page.getByText('connected', { exact: true }).waitFor()
})

test('the screen shows a picture', async () => {
  world.expected = [/willReadFrequently/] // of this test's own looking
  await page.goto(`${world.base}/p/default/vms/hello/screen`)
  await page.getByText('connected', { exact: true }).waitFor()
  const canvas = page.getByRole('region', { name: 'Screen of hello' }).locator('canvas').first()
  await until('the canvas has colours', () =>
    canvas.evaluate((element) => {
      const { data } = element.getContext('2d').getImageData(0, 0, element.width, element.height)
      return new Set(new Uint32Array(data.buffer)).size > 2
    }),
  )
  await page.getByRole('button', { name: 'Ctrl-Alt-Del' }).click()
  await picture(page, 'screen')
})

test('the log is read, searched and downloaded', async () => {
  await page.goto(`${world.base}/p/default/vms/hello/logs`)
  const log = page.getByRole('log')
  await until('the log has text', async () => (await log.innerText()).includes(ANSWER))
  await page.getByLabel('Search in the log').fill('no such words')
  await page.getByText('Nothing contains').waitFor()
  await page.getByLabel('Search in the log').fill('')
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByText('Download').click()])
  assert.equal(download.suggestedFilename(), 'hello-serial.log')
  await page.getByRole('radio', { name: 'Agent' }).click()
  await until('the agent says what it did', async () => (await log.innerText()).includes('running'))
})
