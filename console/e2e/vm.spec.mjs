// The life of a VM, from an image to its deletion, all through the console.
import assert from 'node:assert/strict'
import http from 'node:http'
import { after, afterEach, before, test } from 'node:test'
import { diskContent, picture, until, World } from './world.mjs'

let world
let page
before(async () => {
  world = await World.start({ hosts: 1 })
  page = await world.visitor()
})
after(() => world?.end())
afterEach(() => world.checkComplaints())

const state = (name) => page.locator(`tr[data-name="${name}"] [data-state]`)

test('an empty project says how its first VM comes to be', async () => {
  await page.goto(`${world.base}/p/default/vms`)
  await page.getByText('No VMs yet.').waitFor()
  await page.getByText('novacron launch micro hello').waitFor()
  await page.getByText('Simulated hosts').waitFor()
})

test('a VM is launched without an image, and the line beside the form does the same', async () => {
  await page.goto(`${world.base}/p/default/launch`)
  await page.getByText('Empty', { exact: true }).click()
  await page.getByLabel('Name').fill('blank')
  await page.getByText('S', { exact: true }).click()
  const line = await page.getByLabel('Summary').locator('code').innerText()
  assert.equal(line.replace(/\s+/g, ' '), 'novacron vm create blank --cpus 1 --memory 1GiB --disk 10GiB && novacron start blank')
  await page.getByRole('button', { name: 'Launch blank' }).click()
  await page.waitForURL('**/vms/blank')
  await page.getByRole('main').locator('[data-state=running]').first().waitFor()
  for (const command of line.replaceAll('blank', 'by-line').split('&&')) await world.cli(...command.trim().split(/\s+/).slice(1))
  const specs = await Promise.all(['blank', 'by-line'].map(async (name) => (await world.api(page, 'GET', `/v1/projects/default/vms/${name}`)).spec))
  const named = JSON.stringify(specs[1]).replaceAll('by-line', 'blank')
  assert.deepEqual(JSON.parse(named), specs[0])
  await page.goto(`${world.base}/p/default/vms`)
  for (const name of ['blank', 'by-line']) await world.cli('vm', 'delete', name, '--force', '--yes')
})

test('an image is uploaded from this machine', async () => {
  await page.goto(`${world.base}/p/default/images`)
  await page.getByRole('button', { name: 'Upload' }).click()
  await page.getByLabel('File').setInputFiles({ name: 'Tiny_Disk.raw', mimeType: 'application/octet-stream', buffer: diskContent() })
  // The first connection breaks; it goes on by itself.
  world.expected = [/ERR_CONNECTION_RESET/]
  let broken = 0
  await page.route('**/images/tiny-disk/content', (route) => {
    if (route.request().method() === 'PUT' && broken++ === 0) return route.abort('connectionreset')
    return route.fallback()
  })
  await page.getByRole('dialog').getByRole('button', { name: 'Upload' }).click()
  await state('tiny-disk').and(page.locator('[data-state=ready]')).waitFor()
  assert.ok(broken >= 2)
  await page.unroute('**/images/tiny-disk/content')
})

test('another file does not go on with an upload that waits', async () => {
  const images = '/v1/projects/default/images'
  await world.api(page, 'POST', images, { meta: { name: 'waiting' }, spec: { source: { upload: {} } } })
  world.expected = [/409/]
  await page.getByRole('button', { name: 'Upload' }).click()
  const dialog = page.getByRole('dialog')
  await page.getByLabel('File').setInputFiles({ name: 'waiting.raw', mimeType: 'application/octet-stream', buffer: diskContent() })
  await dialog.getByRole('button', { name: 'Upload' }).click()
  await dialog.getByText('Image "waiting" exists already.').waitFor()
  await page.keyboard.press('Escape')
  await world.cli('image', 'delete', 'waiting', '--yes')
})

test('an image is imported from a URL', async () => {
  const server = http.createServer((_, response) => response.end(diskContent()))
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    await page.goto(`${world.base}/p/default/images`)
    await page.getByRole('button', { name: 'Import from a URL' }).click()
    await page.getByLabel('URL').fill(`http://127.0.0.1:${server.address().port}/debian-12.raw`)
    await page.getByRole('button', { name: 'Import', exact: true }).click()
    await state('debian-12').and(page.locator('[data-state=ready]')).waitFor()
  } finally {
    server.close()
  }
})

test('what is wrong with a launch is told before anything is sent', async () => {
  await page.goto(`${world.base}/p/default/launch`)
  await page.getByLabel('Name').fill('Not A Name')
  await page.getByRole('button', { name: /^Launch Not/ }).click()
  await page.getByRole('alert').waitFor()
  assert.ok(page.url().endsWith('/launch'))
})

test('a VM is launched, and the page follows it until it runs', async () => {
  await page.goto(`${world.base}/p/default/launch`)
  await page.getByText('debian-12', { exact: true }).first().click()
  await page.getByLabel('Name').fill('web')
  await page.getByText('S', { exact: true }).click()
  await page.getByLabel('Ports').fill('18080:80')
  await page.getByText('novacron launch debian-12 web').waitFor()
  await picture(page, 'launch')
  await page.getByRole('button', { name: 'Launch web' }).click()
  await page.waitForURL('**/vms/web')
  await page.getByRole('main').locator('[data-state=running]').first().waitFor()
  await page.getByText('http://127.0.0.1:18080').waitFor()
  await picture(page, 'vm')
})

