// Signing in and out.
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { World } from './world.mjs'

let world
before(async () => (world = await World.start({ hosts: 1 })))
after(() => world?.end())
afterEach(() => world.checkComplaints())

const UNAUTHENTICATED = /status of 401/

test('without a session every page leads to the sign-in, which says what to type', async () => {
  world.expected = [UNAUTHENTICATED]
  const page = await world.visitor({ signedIn: false })
  await page.goto(`${world.base}/p/default/vms`)
  await page.waitForURL('**/signin')
  await page.getByText('novacron web').waitFor()
  await page.context().close()
})

test('a link signs in once and leaves no code in the address bar', async () => {
  world.expected = [UNAUTHENTICATED]
  const link = await world.signInLink()
  const page = await world.visitor({ signedIn: false })
  await page.goto(link)
  await page.getByRole('heading', { name: 'Overview' }).waitFor()
  assert.ok(!page.url().includes('code'), page.url())
  await page.goBack().catch(() => undefined)
  assert.ok(!page.url().includes('code='), 'the history keeps the code')

  const other = await world.visitor({ signedIn: false })
  await other.goto(link)
  await other.getByRole('alert').waitFor()
  assert.ok(other.url().endsWith('/signin'), other.url())
  await page.context().close()
  await other.context().close()
})

test('signing out ends the session', async () => {
  world.expected = [UNAUTHENTICATED]
  const page = await world.visitor()
  await page.getByRole('button', { name: /^User/ }).click()
  await page.getByRole('menuitem', { name: 'Sign out' }).click()
  await page.waitForURL('**/signin*')
  await page.goto(`${world.base}/p/default`)
  await page.waitForURL('**/signin*')
  await page.context().close()
})
