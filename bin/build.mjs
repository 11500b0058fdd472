/**
 * Builds the package into dist: the library, the command as one file, and what starts it.
 */
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { chmodSync, readFileSync, rmSync } from "node:fs"
import { build } from "esbuild"
import { writeLicenses } from "./licenses.mjs"
import { unused } from "./unused.mjs"

/** CommonJS, as what it starts: for a module of the newer kind Node starts a second loader, at each start. */
const command = "dist/edumfa-queue-huey.cjs"

const run = (...args) => {
  const { status } = spawnSync(process.execPath, args, { stdio: "inherit" })
  if (status !== 0) process.exit(1)
}

const bundle = (entry, outfile, options) =>
  build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    minifyWhitespace: true,
    minifySyntax: true,
    platform: "node",
    target: "node20",
    format: "cjs",
    logLevel: "warning",
    ...options
  })

rmSync("dist", { recursive: true, force: true })
run("node_modules/typescript/bin/tsc", "-p", "src")

const { metafile } = await bundle("bin/command.ts", "dist/command.cjs", {
  metafile: true,
  plugins: [unused],
  banner: { js: "(function(require){" },
  footer: { js: "})" }
})
writeLicenses(Object.keys(metafile.inputs), "dist/LICENSES.txt")

const code = readFileSync("dist/command.cjs")
// It is read as Latin-1: esbuild escapes all else but what stands in regular expressions and in comments on licenses.
if (code.some((byte) => byte > 0x7f)) throw new Error("dist/command.cjs is not ASCII")

const digest = createHash("sha256").update(code).digest("hex").slice(0, 16)
const define = { BUILD: JSON.stringify(digest) }
await bundle("bin/edumfa-queue-huey.ts", command, { define, banner: { js: "#!/usr/bin/env node" } })
await bundle("bin/compile.ts", "dist/compile.cjs", { define })
chmodSync(command, 0o755)
run("dist/compile.cjs")
