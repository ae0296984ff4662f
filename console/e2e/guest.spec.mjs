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

/** The keys that a page has sent over RFB since: what went down and up, by X11's name. */
function keysSent(page) {
  const keys = []
  page.on('websocket', (socket) =>
    socket.on('framesent', ({ payload }) => {
      if (typeof payload === 'string') return
      // A key event, plain (4) or with its place (255), is a message of its own.
      if (payload[0] === 4 && payload.length === 8) keys.push(`${payload.readUInt32BE(4).toString(16)} ${payload[1] ? 'down' : 'up'}`)
      if (payload[0] === 255 && payload[1] === 0 && payload.length === 12) keys.push(`${payload.readUInt32BE(4).toString(16)} ${payload.readUInt16BE(2) ? 'down' : 'up'}`)
    }),
  )
  return keys
}

test('a text is typed into the guest as keys of its layout, which is remembered', async () => {
  const keys = keysSent(page)
  await page.goto(`${world.base}/p/default/vms/hello/screen`)
  await page.getByText('connected', { exact: true }).waitFor()
  await page.getByRole('button', { name: 'Type text' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Text').fill('π')
  await dialog.getByText('No key of this layout gives π').waitFor()
  assert.ok(await dialog.getByRole('button', { name: 'Type', exact: true }).isDisabled())
  await dialog.getByLabel('Text').fill('Z@')
  await dialog.getByLabel('Keyboard layout').selectOption('de')
  await dialog.getByLabel('Press Enter after it').check()
  await picture(page, 'type-text')
  await dialog.getByRole('button', { name: 'Type', exact: true }).click()
  await until('the dialog is closed', async () => (await page.getByRole('dialog').count()) === 0)
  assert.deepEqual(keys.slice(-10), [
    'ffe1 down', '5a down', '5a up', 'ffe1 up', 'fe03 down', '40 down', '40 up', 'fe03 up', 'ff0d down', 'ff0d up',
  ])
  await page.reload()
  await page.getByText('connected', { exact: true }).waitFor()
  await page.getByRole('button', { name: 'Type text' }).click()
  assert.equal(await dialog.getByLabel('Keyboard layout').inputValue(), 'de')
  await dialog.getByRole('button', { name: 'Cancel' }).click()
})

test('the screen is scaled to fit, or shown as large as it is', async () => {
  await page.goto(`${world.base}/p/default/vms/hello/screen`)
  await page.getByText('connected', { exact: true }).waitFor()
  const canvas = page.getByRole('region', { name: 'Screen of hello' }).locator('canvas').first()
  const shown = () => canvas.evaluate((element) => ({ wide: element.getBoundingClientRect().width, real: element.width }))
  await page.getByLabel('Scale to fit').uncheck()
  await until('a point of the guest is a point of the page', async () => {
    const { wide, real } = await shown()
    return real > 0 && wide === real
  })
  // Smaller than the guest's screen, so that to fit means something.
  await page.setViewportSize({ width: 700, height: 600 })
  await page.getByLabel('Scale to fit').check()
  await until('it fits into its box', () =>
    canvas.evaluate((element) => {
      const box = element.closest('[role=region]').getBoundingClientRect()
      const { width, height } = element.getBoundingClientRect()
      return width !== element.width && width <= box.width + 1 && height <= box.height + 1
    }),
  )
  await page.setViewportSize({ width: 1280, height: 800 })
  await page.reload()
  assert.ok(await page.getByLabel('Scale to fit').isChecked(), 'the choice is kept')
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
