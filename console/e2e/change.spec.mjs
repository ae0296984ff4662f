// Changing a VM: its hardware part by part, and its spec as YAML.
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { picture, until, World } from './world.mjs'

let world
let page
before(async () => {
  world = await World.start({ hosts: 1 })
  page = await world.visitor()
  await world.image(page)
  await world.cli('launch', 'tiny', 'web', '--no-ssh-key', '--label', 'tier=web')
  await world.cli('stop', 'web')
  await world.cli('volume', 'create', 'data', '--size', '1GiB')
})
after(() => world?.end())
afterEach(() => world.checkComplaints())

const read = () => world.api(page, 'GET', '/v1/projects/default/vms/web')
const section = (name) => page.getByRole('form', { name })
const open = async (tab) => {
  await page.goto(`${world.base}/p/default/vms/web/${tab}`)
  await page.getByRole('navigation', { name: 'VM' }).waitFor()
}

test('CPUs and memory are changed in place, by keyboard alone', async () => {
  await open('hardware')
  await page.getByRole('button', { name: 'Edit cpu and memory' }).focus()
  await page.keyboard.press('Enter')
  await page.keyboard.press('ControlOrMeta+a')
  await page.keyboard.type('3')
  await page.keyboard.press('Tab')
  await page.keyboard.press('ControlOrMeta+a')
  await page.keyboard.type('1536MiB')
  await page.keyboard.press('Enter')
  await page.getByText('1.5 GiB').waitFor()
  assert.deepEqual([(await read()).spec.cpus, (await read()).spec.memory], [3, 1536 * 2 ** 20])
  assert.equal(await page.evaluate(() => document.activeElement?.ariaLabel), 'Edit cpu and memory')
})

test('Esc gives a change up and leads nowhere', async () => {
  await open('hardware')
  await page.getByRole('button', { name: 'Edit cpu and memory' }).click()
  await page.getByLabel('CPUs').fill('7')
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: 'Edit cpu and memory' }).waitFor()
  assert.ok(page.url().endsWith('/hardware'), page.url())
  assert.equal((await read()).spec.cpus, 3)
})

test('what is wrong is told at its field', async () => {
  await open('hardware')
  await page.getByRole('button', { name: 'Edit cpu and memory' }).click()
  await page.getByRole('textbox', { name: 'Memory' }).fill('much')
  await page.keyboard.press('Enter')
  await section('CPU and memory').getByRole('alert').getByText('“much” is not a size').waitFor()
  assert.equal(await page.getByRole('textbox', { name: 'Memory' }).getAttribute('aria-invalid'), 'true')
})

test('NICs and their ports are changed, and another is added', async () => {
  await open('hardware')
  await page.getByRole('button', { name: 'Edit network' }).click()
  const form = section('Network')
  await form.getByLabel('Ports').fill('18081:80 18082:22')
  await form.getByRole('button', { name: 'Add a NIC' }).click()
  await form.getByLabel('Ports').nth(1).fill('18083:443/udp')
  await form.getByRole('button', { name: 'Save' }).click()
  await page.getByText('ports 18083:443/udp').waitFor()
  const ports = (await read()).spec.nics.map((nic) => nic.ports.map((port) => `${port.host}:${port.guest}/${port.protocol}`))
  assert.deepEqual(ports, [['18081:80/tcp', '18082:22/tcp'], ['18083:443/udp']])
})

test('the restart policy is changed', async () => {
  await open('hardware')
  await page.getByRole('button', { name: 'Edit restart' }).click()
  await page.getByLabel('Start again').selectOption('never')
  await section('Restart').getByRole('button', { name: 'Save' }).click()
  await page.getByText('Never', { exact: true }).waitFor()
  assert.equal((await read()).spec.restart, 'never')
})

test('a volume is attached and detached', async () => {
  await open('hardware')
  await page.getByRole('button', { name: 'Attach a volume' }).click()
  await page.getByLabel('Volume', { exact: true }).selectOption('data')
  await page.getByRole('dialog').getByRole('button', { name: 'Attach' }).click()
  await page.getByRole('button', { name: 'Detach data' }).waitFor()
  await picture(page, 'hardware')
  await page.getByRole('button', { name: 'Detach data' }).click()
  await until('it is detached', async () => (await read()).spec.disks.length === 1)
})

