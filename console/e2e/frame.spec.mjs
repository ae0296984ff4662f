// What stands around every page: keys, search, theme, tasks, and what happens when the server goes away.
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { picture, until, World } from './world.mjs'

let world
let page
before(async () => {
  world = await World.start()
  page = await world.visitor()
  await world.image(page)
  await world.cli('launch', 'tiny', 'hello', '--no-ssh-key')
})
after(() => world?.end())
afterEach(() => world.checkComplaints())

test('keys lead everywhere, and ? lists them', async () => {
  await page.goto(`${world.base}/p/default`)
  await page.getByRole('heading', { name: 'Overview' }).waitFor()
  for (const [keys, heading] of [['gv', 'VMs'], ['gi', 'Images'], ['gn', 'Nodes'], ['gt', 'Tasks'], ['go', 'Overview'], ['c', 'Launch a VM']]) {
    for (const key of keys) await page.keyboard.press(key)
    await page.getByRole('heading', { level: 1, name: heading }).waitFor()
  }
  await page.keyboard.press('?')
  await page.getByRole('dialog', { name: 'Keys' }).waitFor()
  await page.keyboard.press('Escape')
  await until('the help is closed', async () => (await page.getByRole('dialog').count()) === 0)
})

test('Esc closes what is open first, then leads back to the list as it was left', async () => {
  await page.goto(`${world.base}/p/default/vms?q=hel`)
  await page.locator('tr[data-name=hello]').getByRole('link', { name: 'hello', exact: true }).click()
  await page.waitForURL('**/vms/hello')
  const drawer = page.getByRole('region', { name: 'Tasks' }).getByRole('button', { name: /^Tasks/ })
  await drawer.click()
  await page.keyboard.press('?')
  await page.getByRole('dialog', { name: 'Keys' }).waitFor()
  await page.keyboard.press('Escape')
  await until('the help is closed', async () => (await page.getByRole('dialog').count()) === 0)
  assert.equal(await drawer.getAttribute('aria-expanded'), 'true')
  await page.keyboard.press('Escape')
  await until('the drawer is closed', async () => (await drawer.getAttribute('aria-expanded')) === 'false')
  assert.ok(page.url().endsWith('/vms/hello'), page.url())
  await page.getByRole('button', { name: 'More for hello' }).click()
  await page.getByRole('menuitem').first().waitFor()
  await page.keyboard.press('Escape')
  await until('the menu is closed', async () => (await page.getByRole('menuitem').count()) === 0)
  assert.ok(page.url().endsWith('/vms/hello'), page.url())
  await page.keyboard.press('Escape')
  await page.waitForURL('**/vms?q=hel')
})

test('Esc in a field leaves nothing', async () => {
  await page.goto(`${world.base}/p/default/vms/hello/logs`)
  await page.getByLabel('Search in the log').focus()
  await page.keyboard.press('Escape')
  assert.ok(page.url().endsWith('/logs'), page.url())
})

test('no key works while one types', async () => {
  await page.goto(`${world.base}/p/default/vms`)
  await page.getByLabel('Filter by text').fill('')
  await page.getByLabel('Filter by text').pressSequentially('gc?')
  assert.equal(await page.getByRole('dialog').count(), 0)
  assert.equal(await page.getByLabel('Filter by text').inputValue(), 'gc?')
})

test('search finds a VM and goes there', async () => {
  await page.goto(`${world.base}/nodes`)
  await page.getByRole('heading', { name: 'Nodes' }).waitFor()
  await page.keyboard.press('/')
  await page.getByRole('combobox', { name: 'Search' }).fill('hel')
  await page.getByRole('option', { name: /hello/ }).first().waitFor()
  await page.keyboard.press('Enter')
  await page.waitForURL('**/vms/hello')
})

test('the palette reaches every page', async () => {
  await page.goto(`${world.base}/p/default`)
  await page.getByRole('heading', { name: 'Overview' }).waitFor()
  const places = await page.getByRole('navigation', { name: 'Main' }).first().getByRole('link').allInnerTexts()
  assert.ok(places.length >= 11, places.join())
  for (const place of places) {
    await page.keyboard.press('Control+k')
    await page.getByRole('combobox', { name: 'Search' }).fill(`page ${place}`)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: place }).waitFor()
  }
})