test('the same port again is refused at its field, with the VM that has it', async () => {
  world.expected = [/status of 4\d\d/]
  await page.goto(`${world.base}/p/default/launch`)
  await page.getByLabel('Name').fill('web2')
  await page.getByLabel('Ports').fill('18080:80')
  await page.getByRole('button', { name: 'Launch web2' }).click()
  const alert = page.getByRole('alert').filter({ hasText: '18080' })
  await alert.waitFor()
  assert.match(await alert.innerText(), /web/)
})

test('what the command line does shows in the open page', async () => {
  await page.goto(`${world.base}/p/default/vms`)
  await state('web').and(page.locator('[data-state=running]')).waitFor()
  await world.cli('launch', 'debian-12', 'from-cli', '--no-ssh-key')
  await state('from-cli').and(page.locator('[data-state=running]')).waitFor()
})

test('stop, start and restart are a click away', async () => {
  await page.goto(`${world.base}/p/default/vms`)
  await page.getByRole('button', { name: 'Stop web', exact: true }).click()
  await state('web').and(page.locator('[data-state=stopped]')).waitFor()
  await page.getByRole('button', { name: 'Start web', exact: true }).click()
  await state('web').and(page.locator('[data-state=running]')).waitFor()
  await page.getByRole('button', { name: 'More for web' }).click()
  await page.getByRole('menuitem', { name: 'Pause' }).click()
  await state('web').and(page.locator('[data-state=paused]')).waitFor()
  await page.getByRole('button', { name: 'Resume web', exact: true }).click()
  await state('web').and(page.locator('[data-state=running]')).waitFor()
})

test('a verb in which the guest has no say is asked about first', async () => {
  const resets = async () => (await world.api(page, 'GET', '/v1/projects/default/tasks')).items.filter((task) => task.spec.action === 'reset')
  const ask = async (name) => {
    await page.getByRole('button', { name: 'More for web' }).click()
    await page.getByRole('menuitem', { name }).click()
    await page.getByRole('dialog').getByText('What it has not written yet is lost.').waitFor()
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), 'Cancel')
  }
  await page.goto(`${world.base}/p/default/vms`)
  await ask('Reset')
  await page.keyboard.press('Escape')
  await until('the question is closed', async () => (await page.getByRole('dialog').count()) === 0)
  assert.equal((await resets()).length, 0)
  await ask('Reset')
  await page.getByRole('dialog').getByRole('button', { name: 'Reset' }).click()
  await until('it was reset', async () => (await resets())[0]?.status.state === 'succeeded')
  await page.goto(`${world.base}/p/default/vms/web`)
  await page.getByRole('button', { name: 'Power of web' }).click()
  await page.getByRole('menuitem', { name: 'Cut the power' }).click()
  assert.equal(await page.getByRole('main').locator('[data-state=running]').count() > 0, true)
  await page.getByRole('dialog').getByRole('button', { name: 'Cut the power' }).click()
  await page.getByRole('main').locator('[data-state=stopped]').first().waitFor()
  await world.cli('start', 'web')
})

test('tasks and events tell the story', async () => {
  await page.goto(`${world.base}/p/default/tasks`)
  await page.getByRole('row').filter({ hasText: 'stop' }).filter({ hasText: 'succeeded' }).first().waitFor()
  await picture(page, 'tasks')
  await page.getByRole('row').filter({ hasText: 'create' }).first().getByRole('link', { name: 'create' }).click()
  await page.getByRole('heading', { name: /^create / }).waitFor()
  await page.getByRole('heading', { name: /What happened to/ }).waitFor()
  await page.goto(`${world.base}/p/default/vms/web/events`)
  await page.locator('[data-event]').first().waitFor()
  await page.goto(`${world.base}/p/default/events`)
  await page.locator('[data-event]').first().waitFor()
  await picture(page, 'events')
})

test('a task is cancelled', async () => {
  // For the second one there is no room: it waits.
  const create = (name) => world.api(page, 'POST', '/v1/projects/default/vms', { meta: { name }, spec: { run: 'stopped', memory: 40 * 2 ** 30, disks: [], nics: [] } })
  await create('large')
  await create('waits')
  await page.goto(`${world.base}/p/default/tasks`)
  const row = page.getByRole('row').filter({ hasText: 'waits' })
  await row.getByText('running').waitFor()
  await row.getByRole('button', { name: 'Cancel' }).click()
  await row.getByText('cancelled').waitFor()
  assert.equal(await row.getByRole('button', { name: 'Cancel' }).count(), 0)
  await until('what it was to make is not there', async () => {
    const { items } = await world.api(page, 'GET', '/v1/projects/default/vms')
    return !items.some((vm) => vm.meta.name === 'waits')
  })
  await world.cli('delete', 'large', '--yes')
})

