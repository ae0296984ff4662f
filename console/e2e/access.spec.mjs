// Accessibility by axe-core, on every page, light and dark, wide and narrow; and the weight of the first load.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { after, afterEach, before, test } from 'node:test'
import { picture, World } from './world.mjs'

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
const PAGES = [
  '/p/default', '/p/default/vms', '/p/default/vms/hello', '/p/default/vms/hello/serial', '/p/default/vms/hello/logs', '/p/default/launch',
  '/p/default/volumes', '/p/default/images', '/p/default/networks', '/p/default/tasks', '/p/default/events', '/nodes', '/nodes/n1', '/pools',
  '/tokens', '/settings',
]
const SCRIPT_BYTES_MAX = 350 << 10

let world
before(async () => {
  world = await World.start()
  const page = await world.visitor()
  await world.image(page)
  await world.cli('launch', 'tiny', 'hello', '--no-ssh-key', '--label', 'tier=web')
  await page.context().close()
})
after(() => world?.end())
afterEach(() => world.checkComplaints())

const LOOKS = [
  ['light', { colorScheme: 'light' }],
  ['dark', { colorScheme: 'dark' }],
  ['phone', { colorScheme: 'light', viewport: { width: 390, height: 844 } }],
]

for (const [look, options] of LOOKS)
  test(`no page has a serious fault of accessibility (${look})`, async () => {
    const page = await world.visitor({ ...options, bypassCSP: true })
    const faults = []
    for (const place of PAGES) {
      await page.goto(world.base + place)
      await page.getByRole('heading', { level: 1 }).waitFor()
      await page.waitForLoadState('load')
      faults.push(...(await audit(page, place)))
      await picture(page, `${look}${place.replaceAll('/', '-')}`)
    }
    assert.deepEqual(faults, [])
    await page.context().close()
  })

test('dialogs have no serious fault either', async () => {
  const page = await world.visitor({ bypassCSP: true })
  const faults = []
  for (const [place, button] of [['/p/default/volumes', 'Create a volume'], ['/p/default/images', 'Import from a URL'], ['/tokens', 'Create a token'], ['/p/default/networks', 'Create a network'], ['/pools', 'Create a pool']]) {
    await page.goto(world.base + place)
    await page.getByRole('button', { name: button }).first().click()
    await page.getByRole('dialog').waitFor()
    faults.push(...(await audit(page, button)))
  }
  assert.deepEqual(faults, [])
  await page.context().close()
})

test('the first load is light', async () => {
  const page = await world.visitor()
  const scripts = await page.evaluate(() =>
    performance.getEntriesByType('resource').filter((entry) => entry.name.endsWith('.js')).map((entry) => entry.encodedBodySize),
  )
  const sum = scripts.reduce((total, size) => total + size, 0)
  assert.ok(sum > 0 && sum <= SCRIPT_BYTES_MAX, `${sum} bytes of script`)
  await page.context().close()
})

async function audit(page, place) {
  await page.addScriptTag({ path: AXE })
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }))
  return violations
    .filter((fault) => ['serious', 'critical'].includes(fault.impact))
    .map((fault) => `${place}: ${fault.id}: ${fault.nodes.map((node) => node.target.join(' ')).slice(0, 3).join(', ')}`)
}
