// Build, development server and unit tests of the console.
// Leaves a second copy of every text file beside it as .br and .gz, for a server that sends them as they are.
import { promises as fs } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import zlib from 'node:zlib'
import tailwind from '@tailwindcss/vite'
import react from '@vitejs/plugin-react'
import type { Plugin } from 'vite'
import { defineConfig } from 'vitest/config'

const api = process.env.NOVACRON_API ?? 'http://127.0.0.1:7600'

export default defineConfig({
  plugins: [react(), tailwind(), precompress()],
  build: {
    target: 'es2023',
    assetsInlineLimit: 0, // the content security policy allows no data: URLs for scripts and styles
    chunkSizeWarningLimit: 500,
  },
  server: {
    proxy: {
      '/v1': { target: api, ws: true },
      '/graphql': { target: api, ws: true },
    },
  },
  test: { include: ['src/**/*.test.ts'] },
})

/** Compresses the text files of the build. */
function precompress(): Plugin {
  const text = /\.(js|css|html|svg|json)$/
  const brotli = promisify(zlib.brotliCompress)
  const gzip = promisify(zlib.gzip)
  return {
    name: 'precompress',
    apply: 'build',
    async writeBundle(options) {
      const root = options.dir ?? 'dist'
      const files = await fs.readdir(root, { recursive: true })
      for (const file of files.filter((name) => text.test(name))) {
        const full = path.join(root, file)
        const content = await fs.readFile(full)
        await fs.writeFile(`${full}.br`, await brotli(content))
        await fs.writeFile(`${full}.gz`, await gzip(content, { level: 9 }))
      }
    },
  }
}