test('the palette does what it says: a verb, a dialog, a tab', async () => {
  const ask = async (text, name) => {
    await page.keyboard.press('Control+k')
    await page.getByRole('combobox', { name: 'Search' }).fill(text)
    await page.getByRole('option', { name }).first().waitFor()
    await page.keyboard.press('Enter')
  }
  await page.goto(`${world.base}/p/default/vms`)
  await page.locator('tr[data-name=hello] [data-state=running]').waitFor()
  await ask('stop hello', /Stop hello/)
  await page.locator('tr[data-name=hello] [data-state=stopped]').waitFor()
  await ask('start hello', /Start hello/)
  await page.locator('tr[data-name=hello] [data-state=running]').waitFor()
  await ask('create a volume', /Create a volume/)
  await page.getByRole('dialog', { name: 'Create a volume' }).waitFor()
  await page.keyboard.type('from-palette')
  await page.keyboard.press('Enter')
  await until('the volume is there', async () => {
    const { items } = await world.api(page, 'GET', '/v1/projects/default/volumes')
    return items.some((volume) => volume.meta.name === 'from-palette')
  })
  await until('the dialog is closed', async () => (await page.getByRole('dialog').count()) === 0)
  await ask('delete hello', /Delete hello/)
  await page.getByRole('dialog', { name: 'Delete VM hello?' }).waitFor()
  await page.keyboard.press('Escape')
  await ask('hello hardware', /hello hardware/)
  await page.waitForURL('**/vms/hello/hardware')
})

test('the palette offers what menus and pages do with a VM, a node and the state', async () => {
  await world.cli('snapshot', 'create', 'hello', 'kept')
  const vm = () => world.api(page, 'GET', '/v1/projects/default/vms/hello')
  const ask = async (text, name) => {
    await page.keyboard.press('Control+k')
    await page.getByRole('combobox', { name: 'Search' }).fill(text)
    await page.getByRole('option', { name }).first().waitFor()
    assert.match(await page.getByRole('option', { selected: true }).innerText(), name)
    await page.keyboard.press('Enter')
  }
  const opens = async (text, name, dialog) => {
    await ask(text, name)
    await page.getByRole('dialog', { name: dialog }).waitFor()
    await page.keyboard.press('Escape')
    await until('it is closed', async () => (await page.getByRole('dialog').count()) === 0)
  }
  await page.goto(`${world.base}/p/default`)
  await page.getByRole('heading', { name: 'Overview' }).waitFor()
  await opens('clone hello', /Clone hello/, 'Clone hello')
  await opens('export hello', /Export hello/, 'Export VM hello')
  await opens('reset hello', /Reset hello/, 'Reset hello?')
  await opens('cut the power of hello', /Cut the power of hello/, 'Cut the power of hello?')
  await opens('restore hello to kept', /Restore hello to kept/, 'Restore hello to kept?')
  await opens('image from the catalogue', /Import an image from the catalogue/, 'Import from the catalogue')
  await opens('import a vm', /Import a VM/, 'Import a VM')
  await opens('shut the guests of n2', /Shut the guests of n2 down/, 'Shut the guests of n2 down?')
  await ask('protect hello', /Protect hello/)
  await until('it is protected', async () => (await vm()).spec.protected)
  await opens('delete hello', /Delete hello/, 'Delete VM hello?')
  await ask('lift the protection of hello', /Lift the protection of hello/)
  await until('it is not protected', async () => !(await vm()).spec.protected)
  for (const tab of ['VMs', 'hardware', 'logs', 'spec']) {
    await ask(`n1 ${tab}`, new RegExp(`n1 ${tab}`))
    await page.waitForURL(`**/nodes/n1/${tab.toLowerCase()}`)
  }
  const [download] = await Promise.all([page.waitForEvent('download'), ask('back the state up', /Back the state up/)])
  assert.equal(download.suggestedFilename(), 'novacron-state.backup')
})

