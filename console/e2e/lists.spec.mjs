// Long lists: drawn in part, filtered, sorted, selected, and calm under the pointer.
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { picture, until, World } from './world.mjs'

const COUNT = 300
let world
let page
before(async () => {
  world = await World.start()
  page = await world.visitor()
  const draft = (n) => ({
    meta: { name: `vm-${n}`, labels: { tier: n % 3 === 0 ? 'web' : 'data', ...(n < 5 && { stage: 'test' }) } },
    spec: { run: 'stopped', cpus: 1, memory: 1 << 24, disks: [], nics: [] },
  })
  const numbers = Array.from({ length: COUNT }, (_, n) => n)
  while (numbers.length > 0)
    await Promise.all(numbers.splice(0, 20).map((n) => world.api(page, 'POST', '/v1/projects/default/vms', draft(n))))
})
after(() => world?.end())
afterEach(() => world.checkComplaints())

const rows = () => page.locator('tbody tr[data-name]')
const names = () => rows().evaluateAll((all) => all.map((row) => row.dataset.name))

test('all are counted, a screenful is drawn, and the end is within reach', async () => {
  await page.goto(`${world.base}/p/default/vms`)
  await page.getByRole('status').filter({ hasText: String(COUNT) }).waitFor()
  assert.ok((await rows().count()) < 80, 'more rows than a screen needs')
  await page.locator('[data-table]').evaluate((box) => box.scrollTo(0, box.scrollHeight))
  await page.locator(`tr[data-name="vm-${COUNT - 1}"]`).waitFor()
})

test('filter and order stand in the URL, and a reload keeps them', async () => {
  await page.goto(`${world.base}/p/default/vms`)
  await page.getByLabel('Filter by text').fill('vm-29')
  await page.getByRole('status').filter({ hasText: `11 of ${COUNT}` }).waitFor()
  await page.getByRole('button', { name: 'Name' }).click()
  await page.waitForURL(/q=vm-29.*sort=-name|sort=-name.*q=vm-29/)
  await page.reload()
  await page.getByRole('status').filter({ hasText: `11 of ${COUNT}` }).waitFor()
  assert.equal((await names())[0], 'vm-299')
})

test('a label chip narrows the list', async () => {
  await page.goto(`${world.base}/p/default/vms`)
  await page.getByRole('button', { name: 'stage=test' }).click()
  await page.getByRole('status').filter({ hasText: `5 of ${COUNT}` }).waitFor()
  await page.getByRole('button', { name: 'Remove label filter stage=test' }).click()
  await page.getByRole('status').filter({ hasText: new RegExp(`^${COUNT}$`) }).waitFor()
})

test('a column is taken away and stays away', async () => {
  await page.goto(`${world.base}/p/default/vms`)
  await page.getByRole('button', { name: 'Columns' }).click()
  await page.getByRole('menuitemcheckbox', { name: 'Memory' }).click()
  await page.keyboard.press('Escape')
  await until('the column is gone', async () => (await page.getByRole('columnheader', { name: 'Memory' }).count()) === 0)
  await page.reload()
  await page.getByRole('columnheader', { name: 'Image' }).waitFor()
  assert.equal(await page.getByRole('columnheader', { name: 'Memory' }).count(), 0)
})

test('rows are walked, selected and opened by keys', async () => {
  await page.goto(`${world.base}/p/default/vms`)
  await rows().first().waitFor()
  await page.keyboard.press('j')
  await page.keyboard.press('j')
  await page.keyboard.press('k')
  await page.keyboard.press('j')
  await page.locator('tr[data-name="vm-1"][data-current]').waitFor()
  await page.keyboard.press('x')
  await page.getByText('1 selected').waitFor()
  await page.keyboard.press('Enter')
  await page.waitForURL('**/vms/vm-1')
})

test('rows stay under the pointer while the world changes', async () => {
  await page.goto(`${world.base}/p/default/vms?q=vm-29`)
  await page.locator('tr[data-name="vm-292"]').hover()
  const before = await names()
  await world.api(page, 'POST', '/v1/projects/default/vms', { meta: { name: 'a-vm-29' }, spec: { run: 'stopped', cpus: 1, memory: 1 << 24, disks: [], nics: [] } })
  await page.locator('tr[data-name="a-vm-29"]').waitFor()
  assert.deepEqual(await names(), [...before, 'a-vm-29'])
  await page.mouse.move(5, 5)
  await until('the new row takes its place', async () => (await names())[0] === 'a-vm-29')
})

