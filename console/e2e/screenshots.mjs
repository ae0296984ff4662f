// Takes the pictures of the README from a real node with a few real guests.
// NOVACRON_GUEST_MICRO names the micro guest's bundle; NOVACRON_PICTURES the folder to write to,
// docs/pictures unless said.
import { until, World } from './world.mjs'

const PICTURES = process.env.NOVACRON_PICTURES ?? new URL('../../docs/pictures', import.meta.url).pathname
const BOOT_MS = 180_000
const GUESTS = [
  ['hello', ['--label', 'tier=demo']],
  ['web', ['--port', '18080:80', '--label', 'tier=web']],
  ['worker', ['--cpus', '1', '--label', 'tier=batch']],
]

const world = await World.start({ hosts: 0 })
try {
  await world.cli('image', 'import', process.env.NOVACRON_GUEST_MICRO, '--name', 'micro')
  for (const [name, options] of GUESTS) {
    await world.cli('launch', 'micro', name, '--memory', '256MiB', ...options)
  }
  await world.cli('volume', 'create', 'data', '--size', '20GiB')
  await world.cli('stop', 'worker', '--force', '--timeout', '1s')
  const page = await world.visitor({ colorScheme: 'light' })
  const take = async (name) => {
    await page.waitForLoadState('load')
    await page.screenshot({ path: `${PICTURES}/${name}.png` })
  }
  await page.getByRole('main').getByText('hello').first().waitFor()
  // Rates come with the second measurement.
  await page.getByText('CPU in use').waitFor()
  await take('overview')
  await page.goto(`${world.base}/p/default/vms`)
  await page.locator('tr[data-name=hello], [data-name=hello]').first().waitFor()
  await page.locator('[data-name=hello]').getByText('%').first().waitFor()
  await take('vms')
  await page.goto(`${world.base}/p/default/launch`)
  await page.getByText('micro', { exact: true }).first().click()
  await page.getByLabel('Name').fill('next')
  await take('launch')
  await page.goto(`${world.base}/p/default/vms/hello/serial`)
  await page.getByText('connected', { exact: true }).waitFor()
  await page.locator('.xterm-helper-textarea').focus()
  await until('the guest has a shell', async () => {
    await page.keyboard.type('uname -a\n')
    return (await page.locator('.xterm-rows').innerText()).includes('GNU/Linux')
  }, BOOT_MS)
  await take('serial')
} finally {
  for (const [name] of GUESTS) {
    await world.cli('delete', name, '--force', '--yes').catch((error) => console.error(String(error)))
  }
  await world.end()
}
