/**
 * The command's code as V8 compiled it, kept in a file beside it: a third of what the command takes to start is compiling. V8
 * refuses the file of another version of V8, or of other flags, and one that is damaged is not shown to it; the command then
 * starts as if there were none.
 */
import { createHash } from "node:crypto"
import { readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { setFlagsFromString } from "node:v8"
import { Script } from "node:vm"

/** Node may be told to take the path of a link for that of the file. */
const directory = dirname(realpathSync(__filename))

const beside = (name: string) => join(directory, name)

/** One expression, a function of `require`. */
const sourceFile = "command.cjs"

/** What the build calls itself: the beginning of the digest of its source. */
declare const BUILD: string

/** Of this very build. */
const cacheFile = `command.${BUILD}.cache`

const source = () => readFileSync(beside(sourceFile))

const read = (bytes: Buffer, cachedData?: Buffer) =>
  // It holds nothing but ASCII, and is read fastest like this.
  new Script(bytes.toString("latin1"), { filename: beside(sourceFile), ...(cachedData && { cachedData }) })

/** At the end of the file: V8 trusts what it reads, and would crash on damaged code. */
const digestOf = (code: Buffer) => createHash("sha256").update(code).digest()

/** V8 compares nothing but the length of the source, and would run the code of another one. */
const isOurs = (bytes: Buffer) => digestOf(bytes).toString("hex").startsWith(BUILD)

const digestBytes = 32

const cached = () => {
  try {
    const file = readFileSync(beside(cacheFile))
    const code = file.subarray(0, -digestBytes)
    return digestOf(code).equals(file.subarray(-digestBytes)) ? code : undefined
  } catch {
    return undefined
  }
}

/** Runs the command, from what was compiled before where that can be used. */
export const run = (): void => {
  const bytes = source()
  const script = read(bytes, isOurs(bytes) ? cached() : undefined)
  script.runInThisContext()(require)
}

/** Compiles all functions of the command, and not only those that a start needs, and writes them beside it. */
export const write = (): void => {
  const bytes = source()
  // Installed in part, beside what starts another build.
  if (!isOurs(bytes)) return
  setFlagsFromString("--no-lazy")
  const script = read(bytes)
  // What is written names the flags it was compiled with, and V8 refuses those that are not its own.
  setFlagsFromString("--lazy")
  const file = beside(cacheFile)
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
