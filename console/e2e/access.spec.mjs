// Accessibility by axe-core, on every page, light and dark, wide and narrow; and the weight of the scripts.
import assert from 'node:assert/strict'
import { readdir, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import { picture, until, World } from './world.mjs'

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
const VM = '/p/default/vms/hello'
const TABS = ['serial', 'screen', 'hardware', 'snapshots', 'logs', 'events', 'spec'].map((tab) => `${VM}/${tab}`)
const PAGES = [
  '/p/default', '/p/default/vms', VM, ...TABS, '/p/default/vms/nobody', '/p/default/launch', '/p/default/volumes', '/p/default/images',
  '/p/default/networks', '/p/default/tasks', '/p/default/events', '/nodes', '/nodes/n1', '/nodes/n1/vms', '/nodes/n1/hardware',
  '/nodes/n1/logs', '/nodes/n1/spec', '/pools',
  '/tokens', '/settings', '/p/default/no-such-page', '/p/empty', ...['vms', 'volumes', 'images', 'networks', 'tasks', 'events', 'launch'].map((list) => `/p/empty/${list}`),
]
const button = (name) => (page) => page.getByRole('button', { name }).first().click()
const entry = (menu, name) => async (page) => {
  await button(menu)(page)
  await page.getByRole('menuitem', { name }).click()
}
/** Where each dialog, menu and form in place is opened, and how; some are there at one width only. */
const DIALOGS = [
  ['/p/default', 'keys', (page) => page.keyboard.press('?')],
  ['/p/default', 'palette', (page) => page.keyboard.press('Control+k')],
  ['/p/default', 'project', entry('Project default', /^Create a project/)],
  ['/p/default', 'drawer', (page) => page.getByRole('region', { name: 'Tasks' }).getByRole('button', { name: /^Tasks/ }).click()],
  ['/p/default/volumes', 'volume', button('Create a volume')],
  ['/p/default/volumes', 'attach', button('Attach data')],
  ['/p/default/images', 'import', button('Import from a URL')],
  ['/p/default/images', 'published', button('Import from the catalogue')],
  ['/p/default/images', 'upload', button('Upload')],
  ['/p/default/launch', 'more', (page) => page.getByText(/^More: pool/).click()],
  ['/p/default/networks', 'network', button('Create a network')],
  ['/pools', 'pool', button('Create a pool')],
  ['/tokens', 'token', button('Create a token')],
  ['/p/default/vms', 'menu', button('More for hello')],
  ['/p/default/vms', 'bulk', (page) => page.getByLabel('Select all VMs').check()],
  ['/p/default/vms', 'import-vm', button('Import a VM …')],
  ['/p/default/vms', 'columns', button('Columns'), 'wide'],
  ['/p/default', 'theme', button('Theme'), 'wide'],
  ['/p/default', 'user', button(/^User/)],
  ['/p/default', 'more-places', button('More'), 'narrow'],
  ['/p/default/volumes', 'clone-volume', button('Clone data')],
  ['/p/default/volumes', 'change-volume', button('Change data')],
  ['/p/default/volumes', 'export-volume', button('Export data')],
  ['/nodes/n1', 'stop-guests', button('Shut guests down …')],
  [VM, 'export', entry('More for hello', /^Export/)],
  [VM, 'reset', entry('Power of hello', /^Reset/)],
  [`${VM}/snapshots`, 'schedule', button('Take them by schedule')],
  [`${VM}/screen`, 'type-text', button('Type text …')],
  [VM, 'clone', entry('More for hello', /^Clone/)],
  [VM, 'label', entry('More for hello', /^Label/)],
  [VM, 'delete', entry('More for hello', /^Delete/)],
  [`${VM}/snapshots`, 'take', button('Take a snapshot')],
  [`${VM}/snapshots`, 'restore', button('Restore before')],
  [`${VM}/hardware`, 'size', button('Edit cpu and memory')],
  [`${VM}/hardware`, 'nics', button('Edit network')],
  [`${VM}/hardware`, 'machine', button('Edit machine')],
  [`${VM}/hardware`, 'boot', button('Edit boot order')],
  [VM, 'notes', button('Edit notes')],
  [`${VM}/hardware`, 'volume-of', button('Attach a volume')],
  [`${VM}/spec`, 'review', async (page) => {
    const text = page.getByLabel('Spec of hello')
    await text.fill((await text.inputValue()).replace('tier: web', 'tier: other'))
    await button('Review and save')(page)
  }],
]
const SCRIPT_BYTES_MAX = 350 << 10

let world
before(async () => {
  world = await World.start()
  const page = await world.visitor()
  await world.image(page)
  await world.cli('launch', 'tiny', 'hello', '--no-ssh-key', '--label', 'tier=web', '--port', '18090:80')
  await world.cli('snapshot', 'create', 'hello', 'before')
  await world.cli('volume', 'create', 'data', '--size', '1GiB')
  await world.cli('project', 'create', 'empty')
  // A change that waits for a restart, so that all of the VM's pages say it.
  await world.cli('set', 'hello', '--cpus', '3')
  const { items } = await world.api(page, 'GET', '/v1/projects/default/tasks')
  PAGES.push(`/p/default/tasks/${items[0].meta.name}`)
  await page.context().close()
})
after(() => world?.end())
afterEach(() => world.checkComplaints())

const PHONE = { width: 390, height: 844 }
const LOOKS = [
  ['light', { colorScheme: 'light' }],
  ['dark', { colorScheme: 'dark' }],
  ['phone-light', { colorScheme: 'light', viewport: PHONE, hasTouch: true }],
  ['phone-dark', { colorScheme: 'dark', viewport: PHONE, hasTouch: true }],
]

for (const [look, options] of LOOKS) {
  test(`no page has a serious fault of accessibility, or is wider than the window (${look})`, async () => {
    world.expected = [/status of 404/]
    const page = await world.visitor({ ...options, bypassCSP: true })
    const faults = []
    for (const place of PAGES) {
      await page.goto(world.base + place)
      await page.getByRole('heading', { level: 1 }).waitFor()
      await settled(page)
      faults.push(...(await audit(page, place)))
      await picture(page, `${look}${place.replaceAll('/', '-')}`)
    }
    assert.deepEqual(faults, [])
    await page.context().close()
  })

  test(`no dialog, menu or form has one either (${look})`, async () => {
    const page = await world.visitor({ ...options, bypassCSP: true })
    const faults = []
    const width = options.viewport === PHONE ? 'narrow' : 'wide'
    for (const [place, name, open, only = width] of DIALOGS) {
      if (only !== width) continue
      await page.goto(world.base + place)
      await page.getByRole('heading', { level: 1 }).waitFor()
      await settled(page)
      await open(page)
      await settled(page)
      faults.push(...(await audit(page, name)))
      await picture(page, `${look}-dialog-${name}`)
    }
    assert.deepEqual(faults, [])
    await page.context().close()
  })
}

/** Nothing is being loaded, and nothing moves. */
function settled(page) {
  return until('the page has settled', async () => {
    const busy = page.locator('[aria-label=Loading]')
    return (await busy.count()) === 0 && (await page.evaluate(() => document.getAnimations().every((each) => each.playState !== 'running')))
  })
}

test('the sign-in has no serious fault', async () => {
  world.expected = [/status of 401/]
  const page = await world.visitor({ signedIn: false, bypassCSP: true })
  await page.goto(`${world.base}/signin`)
  await page.getByRole('heading', { level: 1 }).waitFor()
  assert.deepEqual(await audit(page, 'signin'), [])
  await page.context().close()
})

test('who asked for less motion sees nothing move', async () => {
  const page = await world.visitor({ reducedMotion: 'reduce' })
  await page.goto(`${world.base}/p/default/vms`)
  await page.locator('tr[data-name=hello]').waitFor()
  const durations = await page.evaluate(() =>
    document.getAnimations().map((each) => Number(each.effect?.getComputedTiming().duration)).filter((duration) => duration > 1),
  )
  assert.deepEqual(durations, [])
  await page.context().close()
})

test('all scripts together are light', async () => {
  const folder = new URL('../dist/assets', import.meta.url).pathname
  const scripts = (await readdir(folder)).filter((name) => name.endsWith('.js.br'))
  const sizes = await Promise.all(scripts.map(async (name) => (await stat(path.join(folder, name))).size))
  const sum = sizes.reduce((total, size) => total + size, 0)
  assert.ok(sum > 0 && sum <= SCRIPT_BYTES_MAX, `${sum} bytes of script`)
})

/** Serious and critical faults, and what is cut off at the window's edge. */
async function audit(page, place) {
  await page.addScriptTag({ path: AXE })
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }))
  const faults = violations
    .filter((fault) => ['serious', 'critical'].includes(fault.impact))
    .map((fault) => `${place}: ${fault.id}: ${fault.nodes.map((node) => node.target.join(' ')).slice(0, 3).join(', ')}`)
  const wider = await page.evaluate(() => {
    const main = document.querySelector('main')
    return main !== null && main.scrollWidth > main.clientWidth + 1
  })
  return wider ? [...faults, `${place}: wider than the window`] : faults
}