test('all that match a label are selected in one step, seen or not, and they alone', async () => {
  await page.goto(`${world.base}/p/default/vms`)
  await rows().first().waitFor()
  assert.equal(await page.getByRole('button', { name: /that match/ }).count(), 0, 'nothing is filtered')
  await page.getByRole('button', { name: 'tier=web' }).click()
  const web = COUNT / 3
  await page.getByRole('button', { name: `Select all ${web} that match` }).click()
  await page.getByText(`${web} selected`).waitFor()
  await page.getByLabel('Select vm-0', { exact: true }).uncheck()
  await page.getByText(`${web - 1} selected`).waitFor()
  await page.getByRole('button', { name: `Select all ${web} that match` }).click()
  await page.getByRole('button', { name: 'Label' }).click()
  await page.getByLabel('Labels').fill('sort=web')
  await page.getByRole('button', { name: 'Save' }).click()
  await until('all of them have the label, and no other', async () => {
    const [labelled, tier] = await Promise.all(['sort', 'tier'].map((key) => world.api(page, 'GET', `/v1/projects/default/vms?limit=1000&label=${key}%3Dweb`)))
    return labelled.items.length === web && tier.items.length === web
  })
})

for (const [title, place, create, verb] of [
  ['Networks', '/p/default/networks', ['network', 'create'], 'Delete'], ['Pools', '/pools', ['pool', 'create'], 'Delete'], ['Tokens', '/tokens', ['token', 'create'], 'Revoke'],
])
  test(`many ${title.toLowerCase()} go at once, and none that has to stay`, async () => {
    for (const name of ['odd-1', 'odd-2']) await world.cli(...create, name)
    await page.goto(`${world.base}${place}?q=odd`)
    await page.getByLabel(`Select all ${title}`).check()
    await page.getByText('2 selected').waitFor()
    await page.getByRole('button', { name: verb, exact: true }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel(/^Type/).fill(`${verb.toLowerCase()} 2`)
    await dialog.getByRole('button', { name: verb }).click()
    await page.mouse.move(5, 5)
    await until('they are gone', async () => (await page.locator('tr[data-name^=odd]').count()) === 0)
    if (title === 'Tokens') return
    await page.goto(world.base + place)
    await rows().first().waitFor()
    assert.equal(await page.getByRole('checkbox', { name: /^Select (user|default)$/ }).count(), 0)
  })

test('many are labelled and deleted at once; deleting wants a word typed', async () => {
  await page.goto(`${world.base}/p/default/vms?label=stage%3Dtest`)
  await page.getByLabel('Select all VMs').check()
  await page.getByText('5 selected').waitFor()
  await picture(page, 'bulk')
  await page.getByRole('button', { name: 'Label' }).click()
  await page.getByLabel('Labels').fill('wave=one')
  await page.getByRole('button', { name: 'Save' }).click()
  await until('all have the label', async () => {
    const { items } = await world.api(page, 'GET', '/v1/projects/default/vms?label=wave%3Done')
    return items.length === 5
  })
  await page.getByRole('button', { name: 'Delete' }).click()
  const go = page.getByRole('dialog').getByRole('button', { name: 'Delete' })
  assert.ok(await go.isDisabled())
  await page.getByLabel(/^Type/).fill('delete 5')
  await go.click()
  await until('they are gone', async () => {
    const { items } = await world.api(page, 'GET', '/v1/projects/default/vms?label=wave%3Done')
    return items.length === 0
  })
})

test('deleting many lists them all, and what goes with each', async () => {
  await world.api(page, 'POST', '/v1/projects/default/vms', { meta: { name: 'z-disk' }, spec: { disks: [{ name: 'root', size: 1 << 24 }] } })
  await page.goto(`${world.base}/p/default/vms`)
  await page.locator('tr[data-name]').first().waitFor()
  await page.getByLabel('Select all VMs').check()
  await page.getByRole('button', { name: 'Delete' }).click()
  const dialog = page.getByRole('dialog')
  const total = Number(/\d+/.exec(await dialog.getByRole('heading', { level: 2 }).innerText())?.[0])
  assert.ok(total > 50, `only ${total}`)
  await dialog.getByRole('heading', { name: `Goes for good ${total + 1}` }).waitFor()
  await dialog.getByText('vm-299').waitFor()
  await dialog.getByText('z-disk-root').waitFor()
  await dialog.getByRole('button', { name: 'Cancel' }).click()
})