test('a change that somebody else overtook is told, and goes on top of theirs when asked to', async () => {
  world.expected = [/status of 412/]
  await open('hardware')
  await page.getByRole('button', { name: 'Edit cpu and memory' }).click()
  await page.getByLabel('CPUs').fill('2')
  await world.api(page, 'PATCH', '/v1/projects/default/vms/web', { meta: { labels: { by: 'other' } } })
  await page.getByText('by=other').waitFor()
  await page.keyboard.press('Enter')
  await page.getByText('has changed').waitFor()
  assert.equal((await read()).spec.cpus, 3)
  await page.getByRole('button', { name: 'Put my change on top' }).click()
  await section('CPU and memory').getByRole('button', { name: 'Save' }).click()
  await until('both are there', async () => {
    const { meta, spec } = await read()
    return spec.cpus === 2 && meta.labels.by === 'other'
  })
})

const text = () => page.getByLabel('Spec of web')

test('the spec is edited as YAML; the difference is shown before it is saved', async () => {
  await open('spec')
  const before = await text().inputValue()
  await text().fill(before.replace('tier: web', 'tier: front').replace('cpus: 2', 'cpus: 1'))
  await page.getByRole('button', { name: 'Review and save' }).click()
  const difference = page.getByRole('list', { name: 'Difference' })
  const marked = (await difference.getByRole('listitem').allInnerTexts()).map((each) => each.replace(/\s+/g, ' ').trim())
  for (const part of ['removed: tier: web', 'added: tier: front', 'removed: cpus: 2', 'added: cpus: 1'])
    assert.ok(marked.some((each) => each.includes(part)), `${part} in ${marked.join(' | ')}`)
  await picture(page, 'spec-review')
  await page.getByRole('button', { name: 'Save', exact: true }).click()
  await until('it is saved', async () => (await read()).spec.cpus === 1)
  assert.equal((await read()).meta.labels.tier, 'front')
  await page.getByText('Labels, annotations and spec').waitFor()
})

test('text that is no YAML is told with its line', async () => {
  await open('spec')
  await text().fill('meta: {}\nspec:\n  cpus: [1')
  await page.getByText(/^Line \d/).waitFor()
  assert.ok(await page.getByRole('button', { name: 'Review and save' }).isDisabled())
  await page.getByRole('button', { name: 'Discard' }).click()
})

test('what the server refuses names its field, and the text stays', async () => {
  world.expected = [/status of 4\d\d/]
  await open('spec')
  await text().fill((await text().inputValue()).replace('cpus: 1', 'cpus: 0'))
  await page.getByRole('button', { name: 'Review and save' }).click()
  await page.getByRole('button', { name: 'Save', exact: true }).click()
  await page.getByRole('main').getByRole('alert').getByText('spec.cpus').first().waitFor()
  assert.match(await text().inputValue(), /cpus: 0/)
  await page.getByRole('button', { name: 'Discard' }).click()
})

test('text that was typed is there after leaving the tab and after a reload', async () => {
  await open('spec')
  await text().fill((await text().inputValue()).replace('tier: front', 'tier: kept'))
  await page.getByRole('link', { name: 'Events' }).last().click()
  await page.getByRole('navigation', { name: 'VM' }).getByRole('link', { name: 'Spec' }).click()
  assert.match(await text().inputValue(), /tier: kept/)
  await page.reload()
  assert.match(await text().inputValue(), /tier: kept/)
})

test('a lost update is told, and the own changes go on top of the other ones', async () => {
  await open('spec')
  assert.match(await text().inputValue(), /tier: kept/)
  await world.api(page, 'PATCH', '/v1/projects/default/vms/web', { spec: { cpus: 4 } })
  await page.getByText('It was changed elsewhere').waitFor()
  assert.ok(await page.getByRole('button', { name: 'Review and save' }).isDisabled())
  await picture(page, 'spec-overtaken')
  await page.getByRole('button', { name: 'Put my changes on top' }).click()
  assert.match(await text().inputValue(), /cpus: 4/)
  await page.getByRole('button', { name: 'Review and save' }).click()
  await page.getByRole('button', { name: 'Save', exact: true }).click()
  await until('both are there', async () => {
    const { meta, spec } = await read()
    return spec.cpus === 4 && meta.labels.tier === 'kept'
  })
})

