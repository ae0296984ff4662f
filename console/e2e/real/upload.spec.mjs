// Uploads that break off after a part has arrived go on from there. With a real host: simulated ones keep no files.
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import { until, World } from '../world.mjs'

const SIZE = 48 << 20
/** Slow enough to break off in the middle. */
const SLOW = 6 << 20

let world
let page
let file
before(async () => {
  world = await World.start({ hosts: 0 })
  page = await world.visitor()
  const disk = Buffer.alloc(SIZE, 0x5a)
  disk.writeUInt16LE(0xaa55, 510)
  file = path.join(world.data, 'long.raw')
  await writeFile(file, disk)
})
after(() => world?.end())
afterEach(() => world.checkComplaints())

async function throttle(bytesPerSecond) {
  const session = await page.context().newCDPSession(page)
  await session.send('Network.enable')
  await session.send('Network.emulateNetworkConditions', { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: bytesPerSecond })
}

const content = (name) => `/v1/projects/default/images/${name}/content`
const arrived = async (name) => (await world.api(page, 'GET', content(name))).offset
const someArrived = (name) => until('a part has arrived', async () => (await arrived(name)) > 1 << 20)

/** From where each request goes on. */
function offsets(name) {
  const seen = []
  page.on('request', (request) => {
    if (request.method() === 'PUT' && request.url().endsWith(content(name))) seen.push(Number(request.headers()['upload-offset']))
  })
  return seen
}

async function send(name) {
  await page.goto(`${world.base}/p/default/images`)
  await page.getByRole('button', { name: 'Upload' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('File').setInputFiles(file)
  await dialog.getByLabel('Name').fill(name)
  await dialog.getByRole('button', { name: 'Upload' }).click()
}

async function whole(name) {
  await page.locator(`tr[data-name=${name}] [data-state=ready]`).waitFor()
  const { status } = await world.api(page, 'GET', `/v1/projects/default/images/${name}`)
  assert.equal(status.content.size, SIZE)
}

test('over a server that is killed and started again', async () => {
  world.expected = [/Failed to load resource|ERR_|status of/]
  const begun = offsets('over-restart')
  await throttle(SLOW)
  await send('over-restart')
  await someArrived('over-restart')
  await world.stopServer('SIGKILL')
  await page.getByRole('dialog').getByText(/it goes on by itself/).waitFor()
  await world.startServer()
  await throttle(-1)
  await whole('over-restart')
  assert.equal(begun[0], 0)
  assert.ok(begun.at(-1) > 0, begun.join())
})

test('after a reload of the page, when the same file is chosen again', async () => {
  world.expected = [/status of 409/]
  const begun = offsets('over-reload')
  await throttle(SLOW)
  await send('over-reload')
  await someArrived('over-reload')
  await page.reload()
  await throttle(-1)
  await send('over-reload')
  await whole('over-reload')
  assert.equal(begun[0], 0)
  assert.ok(begun.at(-1) > 0, begun.join())
})
