import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as File from "../../src/QueueLogger/File.ts"

let dir = ""
let path = ""
let time = 0
beforeEach(() => {
  dir = mkdtempSync(join(realpathSync(tmpdir()), "log-"))
  path = join(dir, "a.log")
  time = 1_000_000
})
afterEach(() => rmSync(dir, { recursive: true }))

const make = (options: Partial<File.FileOptions> = {}) =>
  Either.getOrThrow(File.make({ path, now: () => time, notice: (message) => `! ${message}`, ...options }))

const read = (name: string) => readFileSync(join(dir, name), "utf8")
const files = () => Object.fromEntries(readdirSync(dir).map((name) => [name, read(name)]))

describe("a log file", () => {
  it("gets each line in one write", () => {
    const writes: Array<string> = []
    const sink = make({
      writeBytes: (fd, bytes) => {
        writes.push(new TextDecoder().decode(bytes))
        return writeSync(fd, bytes)
      }
    })
    sink.write("one")
    sink.write("zwölf")
    expect(writes).toEqual(["one\n", "zwölf\n"])
    expect(read("a.log")).toBe("one\nzwölf\n")
    sink.close()
  })

  it("is appended to", () => {
    writeFileSync(path, "before\n")
    const sink = make()
    sink.write("after")
    sink.close()
    expect(read("a.log")).toBe("before\nafter\n")
  })

  it("gets nothing after its end, nor does whoever has its descriptor by then", () => {
    const sink = make()
    sink.close()
    const other = openSync(join(dir, "other"), "w")
    sink.write("late")
    sink.close()
    expect(writeSync(other, "still open")).toBe(10)
    closeSync(other)
    expect(files()).toEqual({ "a.log": "", other: "still open" })
  })

  it("is not there for a sink that cannot be made", () => {
    const failed = File.make({ path: join(dir, "none", "a.log"), now: () => time, notice: (message) => message })
    expect(Either.mapLeft(failed, (error) => error.reason)).toEqual(Either.left("MissingDirectory"))
  })
})

describe("several lines at once", () => {
  it("are counted each, where none or only some of them can be written", () => {
    let room = 0
    const sink = make({
      writeBytes: (fd, bytes) => {
        if (room === 0) throw Object.assign(new Error("full"), { code: "ENOSPC" })
        const written = writeSync(fd, bytes.subarray(0, room))
        room -= written
        return written
      }
    })
    sink.write("one\ntwo")
    sink.write("three\nfour\nfive")
    time += 5_000
    // The notice, and the first of two lines.
    room = Buffer.byteLength("! 5 lines dropped (ENOSPC)\nsix\n")
    sink.write("six\nseven")
    time += 5_000
    room = 1_000
    sink.write("eight")
    sink.close()
    expect(read("a.log")).toBe("! 5 lines dropped (ENOSPC)\nsix\n\n! 1 line dropped (ENOSPC)\neight\n")
  })
})

