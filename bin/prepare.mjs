/**
 * Installs what a fresh clone lacks: the npm packages, and with the argument `tests` the programs that the tests need.
 * Plain JavaScript, for it runs before anything is installed.
 */
import { spawnSync } from "node:child_process"
import { existsSync, readFileSync, statSync, utimesSync } from "node:fs"

const root = new URL("../", import.meta.url)

const run = (command, args, environment = process.env) =>
  spawnSync(command, args, { cwd: root, stdio: "inherit", env: environment }).status === 0

const fail = (sentence) => {
  console.error(sentence)
  process.exit(1)
}

const found = (command) => spawnSync(command, ["--version"], { stdio: "ignore" }).status === 0

const [major] = process.versions.node.split(".")
if (Number(major) < 20) fail(`Node 20 or newer is needed, this is ${process.versions.node}.`)

const lock = new URL("package-lock.json", root)
// npm writes this file last: it is there only after a whole installation, and older than a lock file that came later.
const installed = new URL("node_modules/.package-lock.json", root)
if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(lock).mtimeMs) {
  console.log("Installing the npm packages of package-lock.json …")
  // Not "ci": it refuses a lock file that lacks a package of a foreign platform, which some registries do not carry.
  const args = ["install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"]
  if (!run("npm", args)) fail("The npm packages could not be installed.")
  // npm leaves the file as it was where nothing was missing.
  utimesSync(installed, new Date(), new Date())
}

const isDebian = () => {
  try {
    return /^ID(_LIKE)?=.*(debian|ubuntu)/m.test(readFileSync("/etc/os-release", "utf8"))
  } catch {
    return false
  }
}

/** What the tests need beside npm's packages: a server of their own, and the language whose messages are read. */
const needed = [
  { command: "redis-server", what: "A redis-server (6.0 or newer)" },
  { command: "python3", what: "Python 3" }
]

for (const { command, what } of process.argv.includes("tests") ? needed : []) {
  if (found(command)) continue
  const sentence = `${what} is needed on the PATH: install the package ${command}, then try again.`
  if (!isDebian() || process.getuid?.() !== 0) fail(sentence)
  console.log(`Installing the Debian package ${command} by apt …`)
  const quiet = { ...process.env, DEBIAN_FRONTEND: "noninteractive" }
  run("apt-get", ["update", "-qq"], quiet)
  run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", command], quiet)
  if (!found(command)) fail(sentence)
}