test('a volume is created, given to a running VM and taken from it, changed and cloned', async () => {
  world.expected = [/status of 4\d\d/]
  await page.goto(`${world.base}/p/default/volumes`)
  await page.getByRole('button', { name: 'Create a volume' }).click()
  await page.getByLabel('Name').fill('data')
  await page.getByRole('textbox', { name: 'Size' }).fill('1GiB')
  await page.getByRole('button', { name: 'Create', exact: true }).click()
  await state('data').and(page.locator('[data-state=ready]')).waitFor()
  await page.getByRole('button', { name: 'Attach data' }).click()
  await page.getByLabel('VM').selectOption('web')
  await page.getByRole('dialog').getByRole('button', { name: 'Attach' }).click()
  await page.getByRole('button', { name: 'Detach data from web' }).click()
  await page.getByRole('button', { name: 'Attach data' }).waitFor()
  await page.getByRole('button', { name: 'Change data' }).click()
  await page.getByRole('textbox', { name: 'Size' }).fill('512MiB')
  await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click()
  await page.getByRole('dialog').getByText('cannot shrink').first().waitFor()
  await page.getByRole('textbox', { name: 'Size' }).fill('3GiB')
  await page.getByLabel('Operations per second').fill('500')
  await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click()
  await page.locator('tr[data-name="data"]').getByText('3 GiB').waitFor()
  assert.match(await world.cli('volume', 'show', 'data'), /500 IO\/s/)
  await page.getByRole('button', { name: 'Clone data' }).click()
  await page.getByRole('textbox', { name: 'Name' }).fill('data')
  await page.getByRole('dialog').getByRole('button', { name: 'Clone' }).click()
  await page.getByRole('dialog').getByText('exists already').first().waitFor()
  await page.getByRole('textbox', { name: 'Name' }).fill('data2')
  await page.getByRole('dialog').getByRole('button', { name: 'Clone' }).click()
  await page.locator('tr[data-name="data2"]').getByText('ready').waitFor()
  await picture(page, 'volumes')
})

test('a stopped VM is cloned, and a running one by a snapshot that goes again', async () => {
  const more = async (vm) => {
    await page.goto(`${world.base}/p/default/vms`)
    await page.getByRole('button', { name: `More for ${vm}` }).click()
    await page.getByRole('menuitem', { name: 'Clone' }).click()
  }
  for (const from of ['from-cli', 'web']) {
    await more(from)
    await page.getByRole('textbox', { name: 'Name' }).fill('copy')
    await page.getByLabel('Start it').check()
    await page.getByRole('dialog').getByText('web is not stopped').waitFor({ state: from === 'web' ? 'visible' : 'detached' })
    await page.getByRole('dialog').getByRole('button', { name: 'Clone' }).click()
    await state('copy').and(page.locator('[data-state=running]')).waitFor()
    await world.cli('delete', 'copy', '--yes', '--force')
  }
})

test('volumes and images say what holds them', async () => {
  await world.cli('snapshot', 'create', 'web', 'before')
  const cell = async (row, title) => {
    const titles = await page.getByRole('columnheader').allInnerTexts()
    return page.locator(`tr[data-name="${row}"] td`).nth(titles.findIndex((each) => each.trim() === title))
  }
  await page.goto(`${world.base}/p/default/volumes`)
  await state('web-root').waitFor()
  await (await cell('web-root', 'Snapshots')).filter({ hasText: /^1$/ }).waitFor()
  await page.goto(`${world.base}/p/default/images`)
  await state('debian-12').waitFor()
  await (await cell('debian-12', 'Used by')).filter({ hasText: '2 VMs, 2 volumes' }).waitFor()
})

for (const [what, place, first] of [['network', '/p/default/networks', 'user'], ['pool', '/pools', 'default']])
  test(`a ${what} is created and deleted; the first one stays`, async () => {
    await page.goto(world.base + place)
    await page.getByRole('button', { name: `Create a ${what}` }).click()
    await page.getByLabel('Name').fill('second')
    await page.getByRole('button', { name: 'Create', exact: true }).click()
    await page.locator('tr[data-name=second]').waitFor()
    assert.equal(await page.getByRole('button', { name: `Delete ${first}` }).count(), 0)
    await page.getByRole('button', { name: 'Delete second' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
    await page.mouse.move(5, 5) // rows stay while the pointer is over them
    await until('it is gone', async () => (await page.locator('tr[data-name=second]').count()) === 0)
  })

test('deleting lists what goes, asks about power, and begins with the focus on Cancel', async () => {
  await page.goto(`${world.base}/p/default/vms/web`)
  await page.getByRole('button', { name: 'More for web' }).click()
  await page.getByRole('menuitem', { name: /Delete/ }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByText('web-root').waitFor()
  assert.equal(await page.evaluate(() => document.activeElement?.textContent), 'Cancel')
  assert.ok(await dialog.getByRole('button', { name: 'Delete' }).isDisabled(), 'a running VM goes only by force')
  await dialog.getByRole('checkbox').check()
  await dialog.getByRole('button', { name: 'Delete' }).click()
  await page.waitForURL('**/vms')
  await until('the VM is gone', async () => (await state('web').count()) === 0)
})
