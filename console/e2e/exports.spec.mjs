// Disks and whole VMs leave through the browser's downloads, and come back as images.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { execFile } from 'node:child_process'
import path from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import { promisify } from 'node:util'
import { diskContent, picture, until, World } from './world.mjs'

const run = promisify(execFile)

let world
let page
let tar
before(async () => {
  world = await World.start({ hosts: 1 })
  page = await world.visitor()
  await world.image(page)
  await world.cli('launch', 'tiny', 'web', '--no-ssh-key', '--cpus', '3', '--memory', '768MiB')
})
after(() => world?.end())
afterEach(() => world.checkComplaints())

/** Clicks Download in the dialog; the file's name and content. */
async function downloaded() {
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download' }).click()])
  const file = path.join(world.data, download.suggestedFilename())
  await download.saveAs(file)
  return { name: download.suggestedFilename(), content: await readFile(file) }
}

test('a running VM is exported from a snapshot, and says so while there is none', async () => {
  await page.goto(`${world.base}/p/default/vms/web`)
  const open = async () => {
    await page.getByRole('button', { name: 'More for web' }).click()
    await page.getByRole('menuitem', { name: 'Export …' }).click()
  }
  await open()
  await page.getByRole('dialog').getByText('VM web is running.').waitFor()
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click()
  await world.cli('snapshot', 'create', 'web', 'before')
  await open()
  await page.getByLabel('As of').filter({ hasText: 'Snapshot before' }).waitFor()
  await picture(page, 'export')
  tar = await downloaded()
  assert.equal(tar.name, 'web-before.tar')
  assert.equal(tar.content.subarray(0, 10).toString(), 'image.toml')
})

test('its image launches a VM like it', async () => {
  await page.goto(`${world.base}/p/default/images`)
  await page.getByRole('button', { name: 'Upload' }).click()
  await page.getByLabel('File').setInputFiles({ name: 'web-copy.tar', mimeType: 'application/x-tar', buffer: tar.content })
  await page.getByRole('dialog').getByRole('button', { name: 'Upload' }).click()
  await page.locator('tr[data-name="web-copy"] [data-state=ready]').waitFor()
  await page.goto(`${world.base}/p/default/launch`)
  await page.getByText('web-copy', { exact: true }).click()
  const summary = page.getByLabel('Summary')
  await summary.getByText('768 MiB').waitFor()
  await summary.getByText(/^root \d/).waitFor()
  await page.getByLabel('Name').fill('web2')
  await page.getByRole('button', { name: 'Launch web2' }).click()
  await page.waitForURL('**/vms/web2')
  await until('it is like the first', async () => {
    const vm = await world.api(page, 'GET', '/v1/projects/default/vms/web2')
    return vm.spec.cpus === 3 && vm.spec.memory === 768 << 20 && vm.spec.disks.length === 1
  })
  const volume = await world.api(page, 'GET', '/v1/projects/default/volumes/web2-root')
  assert.deepEqual([volume.spec.image, volume.spec.image_disk], ['web-copy', 'root'])
})

const vm = (name) => world.api(page, 'GET', `/v1/projects/default/vms/${name}`)
const file = (name, buffer) => ({ name, mimeType: 'application/x-tar', buffer })

