// A server of its own and a browser for each spec file: started on a port of its own with its data in a
// temporary folder, ended by process id. Whatever the page complains about on its console, the content
// security policy included, fails the test that is under way.
import assert from 'node:assert/strict'
import { spawn, execFile } from 'node:child_process'
import { mkdtemp, rm, mkdir, open, readFile, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { chromium } from 'playwright-core'

const run = promisify(execFile)
export const PATIENCE_MS = 60_000

const BROWSER = process.env.CHROMIUM ?? '/usr/bin/chromium'
const BROWSER_FLAGS = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
]

export class World {
  complaints = []
  /** Complaints that a test brings about on purpose. */
  expected = []

  /** `hosts`: how many are simulated; 0 runs real guests. `catalogue`: the text of another one. */
  static async start({ hosts = 3, catalogue } = {}) {
    const world = new World()
    world.bin = process.env.NOVACRON_BIN
    assert.ok(world.bin, 'NOVACRON_BIN must name the binary')
    world.hosts = hosts
    world.data = await mkdtemp(path.join(os.tmpdir(), 'novacron-console-'))
    if (catalogue) {
      world.settings = path.join(world.data, 'novacron.toml')
      const file = path.join(world.data, 'catalogue.toml')
      await writeFile(file, catalogue)
      await writeFile(world.settings, `[images]\ncatalogue = "${file}"\n`)
    }
    await world.startServer()
    world.browser = await chromium.launch({ executablePath: BROWSER, args: BROWSER_FLAGS })
    return world
  }

  async startServer() {
    // A port of its own the first time; after that the one that the pages know.
    const listen = this.base ? new URL(this.base).host : '127.0.0.1:0'
    const args = ['server', '--data-dir', this.data, '--listen', listen]
    if (this.hosts > 0) args.push('--sim', String(this.hosts))
    if (this.settings) args.push('--config', this.settings)
    const file = path.join(this.data, 'server.log')
    const log = await open(file, 'w')
    this.server = spawn(this.bin, args, { stdio: ['ignore', log.fd, log.fd] })
    this.ended = new Promise((resolve) => this.server.once('exit', resolve))
    await log.close()
    await until('the server is ready', async () => {
      const said = await readFile(file, 'utf8')
      assert.equal(this.server.exitCode, null, `the server ended: ${said}`)
      this.base = /NovaCron is at (http:\S+)/.exec(said)?.[1] ?? this.base
      return this.base !== undefined && (await fetch(`${this.base}/readyz`)).ok
    })
  }

  async stopServer(signal = 'SIGTERM') {
    this.server.kill(signal)
    await this.ended
  }

  async cli(...args) {
    const { stdout } = await run(this.bin, ['--data-dir', this.data, ...args])
    return stdout
  }

  async signInLink() {
    const link = /https?:\/\/\S+#\S+/.exec(await this.cli('web'))?.[0]
    assert.ok(link, '`novacron web` printed no link')
    return link
  }

  /** A browser of its own, signed in unless said otherwise. */
  async visitor({ signedIn = true, ...options } = {}) {
    const context = await this.browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce', ...options })
    context.setDefaultTimeout(PATIENCE_MS)
    const page = await context.newPage()
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) this.complaints.push(message.text())
    })
    page.on('pageerror', (error) => this.complaints.push(String(error)))
    if (signedIn) {
      await page.goto(await this.signInLink())
      await page.waitForURL('**/p/default')
    }
    return page
  }

  /** Calls the API with the rights of a page's session. */
  async api(page, method, url, body) {
    const headers = { origin: this.base }
    const response = await page.request.fetch(this.base + url, { method, headers, ...(body !== undefined && { data: body }) })
    assert.ok(response.ok(), `${method} ${url}: ${response.status()} ${await response.text()}`)
    const text = await response.text()
    return text ? JSON.parse(text) : undefined
  }

  /** An image that is ready, made through the API. */
  async image(page, name = 'tiny') {
    const project = '/v1/projects/default'
    await this.api(page, 'POST', `${project}/images`, { meta: { name }, spec: { source: { upload: {} }, os: 'Tiny 1' } })
    await until('the image has a node', async () => (await this.api(page, 'GET', `${project}/images/${name}`)).status.location)
    await this.api(page, 'PUT', `${project}/images/${name}/content`, diskContent())
    await until('the image is ready', async () => {
      const { status } = await this.api(page, 'GET', `${project}/images/${name}`)
      assert.notEqual(status.state, 'failed', status.reason)
      return status.state === 'ready'
    })
  }

  /** Fails if a page complained of anything that no test meant it to. */
  checkComplaints() {
    const unexpected = this.complaints.filter((text) => !this.expected.some((pattern) => pattern.test(text)))
    this.complaints = []
    this.expected = []
    assert.deepEqual(unexpected, [])
  }

  async end() {
    await this.browser?.close()
    if (this.server && this.server.exitCode === null) {
      this.server.kill('SIGTERM')
      await Promise.race([this.ended, new Promise((resolve) => setTimeout(resolve, 10_000).unref())])
      if (this.server.exitCode === null) this.server.kill('SIGKILL')
    }
    await rm(this.data, { recursive: true, force: true })
  }
}

/** A raw disk of one MiB with a boot sector's mark. */
export function diskContent() {
  const disk = Buffer.alloc(1 << 20)
  disk.writeUInt16LE(0xaa55, 510)
  return disk
}

/** Asks until it holds; failures of the question itself count as "not yet". */
export async function until(what, holds, patience = PATIENCE_MS) {
  const deadline = Date.now() + patience
  let last
  while (Date.now() < deadline) {
    try {
      if (await holds()) return
      last = undefined
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error
      last = error
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`not within ${patience} ms: ${what}${last ? ` (${last.message})` : ''}`)
}

/** Keeps a picture of the page when NOVACRON_SHOTS names a folder. */
export async function picture(page, name) {
  const folder = process.env.NOVACRON_SHOTS
  if (!folder) return
  await mkdir(folder, { recursive: true })
  await page.screenshot({ path: path.join(folder, `${name}.png`) })
}
