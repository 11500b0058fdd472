/**
 * The command's code as V8 compiled it, kept in a file beside it: a third of what the command takes to start is compiling. V8
 * refuses the file of another version of V8, or of other flags, and one that is damaged is not shown to it; the command then
 * starts as if there were none.
 */
import { createHash } from "node:crypto"
import { readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { setFlagsFromString } from "node:v8"
import { Script } from "node:vm"

/** Node may be told to take the path of a link for that of the file. */
const directory = dirname(realpathSync(fileURLToPath(import.meta.url)))

const beside = (name: string) => join(directory, name)

/** One expression, a function of `require`. */
const sourceFile = "command.cjs"

/** Of the very build that the name tells. */
const cacheFile = (build: string) => `command.${build}.cache`

const source = () => readFileSync(beside(sourceFile))

const read = (bytes: Buffer, cachedData?: Buffer) =>
  // It holds nothing but ASCII, and is read fastest like this.
  new Script(bytes.toString("latin1"), { filename: beside(sourceFile), ...(cachedData && { cachedData }) })

/** At the end of the file: V8 trusts what it reads, and would crash on damaged code. */
const digestOf = (code: Buffer) => createHash("sha256").update(code).digest()

/** V8 compares nothing but the length of the source, and would run the code of another one. */
const isOf = (bytes: Buffer, build: string) => digestOf(bytes).toString("hex").startsWith(build)

const digestBytes = 32

const cached = (build: string) => {
  try {
    const file = readFileSync(beside(cacheFile(build)))
    const code = file.subarray(0, -digestBytes)
    return digestOf(code).equals(file.subarray(-digestBytes)) ? code : undefined
  } catch {
    return undefined
  }
}

/** The command, from what was compiled before where that can be used. */
export const load = (build: string): Script => {
  const bytes = source()
  return read(bytes, isOf(bytes, build) ? cached(build) : undefined)
}

export const run = (script: Script): void => script.runInThisContext()(createRequire(import.meta.url))

/** Compiles all functions of the command, and not only those that a start needs, and writes them beside it. */
export const write = (build: string): void => {
  const bytes = source()
  // Installed in part, beside what starts another build.
  if (!isOf(bytes, build)) return
  setFlagsFromString("--no-lazy")
  const script = read(bytes)
  // What is written names the flags it was compiled with, and V8 refuses those that are not its own.
  setFlagsFromString("--lazy")
  const file = beside(cacheFile(build))
  const unfinished = `${file}.${process.pid}`
  const code = script.createCachedData()
  try {
    writeFileSync(unfinished, Buffer.concat([code, digestOf(code)]))
    renameSync(unfinished, file)
  } finally {
    // Where it could not be written, as on a full disk, nothing is left of it.
    rmSync(unfinished, { force: true })
  }
}
