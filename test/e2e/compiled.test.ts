/**
 * The built command starts from its compiled code where there is such, and without it all the same.
 */
import { createHash } from "node:crypto"
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { Script } from "node:vm"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import manifest from "../../package.json" with { type: "json" }
import * as Command from "../services/Command.ts"

const dist = dirname(Command.built)

const cacheOf = (directory: string) =>
  readdirSync(directory).filter((name) => /^command\.[0-9a-f]{16}\.cache$/.test(name))

/** Whether V8 takes the compiled code. */
const isTaken = (directory: string) => {
  const [cache = ""] = cacheOf(directory)
  // Behind it stands its digest.
  const cachedData = readFileSync(join(directory, cache)).subarray(0, -32)
  const script = new Script(readFileSync(join(directory, "command.cjs"), "latin1"), { cachedData })
  return script.cachedDataRejected === false
}

/** What starts the command, elsewhere, with what is done to its compiled code. */
const copy = (change: (cache: string) => void) =>
  Effect.map(Command.directory(), (directory) => {
    const [cache = ""] = cacheOf(dist)
    const names = ["edumfa-queue-huey.cjs", "command.cjs", "compile.cjs", cache]
    for (const name of names) cpSync(join(dist, name), join(directory, name))
    change(join(directory, cache))
    return directory
  })

const node = (cwd: string, ...args: ReadonlyArray<string>) =>
  Effect.scoped(Effect.flatMap(Command.start(process.execPath, args, { cwd }), ({ ended }) => Effect.flatten(ended)))

const works = { code: 0, signal: null, stdout: `${manifest.version}\n`, stderr: "" }

describe("the command's compiled code", () => {
  it("was made by the build, and is taken by this Node", () => {
    expect(cacheOf(dist)).toHaveLength(1)
    expect(isTaken(dist)).toBe(true)
  })

  it.scopedLive.each<readonly [string, (cache: string) => void]>([
    ["whole", () => {}],
    ["missing", (cache) => rmSync(cache)],
    ["empty", (cache) => writeFileSync(cache, "")],
    ["cut", (cache) => writeFileSync(cache, readFileSync(cache).subarray(0, -1_000))],
    [
      "damaged",
      (cache) => {
        const bytes = readFileSync(cache)
        bytes.fill(0xff, bytes.length >> 1, (bytes.length >> 1) + 100)
        writeFileSync(cache, bytes)
      }
    ]
  ])("may be %s", ([, change]) =>
    Effect.gen(function* () {
      const directory = yield* copy(change)
      expect(yield* node(directory, "edumfa-queue-huey.cjs", "--version")).toEqual(works)
    })
  )

  it.scopedLive("is found by a link whose path is to count", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory()
      symlinkSync(Command.built, join(cwd, "linked.cjs"))
      const flags = ["--preserve-symlinks", "--preserve-symlinks-main"]
      expect(yield* node(cwd, ...flags, "linked.cjs", "--version")).toEqual(works)
    })
  )

  /** What another program of the same length was compiled to, which is all that V8 compares. */
  const another = () => {
    const { length } = readFileSync(join(dist, "command.cjs"))
    const script = new Script(`(function(require){require("node:fs").writeSync(1,"another")})`.padEnd(length))
    script.runInThisContext()
    const code = script.createCachedData()
    return Buffer.concat([code, createHash("sha256").update(code).digest()])
  }

  it.scopedLive("is what the command starts from, unless it is of another build", () =>
    Effect.gen(function* () {
      const directory = yield* copy((cache) => writeFileSync(cache, another()))
      const run = node(directory, "edumfa-queue-huey.cjs", "--version")
      expect(yield* run).toEqual({ ...works, stdout: "another" })
      const [cache = ""] = cacheOf(directory)
      renameSync(join(directory, cache), join(directory, `command.${"0".repeat(16)}.cache`))
      expect(yield* run).toEqual(works)
    })
  )

  it.scopedLive("is not run for a source of the same length, nor made of it", () =>
    Effect.gen(function* () {
      const directory = yield* copy(() => {})
      const source = join(directory, "command.cjs")
      const version = manifest.version.replace(/^./, "9")
      writeFileSync(
        source,
        readFileSync(source, "latin1").replaceAll(`"${manifest.version}"`, `"${version}"`),
        "latin1"
      )
      const other = { ...works, stdout: `${version}\n` }
      expect(yield* node(directory, "edumfa-queue-huey.cjs", "--version")).toEqual(other)
      expect(yield* node(directory, "compile.cjs")).toEqual({ ...works, stdout: "" })
      expect(yield* node(directory, "edumfa-queue-huey.cjs", "--version")).toEqual(other)
    })
  )

  it.scopedLive("is made anew where the package is installed, and nothing is said where it cannot be", () =>
    Effect.gen(function* () {
      const directory = yield* copy((cache) => rmSync(cache))
      const { postinstall } = manifest.scripts
      const install = (cwd: string) =>
        Effect.scoped(
          Effect.flatMap(Command.start("sh", ["-c", postinstall], { cwd }), ({ ended }) => Effect.flatten(ended))
        )
      const silent = { code: 0, signal: null, stdout: "", stderr: "" }
      // Not built yet, as in a fresh clone.
      expect(yield* install(directory)).toEqual(silent)
      expect(cacheOf(directory)).toEqual([])
      expect(yield* node(directory, "compile.cjs")).toEqual(silent)
      expect(isTaken(directory)).toBe(true)
      const [cache = ""] = cacheOf(directory)
      rmSync(join(directory, cache))
      // Nothing can take its name.
      mkdirSync(join(directory, cache))
      const before = readdirSync(directory)
      expect(yield* node(directory, "compile.cjs")).toEqual(silent)
      expect(readdirSync(directory)).toEqual(before)
      rmSync(join(directory, "command.cjs"))
      expect(yield* node(directory, "compile.cjs")).toEqual(silent)
    })
  )
})