describe("rotation", () => {
  it("happens before the line that would not fit, and keeps the newest files", () => {
    const sink = make({ maxBytes: 8, backups: 3 })
    for (let number = 1; number <= 10; number += 1) sink.write(`n${String(number).padStart(2, "0")}`)
    sink.close()
    expect(files()).toEqual({
      "a.log": "n09\nn10\n",
      "a.log.1": "n07\nn08\n",
      "a.log.2": "n05\nn06\n",
      "a.log.3": "n03\nn04\n"
    })
  })

  it("is at 10 000 000 bytes with 5 files unless told otherwise", () => {
    for (const number of [1, 2, 3, 4, 5]) writeFileSync(`${path}.${number}`, `${number}`)
    writeFileSync(path, "x".repeat(9_999_996))
    const sink = make()
    sink.write("one")
    expect(statSync(path).size).toBe(10_000_000)
    expect(read("a.log.1")).toBe("1")
    sink.write("two")
    sink.close()
    expect(read("a.log")).toBe("two\n")
    expect(statSync(`${path}.1`).size).toBe(10_000_000)
    expect([2, 3, 4, 5].map((number) => read(`a.log.${number}`))).toEqual(["1", "2", "3", "4"])
    expect(readdirSync(dir)).toHaveLength(6)
  })

  it("counts bytes, and what was there before", () => {
    writeFileSync(path, "1234\n")
    const sink = make({ maxBytes: 8 })
    sink.write("öö")
    sink.close()
    expect(files()).toEqual({ "a.log": "öö\n", "a.log.1": "1234\n" })
  })

  it("never leaves an empty file behind", () => {
    const sink = make({ maxBytes: 4 })
    sink.write("longer than a file")
    sink.write("again")
    sink.close()
    expect(files()).toEqual({ "a.log": "again\n", "a.log.1": "longer than a file\n" })
  })

  it("counts what another process wrote, and does not rotate what it rotated", () => {
    const sink = make({ maxBytes: 8 })
    sink.write("one")
    const other = make({ maxBytes: 8 })
    other.write("two")
    time += 5_000
    sink.write("3")
    other.write("4")
    sink.close()
    other.close()
    expect(files()).toEqual({ "a.log": "3\n4\n", "a.log.1": "one\ntwo\n" })
  })

  it("that fails leaves the log where it is, says so once, and is tried again", () => {
    for (const number of [1, 2, 3, 4]) writeFileSync(`${path}.${number}`, `${number}`)
    mkdirSync(`${path}.5`)
    const sink = make({ maxBytes: 8 })
    for (const line of ["one", "two", "three", "four"]) sink.write(line)
    const complaint = `! cannot rotate ${path} (EISDIR); going on in the same file\n`
    expect(read("a.log")).toBe(`one\ntwo\n${complaint}three\nfour\n`)
    time += 5_000
    sink.write("five")
    expect(read("a.log")).toBe(`one\ntwo\n${complaint}three\nfour\nfive\n`)
    rmSync(`${path}.5`, { recursive: true })
    time += 4_999
    sink.write("six")
    expect(existsSync(`${path}.5`)).toBe(false)
    time += 1
    sink.write("seven")
    sink.close()
    expect(files()).toEqual({
      "a.log": "seven\n",
      "a.log.1": `one\ntwo\n${complaint}three\nfour\nfive\nsix\n`,
      "a.log.2": "1",
      "a.log.3": "2",
      "a.log.4": "3",
      "a.log.5": "4"
    })
  })

  it("does not follow a link that stands where a rotated file goes", () => {
    writeFileSync(join(dir, "victim"), "kept")
    symlinkSync(join(dir, "victim"), `${path}.1`)
    const sink = make({ maxBytes: 4, backups: 1 })
    sink.write("one")
    sink.write("two")
    sink.close()
    expect(files()).toEqual({ "a.log": "two\n", "a.log.1": "one\n", victim: "kept" })
  })
})

describe("a file that another process moved", () => {
  it("is opened anew within five seconds", () => {
    const sink = make()
    sink.write("one")
    renameSync(path, join(dir, "moved"))
    time += 4_999
    sink.write("two")
    time += 1
    sink.write("three")
    rmSync(path)
    time += 5_000
    sink.write("four")
    sink.close()
    expect(files()).toEqual({ moved: "one\ntwo\n", "a.log": "four\n" })
  })

  it("is opened anew when the clock was set back", () => {
    const sink = make()
    renameSync(path, join(dir, "moved"))
    time -= 3_600_000
    sink.write("one")
    sink.close()
    expect(files()).toEqual({ moved: "", "a.log": "one\n" })
  })

  it("goes on where it was while the path cannot be opened, and says so once", () => {
    const below = join(dir, "below")
    mkdirSync(below)
    const sink = make({ path: join(below, "a.log") })
    sink.write("one")
    renameSync(below, join(dir, "moved"))
    for (const line of ["two", "three"]) {
      time += 5_000
      sink.write(line)
    }
    expect(read("moved/a.log")).toBe(
      `one\n! cannot log to ${below}/a.log: there is no directory ${below}; create it, or name another file with -l; going on in the file that was open\ntwo\nthree\n`
    )
    mkdirSync(below)
    time += 5_000
    sink.write("four")
    sink.close()
    expect(read("below/a.log")).toBe("four\n")
  })

  it("is not replaced by a link", () => {
    const sink = make()
    sink.write("one")
    renameSync(path, join(dir, "moved"))
    writeFileSync(join(dir, "victim"), "kept")
    symlinkSync(join(dir, "victim"), path)
    time += 5_000
    sink.write("two")
    sink.close()
    expect(read("victim")).toBe("kept")
    expect(read("moved").split("\n").at(-2)).toBe("two")
  })

  it("keeps its lines when it is truncated", () => {
    const sink = make()
    sink.write("one")
    truncateSync(path)
    sink.write("two")
    sink.close()
    expect(read("a.log")).toBe("two\n")
  })
})