test('the theme is chosen, and kept over a reload', async () => {
  await page.goto(`${world.base}/settings`)
  await page.getByRole('combobox', { name: 'Theme' }).selectOption('dark')
  await until('the page is dark', () => page.evaluate(() => document.documentElement.dataset.theme === 'dark'))
  await page.reload()
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'dark')
  await page.getByRole('combobox', { name: 'Theme' }).selectOption('light')
})

test('the drawer shows what was asked for', async () => {
  await page.goto(`${world.base}/p/default`)
  const drawer = page.getByRole('region', { name: 'Tasks' }).getByRole('button', { name: /^Tasks/ })
  await drawer.click()
  await page.getByRole('tab', { name: 'Recent' }).click()
  await page.getByRole('tabpanel').getByText('hello').first().waitFor()
  await page.keyboard.press('Escape')
  await until('the drawer is closed', async () => (await drawer.getAttribute('aria-expanded')) === 'false')
})

test('a click on a task of the drawer tells all about it', async () => {
  await page.goto(`${world.base}/p/default`)
  await page.getByRole('region', { name: 'Tasks' }).getByRole('button', { name: /^Tasks/ }).click()
  await page.getByRole('tab', { name: 'Recent' }).click()
  const row = page.getByRole('tabpanel').getByRole('listitem').filter({ has: page.getByRole('button', { name: 'Details of create hello' }) })
  await row.getByText('succeeded').click({ force: true }) // the whole row is the button
  await row.getByText('Asked for by').waitFor()
  await row.getByText('Took', { exact: true }).waitFor()
  await row.getByText('starting the guest').waitFor()
  await row.locator('[data-event]').first().waitFor()
  await picture(page, 'task')
  await row.getByRole('link', { name: 'Logs of hello' }).click()
  await page.waitForURL('**/vms/hello/logs')
})

/** Simulated hosts fail at nothing: the answer is bent on its way, until the page is left. */
async function failing(tasks, names) {
  await page.route(tasks, async (route) => {
    const list = await (await route.fetch()).json()
    const error = { code: 'storage_full', message: 'pool "default" is full', hint: 'delete what is not needed' }
    const bent = list.items.filter(({ spec }) => !names || names.includes(spec.target.name))
    for (const { meta, status } of bent) Object.assign(status, { state: 'failed', outcome: { state: 'failed', finished: meta.created, error } })
    await route.fulfill({ json: list })
  })
}

const TASKS = '**/v1/projects/default/tasks?*'
const openDrawer = () => page.getByRole('region', { name: 'Tasks' }).getByRole('button', { name: /^Tasks/ }).click()

test('a failed task tells why, with what to do', async () => {
  await failing(TASKS)
  await page.goto(`${world.base}/p/default`)
  await openDrawer()
  await page.getByRole('tab', { name: /^Failed/ }).click()
  await page.getByRole('button', { name: 'Details of create hello' }).click()
  const alert = page.getByRole('tabpanel').getByRole('alert')
  await alert.getByText('Pool "default" is full.').waitFor()
  await alert.getByText('Delete what is not needed.').waitFor()
  await alert.getByText('storage_full').waitFor()
  await picture(page, 'task-failed')
  await page.unroute(TASKS)
})

test('a failure stays until it is dismissed, and stays away then', async () => {
  await world.cli('stop', 'hello', '--force')
  await world.cli('start', 'hello')
  await failing(TASKS, ['hello'])
  const failed = async () => Number(/\d+/.exec(await page.getByRole('tab', { name: /^Failed/ }).innerText())?.[0])
  await page.goto(`${world.base}/p/default`)
  await openDrawer()
  await page.getByRole('tab', { name: /^Failed/ }).click()
  const before = await failed()
  assert.ok(before >= 3, `${before} failures`)
  await page.reload()
  await openDrawer()
  await page.getByRole('tab', { name: /^Failed/ }).click()
  assert.equal(await failed(), before, 'nobody dismissed them')
  await page.getByRole('button', { name: 'Dismiss create hello' }).click()
  await until('one is gone', async () => (await failed()) === before - 1)
  await page.reload()
  await openDrawer()
  await page.getByRole('tab', { name: /^Failed/ }).click()
  assert.equal(await page.getByRole('button', { name: 'Dismiss create hello' }).count(), 0)
  assert.equal(await failed(), before - 1)
  await page.getByRole('button', { name: 'Dismiss all' }).click()
  await page.getByText('No failed tasks.').waitFor()
  await page.keyboard.press('Escape')
  await page.unroute(TASKS)
})