test('an image of a whole VM says so, and makes a VM of it', async () => {
  await page.goto(`${world.base}/p/default/images`)
  await page.locator('tr[data-name="web-copy"]').getByText('VM', { exact: true }).waitFor()
  assert.equal(await page.getByRole('button', { name: 'Make a VM of tiny' }).count(), 0)
  await page.getByRole('button', { name: 'Make a VM of web-copy' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByText('768 MiB').waitFor()
  await dialog.getByText('VM web is here already').waitFor()
  assert.ok(await dialog.getByRole('button', { name: 'Make' }).isDisabled(), 'it has no name of its own')
  await dialog.getByLabel('Name').fill('web3')
  await dialog.getByText('novacron vm create web3 --image web-copy').waitFor()
  await dialog.getByRole('button', { name: 'Make' }).click()
  await page.waitForURL('**/vms/web3')
  const { spec } = await vm('web3')
  assert.deepEqual([spec.cpus, spec.memory, spec.disks.length, spec.run], [3, 768 << 20, 1, 'stopped'])
})

test('a VM is imported from its file, by keyboard but for the choice of the file, and started', async () => {
  await page.goto(`${world.base}/p/default/vms`)
  await page.getByRole('button', { name: 'Import a VM' }).focus()
  await page.keyboard.press('Enter')
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('File').setInputFiles(file('web.tar', tar.content))
  await dialog.getByLabel('Name').fill('web')
  await dialog.getByText('VM web is here already').waitFor()
  assert.ok(await dialog.getByRole('button', { name: 'Import' }).isDisabled(), 'told before anything is sent')
  await dialog.getByLabel('Name').fill('brought')
  await dialog.getByLabel('Start it').focus()
  await page.keyboard.press('Space')
  await dialog.getByText('novacron import web.tar brought --start').waitFor()
  await picture(page, 'import-vm')
  await page.keyboard.press('Enter')
  await page.waitForURL('**/vms/brought')
  await page.getByRole('main').locator('[data-state=running]').first().waitFor()
  const { spec } = await vm('brought')
  assert.deepEqual([spec.image, spec.cpus, spec.memory], ['brought', 3, 768 << 20])
})

test('a VM is asked for by URL; what cannot be fetched is said, and leaves its name free', async () => {
  // While the form looks, the image goes.
  world.expected = [/status of 404/]
  await page.goto(`${world.base}/p/default/vms`)
  await page.getByRole('button', { name: 'Import a VM' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('or URL').fill('https://images.example/missing')
  await dialog.getByLabel('Name').fill('fetched')
  await dialog.getByRole('button', { name: 'Import' }).click()
  await dialog.getByRole('alert').getByText('the server answers 404 Not Found').waitFor()
  const images = async () => (await world.api(page, 'GET', '/v1/projects/default/images')).items.map((image) => image.meta.name)
  await until('the image is gone', async () => !(await images()).includes('fetched'))
  // What is simulated to be fetched holds no VM.
  await dialog.getByLabel('or URL').fill('https://images.example/web.tar')
  await dialog.getByText('novacron import https://images.example/web.tar fetched').waitFor()
  await dialog.getByRole('button', { name: 'Import' }).click()
  await dialog.getByRole('alert').getByText(/web.tar holds no VM; it is image "fetched" now/).waitFor()
  assert.ok((await images()).includes('fetched'))
})

test('a file that holds no VM is said so, and stays as an image', async () => {
  await page.goto(`${world.base}/p/default/vms`)
  await page.getByRole('button', { name: 'Import a VM' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('File').setInputFiles({ name: 'plain.tar', mimeType: 'application/x-tar', buffer: diskContent() })
  await dialog.getByRole('button', { name: 'Import' }).click()
  await dialog.getByRole('alert').getByText(/holds no VM; it is image "plain" now/).waitFor()
})

test('a volume is exported in the format that is asked for', async () => {
  await world.cli('stop', 'web', '--force')
  await page.goto(`${world.base}/p/default/volumes`)
  await page.getByRole('button', { name: 'Export web-root' }).click()
  await page.getByLabel('Format').selectOption('raw')
  const { name, content } = await downloaded()
  assert.equal(name, 'web-root.raw')
  assert.match(content.toString(), /as raw$/)
})

test('the whole state is downloaded from the settings', async () => {
  await page.goto(`${world.base}/settings`)
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Back the state up' }).click()])
  assert.equal(download.suggestedFilename(), 'novacron-state.backup')
  const file = path.join(world.data, 'state.backup')
  await download.saveAs(file)
  // Only a whole backup is one that another data directory begins from.
  const other = path.join(world.data, 'other')
  await run(world.bin, ['--data-dir', other, 'state', 'restore', file])
})