describe("a file that cannot be written", () => {
  const full = () => {
    throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" })
  }

  it("costs lines, never throws, is tried every five seconds, and says how many were lost", () => {
    let broken = false
    let tries = 0
    const sink = make({
      writeBytes: (fd, bytes) => {
        tries += 1
        return broken ? full() : writeSync(fd, bytes)
      }
    })
    sink.write("one")
    broken = true
    for (let count = 0; count < 100; count += 1) sink.write("lost")
    expect(tries).toBe(2)
    time += 5_000
    sink.write("lost")
    sink.write("lost")
    expect(tries).toBe(3)
    broken = false
    time += 4_999
    sink.write("lost")
    time += 1
    sink.write("two")
    sink.write("three")
    sink.close()
    expect(read("a.log")).toBe("one\n! 103 lines dropped (ENOSPC)\ntwo\nthree\n")
  })

  it("starts a new line after one that was written in part", () => {
    let room = 1_000
    const sink = make({
      writeBytes: (fd, bytes) => {
        if (room === 0) return full()
        const written = writeSync(fd, bytes.subarray(0, room))
        room -= written
        return written
      }
    })
    sink.write("one")
    room = 5
    sink.write("interrupted")
    time += 5_000
    room = 1_000
    sink.write("two")
    sink.close()
    expect(read("a.log")).toBe("one\ninter\n! 1 line dropped (ENOSPC)\ntwo\n")
  })

  it("finishes a line that the system took in two pieces", () => {
    const sink = make({ writeBytes: (fd, bytes) => writeSync(fd, bytes.subarray(0, 4)) })
    sink.write("one two three")
    sink.write("four")
    sink.close()
    expect(read("a.log")).toBe("one two three\nfour\n")
  })

  it("is replaced by a new one when it can be opened by then", () => {
    let broken = true
    const sink = make({ writeBytes: (fd, bytes) => (broken ? full() : writeSync(fd, bytes)) })
    sink.write("lost")
    rmSync(path)
    broken = false
    time += 5_000
    sink.write("two")
    sink.close()
    expect(read("a.log")).toBe("! 1 line dropped (ENOSPC)\ntwo\n")
  })

  it("is told at the end how many lines are missing", () => {
    let broken = true
    const sink = make({ writeBytes: (fd, bytes) => (broken ? full() : writeSync(fd, bytes)) })
    sink.write("lost")
    broken = false
    sink.close()
    expect(read("a.log")).toBe("! 1 line dropped (ENOSPC)\n")
    const never = make({ path: join(dir, "b.log"), writeBytes: full })
    never.write("lost")
    never.close()
    expect(read("b.log")).toBe("")
  })

  it("outlives its directory becoming unsafe", () => {
    const sink = make()
    sink.write("one")
    chmodSync(dir, 0o777)
    time += 5_000
    sink.write("two")
    sink.close()
    expect(read("a.log")).toBe("one\ntwo\n")
  })
})