test('what a running guest gets only at its next start is shown as pending, and taken back', async () => {
  await world.cli('start', 'web')
  const { cpus } = (await read()).spec
  await open('hardware')
  await page.getByRole('button', { name: 'Edit cpu and memory' }).click()
  await page.getByLabel('CPUs').fill(String(cpus + 1))
  await page.keyboard.press('Enter')
  const pending = page.getByRole('region', { name: 'Needs restart' })
  await pending.getByText(`${cpus} → ${cpus + 1}`).waitFor()
  await picture(page, 'pending')
  await pending.getByRole('button', { name: 'Revert' }).click()
  await until('it is as it was', async () => (await read()).spec.cpus === cpus)
  await until('nothing is pending', async () => (await pending.count()) === 0)
})

test('what is pending comes with a restart', async () => {
  const before = await read()
  await open('hardware')
  await page.getByRole('button', { name: 'Edit cpu and memory' }).click()
  await page.getByLabel('CPUs').fill(String(before.spec.cpus + 1))
  await page.keyboard.press('Enter')
  const pending = page.getByRole('region', { name: 'Needs restart' })
  await pending.getByRole('button', { name: 'Restart' }).click()
  await until('nothing is pending', async () => (await pending.count()) === 0)
  await until('another guest runs', async () => {
    const { spec, status } = await read()
    return status.state === 'running' && status.runtime.started > before.status.runtime.started && spec.cpus === before.spec.cpus + 1
  })
})

test('firmware, a CD-ROM drive and the boot order are changed', async () => {
  await world.cli('stop', 'web')
  await open('hardware')
  await page.getByRole('button', { name: 'Edit machine' }).click()
  await page.getByLabel('Firmware').selectOption('uefi')
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByText('UEFI', { exact: true }).waitFor()
  await page.getByRole('button', { name: 'Edit cd-rom' }).click()
  await page.getByRole('button', { name: 'Add a drive' }).click()
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByText('root, then cd0').waitFor()
  await page.getByRole('button', { name: 'Edit boot order' }).click()
  await page.getByRole('button', { name: 'Try cd0 earlier' }).click()
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByText('cd0, then root').waitFor()
  const { spec } = await read()
  assert.deepEqual([spec.firmware, spec.cdroms, spec.boot], ['uefi', [{ name: 'cd0' }], ['cd0', 'root']])
})

test('notes are kept, and a protected VM is deleted only by its typed name', async () => {
  await page.goto(`${world.base}/p/default/vms/web`)
  await page.getByRole('button', { name: 'Edit notes' }).click()
  await page.getByLabel('Text').fill('ask before touching')
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByText('ask before touching').waitFor()
  const more = page.getByRole('button', { name: 'More for web' })
  await more.click()
  await page.getByRole('menuitem', { name: 'Protect' }).click()
  await until('it is protected', async () => (await read()).spec.protected === true)
  await more.click()
  await page.getByRole('menuitem', { name: /^Delete/ }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByText('is protected against deletion').waitFor()
  await dialog.getByLabel('Type “web” to go on').fill('we')
  assert.ok(await dialog.getByRole('button', { name: 'Delete' }).isDisabled())
  await dialog.getByRole('button', { name: 'Cancel' }).click()
  await more.click()
  await page.getByRole('menuitem', { name: 'Lift the protection' }).click()
  await until('it is not protected', async () => (await read()).spec.protected === false)
  await world.cli('set', 'web', '--protected', 'true')
  await more.click()
  await page.getByRole('menuitem', { name: /^Delete/ }).click()
  await dialog.getByLabel('Type “web” to go on').fill('web')
  await dialog.getByRole('button', { name: 'Delete' }).click()
  await page.waitForURL('**/vms')
})
