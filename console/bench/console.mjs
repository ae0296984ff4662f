// Measures the console against a real server: the weight of its scripts, the first useful paint, and how
// smoothly a list of VMs scrolls while they change. Prints one line of JSON for each figure, to be read by
// `cargo xtask bench console`. NOVACRON_BIN names the binary.
import { readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { until, World } from '../e2e/world.mjs'

const VMS = Number(process.env.NOVACRON_BENCH_VMS ?? 1000)
const CHANGES_PER_S = 200
const SCROLL_MS = 15_000
const PAINTS = 9
const DIST = new URL('../dist/assets', import.meta.url).pathname

const report = (figure) => console.log(JSON.stringify(figure))

/** Every script of the build as it is sent. */
async function weigh() {
  const files = (await readdir(DIST)).filter((file) => file.endsWith('.js.br'))
  const sizes = await Promise.all(files.map(async (file) => (await stat(path.join(DIST, file))).size))
  const measured = sizes.reduce((sum, size) => sum + size, 0) / 1024
  report({ what: 'scripts of the console, compressed', measured, goal: 350, unit: 'KiB', beside: `${sizes.length} files, Brotli` })
}

/** From the navigation's start, with nothing cached, to a page that shows what it is for. */
async function paint(world, cookies, what, place, useful) {
  const times = []
  for (let n = 0; n < PAINTS; n++) {
    const context = await world.browser.newContext({ viewport: { width: 1280, height: 800 } })
    await context.addCookies(cookies)
    await context.addInitScript((selector) => {
      const look = () => {
        if (!document.querySelector(selector)) return requestAnimationFrame(look)
        // The frame after the one that drew it.
        requestAnimationFrame(() => (window.useful = performance.now()))
      }
      requestAnimationFrame(look)
    }, useful)
    const page = await context.newPage()
    await page.goto(world.base + place)
    const value = await page.waitForFunction(() => window.useful)
    times.push(await value.jsonValue())
    await context.close()
  }
  times.sort((a, b) => a - b)
  const beside = `median of ${PAINTS}, the worst ${times.at(-1).toFixed(0)} ms`
  report({ what: `first useful paint, ${what}`, measured: times[PAINTS >> 1], goal: 500, unit: 'ms', beside })
}

/** Changes labels at a steady rate until it is told to end; says how many per second there were. */
function churn(world, cookies) {
  const headers = { origin: world.base, cookie: cookies.map((each) => `${each.name}=${each.value}`).join('; '), 'content-type': 'application/merge-patch+json' }
  const begun = performance.now()
  let [sent, done, ended] = [0, 0, false]
  const worker = async () => {
    while (!ended) {
      const ahead = begun + (sent * 1000) / CHANGES_PER_S - performance.now()
      const n = sent++
      if (ahead > 0) await new Promise((resolve) => setTimeout(resolve, ahead))
      const body = JSON.stringify({ meta: { labels: { wave: String(n % 7) } } })
      const answer = await fetch(`${world.base}/v1/projects/default/vms/vm-${(n * 37) % VMS}`, { method: 'PATCH', headers, body })
      if (!answer.ok) throw new Error(await answer.text())
      await answer.arrayBuffer()
      done += 1
    }
  }
  const workers = Array.from({ length: 16 }, worker)
  return async () => {
    ended = true
    await Promise.all(workers)
    return (done * 1000) / (performance.now() - begun)
  }
}

/** Scrolls the list down and up, a little each frame, and takes the time between frames. */
function scroll(page) {
  return page.evaluate(
    (duration) =>
      new Promise((resolve) => {
        const box = document.querySelector('[data-table]')
        const frames = []
        let [begun, last, step] = [0, 0, 60]
        const frame = (now) => {
          begun ||= now
          if (last) frames.push(now - last)
          last = now
          box.scrollTop += step
          if (box.scrollTop <= 0 || box.scrollTop + box.clientHeight >= box.scrollHeight - 1) step = -step
          if (now - begun < duration) requestAnimationFrame(frame)
          else resolve(frames)
        }
        requestAnimationFrame(frame)
      }),
    SCROLL_MS,
  )
}

async function smooth(world, page, cookies) {
  await page.goto(`${world.base}/p/default/vms`)
  await page.locator('tr[data-name]').first().waitFor()
  const end = churn(world, cookies)
  await scroll(page) // once to warm up
  const frames = (await scroll(page)).sort((a, b) => a - b)
  const rate = await end()
  const at = (share) => frames[Math.min(frames.length - 1, Math.floor(frames.length * share))]
  const beside = `median ${at(0.5).toFixed(1)} ms, ${rate.toFixed(0)} changes/s`
  report({ what: `frame while ${VMS} VMs are scrolled, p99`, measured: at(0.99), goal: 50, unit: 'ms', beside })
}

await weigh()
const world = await World.start({ hosts: 20 }) // room for a thousand
try {
  const page = await world.visitor()
  const cookies = await page.context().cookies()
  const numbers = Array.from({ length: VMS }, (_, n) => n)
  const spec = { run: 'stopped', cpus: 1, memory: 1 << 24, disks: [], nics: [] }
  while (numbers.length > 0)
    await Promise.all(numbers.splice(0, 50).map((n) => world.api(page, 'POST', '/v1/projects/default/vms', { meta: { name: `vm-${n}`, labels: { tier: n % 3 ? 'web' : 'data' } }, spec })))
  await until('all VMs have a node', async () => {
    const { items } = await world.api(page, 'GET', '/v1/projects/default/vms?limit=1000')
    return items.every((vm) => vm.status.state !== 'pending')
  })
  await paint(world, cookies, 'overview', '/p/default', 'main [role=meter]')
  await paint(world, cookies, 'list of VMs', '/p/default/vms', 'tr[data-name]')
  await smooth(world, page, cookies)
} finally {
  await world.end()
}