test('what could not be read is read at Retry', async () => {
  world.expected = [/status of 500/]
  const volumes = '**/v1/projects/default/volumes?*'
  const problem = { code: 'internal', title: 'Internal error', detail: 'the store could not be read', hint: 'try again' }
  await page.route(volumes, (route) => route.fulfill({ status: 500, contentType: 'application/problem+json', json: problem }))
  await page.goto(`${world.base}/p/default/volumes`)
  const alert = page.getByRole('main').getByRole('alert')
  await alert.getByText('The store could not be read.').waitFor()
  await page.unroute(volumes)
  assert.equal(await page.locator('tr[data-name="hello-root"]').count(), 0)
  await alert.getByRole('button', { name: 'Retry' }).click()
  await page.locator('tr[data-name="hello-root"]').waitFor()
  assert.equal(await page.getByRole('main').getByRole('alert').count(), 0)
})

test('events are followed, or held still to be read', async () => {
  await page.goto(`${world.base}/p/default/events`)
  const lines = page.locator('[data-event]')
  await lines.first().waitFor()
  await world.cli('vm', 'create', 'followed')
  await lines.filter({ hasText: 'followed' }).first().waitFor()
  await page.getByLabel('Follow').uncheck()
  const held = await lines.allInnerTexts()
  await world.cli('vm', 'create', 'unseen')
  // The stream is in order: once this is in sight elsewhere, the page has been told of the event, too.
  await until('the page was told', async () => {
    await page.keyboard.press('Control+k')
    await page.getByRole('combobox', { name: 'Search' }).fill('unseen')
    const found = await page.getByRole('option', { name: /unseen/ }).count()
    await page.keyboard.press('Escape')
    return found > 0
  })
  assert.deepEqual(await lines.allInnerTexts(), held)
  await page.getByLabel('Follow').check()
  await lines.filter({ hasText: 'unseen' }).first().waitFor()
  await world.cli('delete', 'followed', 'unseen', '--yes')
})

test('a project is created, entered, and deleted once it is empty', async () => {
  await page.goto(`${world.base}/p/default`)
  await page.getByRole('button', { name: 'Project default' }).click()
  assert.equal(await page.getByRole('menuitem', { name: /^Delete/ }).count(), 0, 'the first project is always there')
  await page.getByRole('menuitem', { name: /^Create a project/ }).click()
  await page.getByLabel('Name').fill('lab')
  await page.getByLabel(/^Description/).fill('for trying things')
  await page.getByRole('button', { name: 'Create', exact: true }).click()
  await page.waitForURL('**/p/lab')
  const made = await world.api(page, 'GET', '/v1/projects/lab')
  assert.equal(made.spec.description, 'for trying things')
  await world.api(page, 'POST', '/v1/projects/lab/vms', { meta: { name: 'inside' }, spec: {} })

  const remove = async () => {
    await page.getByRole('button', { name: 'Project lab' }).click()
    await page.getByRole('menuitem', { name: 'Delete lab …' }).click()
    await page.getByRole('dialog').getByText('network').first().waitFor()
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
  }
  world.expected = [/status of 4\d\d/]
  await remove()
  await page.getByText(/still has .*inside/i).waitFor()
  assert.ok(page.url().endsWith('/p/lab'), page.url())
  await world.cli('--project', 'lab', 'vm', 'delete', 'inside', '--yes')
  await remove()
  await page.waitForURL('**/p/default')
  await page.getByRole('button', { name: 'Project default' }).click()
  await until('it is gone from the switch', async () => (await page.getByRole('menuitemcheckbox', { name: 'lab' }).count()) === 0)
  await page.keyboard.press('Escape')
})

test('an unknown page offers search, by button and by key', async () => {
  for (const place of ['/p/default/vmz', '/nowhere/at/all']) {
    await page.goto(world.base + place)
    await page.getByRole('heading', { level: 1, name: 'There is no such page' }).waitFor()
    await page.getByRole('navigation', { name: 'Main' }).first().waitFor()
    await page.keyboard.press('/')
    await page.getByRole('dialog', { name: 'Search' }).waitFor()
    await page.keyboard.press('Escape')
    await until('the search is closed', async () => (await page.getByRole('dialog').count()) === 0)
    await page.getByRole('main').getByRole('button', { name: 'Search' }).click()
    await page.getByRole('combobox', { name: 'Search' }).fill('hello')
    await page.keyboard.press('Enter')
    await page.waitForURL('**/vms/hello')
  }
})

test('an object that does not exist is said so, with a way on', async () => {
  world.expected = [/status of 404/]
  await page.goto(`${world.base}/p/default/vms/nobody`)
  await page.getByText('VM "nobody" does not exist').waitFor()
  await page.getByRole('link', { name: 'All VMs' }).waitFor()
})

test('a server that goes away is told of, and the page is right again when it is back', async () => {
  world.expected = [/Failed to load resource|ERR_|status of/]
  await page.goto(`${world.base}/p/default/vms`)
  await page.locator('tr[data-name=hello]').waitFor()
  await world.stopServer('SIGKILL')
  await page.getByText(/Not current since \d\d:\d\d, reconnecting/).waitFor()
  await picture(page, 'reconnecting')
  await world.startServer()
  await until('the banner is gone', async () => (await page.getByText('Not current').count()) === 0)
  await world.cli('vm', 'create', 'later')
  await page.locator('tr[data-name=later]').waitFor()
})

test('what was typed outlives the daemon, and is sent when it is back', async () => {
  world.expected = [/Failed to load resource|ERR_|status of/]
  await page.goto(`${world.base}/p/default/launch`)
  await page.getByText('tiny', { exact: true }).first().click()
  await page.getByLabel('Name').fill('patient')
  await page.getByText('S', { exact: true }).click()
  await page.getByLabel('Ports').fill('18099:80')
  await page.getByText('More: pool, machine, restart, labels').click()
  await page.getByLabel('Labels').fill('kept=yes')
  await world.stopServer('SIGKILL')
  await page.getByText(/Not current since/).waitFor()
  await page.getByRole('button', { name: 'Launch patient' }).click()
  await page.getByRole('complementary', { name: 'Summary' }).getByText('NovaCron does not answer').waitFor()
  await page.getByLabel('Password').fill('typed while it was away')
  await world.startServer()
  await until('the banner is gone', async () => (await page.getByText('Not current').count()) === 0)
  assert.equal(await page.getByLabel('Ports').inputValue(), '18099:80')
  assert.equal(await page.getByLabel('Password').inputValue(), 'typed while it was away')
  await page.getByRole('button', { name: 'Launch patient' }).click()
  await page.waitForURL('**/vms/patient')
  // It does not run: simulated hosts forget their images with the daemon.
  const { meta, spec } = await world.api(page, 'GET', '/v1/projects/default/vms/patient')
  assert.equal(meta.labels.kept, 'yes')
  assert.equal(spec.nics[0].ports[0].host, 18099)
  assert.equal(spec.cpus, 1)
})

test('a launch form that was left is as it was when one comes back', async () => {
  await page.goto(`${world.base}/p/default/launch`)
  await page.getByLabel('Name').fill('unsent')
  await page.getByLabel('Password').fill('no secret is kept')
  await page.reload()
  assert.equal(await page.getByLabel('Name').inputValue(), 'unsent')
  assert.equal(await page.getByLabel('Password').inputValue(), '')
  await page.getByRole('button', { name: 'Start over' }).click()
  assert.equal(await page.getByLabel('Name').inputValue(), '')
})

test('one stream serves the whole tab', async () => {
  const streams = []
  page.on('request', (request) => request.url().includes('/v1/watch') && streams.push(request.url()))
  await page.goto(`${world.base}/p/default`)
  for (const place of ['VMs', 'Images', 'Nodes', 'Events']) await page.getByRole('navigation', { name: 'Main' }).first().getByRole('link', { name: place }).click()
  assert.equal(streams.length, 1, streams.join('\n'))
})
