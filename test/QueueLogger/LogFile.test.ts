import { execFileSync } from "node:child_process"
import {
  chmodSync,
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import { LogFileError, open, sizeAt } from "../../src/QueueLogger/LogFile.ts"

let dir = ""
beforeEach(() => {
  dir = mkdtempSync(join(realpathSync(tmpdir()), "log-file-"))
})
afterEach(() => rmSync(dir, { recursive: true }))

const refusal = (path: string) =>
  Either.match(open(path), { onLeft: (error) => `${error.reason}: ${error.message}`, onRight: () => "opened" })

describe("open", () => {
  it("creates a file with mode 0640 and appends to it", () => {
    const path = join(dir, "a.log")
    const file = Either.getOrThrow(open(path))
    expect((statSync(path).mode & 0o777) | 0o040).toBe(0o640)
    expect(file.size).toBe(0)
    writeSync(file.fd, "one\n")
    closeSync(file.fd)
    const again = Either.getOrThrow(open(path))
    expect(again.size).toBe(4)
    writeFileSync(path, "")
    writeSync(again.fd, "two\n")
    closeSync(again.fd)
    expect(readFileSync(path, "utf8")).toBe("two\n")
  })

  it("leaves the mode of a file that is there", () => {
    const path = join(dir, "a.log")
    writeFileSync(path, "")
    chmodSync(path, 0o604)
    closeSync(Either.getOrThrow(open(path)).fd)
    expect(statSync(path).mode & 0o777).toBe(0o604)
  })

  it("refuses a symbolic link, also one to nowhere, and leaves its target alone", () => {
    const target = join(dir, "target")
    writeFileSync(target, "kept")
    symlinkSync(target, join(dir, "link"))
    symlinkSync(join(dir, "nowhere"), join(dir, "dangling"))
    expect(refusal(join(dir, "link"))).toBe(
      `Symlink: cannot log to ${dir}/link: it is a symbolic link; name the file it points to, or write -l - to log to stdout`
    )
    expect(refusal(join(dir, "dangling"))).toMatch(/^Symlink: /)
    expect(readFileSync(target, "utf8")).toBe("kept")
    expect(statSync(join(dir, "nowhere"), { throwIfNoEntry: false })).toBe(undefined)
  })

  it("refuses a FIFO without waiting for a reader, and one that has a reader", () => {
    const path = join(dir, "fifo")
    execFileSync("mkfifo", [path])
    const expected = `NotAFile: cannot log to ${path}: it is not a regular file; name a file, or write -l - to log to stdout`
    expect(refusal(path)).toBe(expected)
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    expect(refusal(path)).toBe(expected)
    closeSync(reader)
  })

  it("refuses devices and directories", () => {
    expect(refusal("/dev/full")).toMatch(/^NotAFile: cannot log to \/dev\/full: /)
    expect(refusal("/dev/null")).toMatch(/^NotAFile: cannot log to \/dev\/null: /)
    expect(refusal(dir)).toMatch(/^NotAFile: /)
  })

  it("refuses a path without a directory", () => {
    expect(refusal(join(dir, "none", "a.log"))).toBe(
      `MissingDirectory: cannot log to ${dir}/none/a.log: there is no directory ${dir}/none; create it, or name another file with -l`
    )
    writeFileSync(join(dir, "file"), "")
    expect(refusal(join(dir, "file", "a.log"))).toMatch(/^MissingDirectory: /)
  })

  it("refuses a directory where everybody may replace files", () => {
    chmodSync(dir, 0o777)
    expect(refusal(join(dir, "a.log"))).toBe(
      `UnsafeDirectory: cannot log to ${dir}/a.log: anybody may replace files in ${dir}; take that away with chmod o-w ${dir}, or name another file with -l`
    )
    expect(statSync(join(dir, "a.log"), { throwIfNoEntry: false })).toBe(undefined)
    chmodSync(dir, 0o1777)
    expect(refusal(join(dir, "a.log"))).toBe("opened")
    chmodSync(dir, 0o770)
    expect(refusal(join(dir, "a.log"))).toBe("opened")
  })

  it("says what the system says where it knows no better", () => {
    expect(refusal(join(dir, "x".repeat(300)))).toBe(
      `Unwritable: cannot log to ${dir}/${"x".repeat(300)}: ENAMETOOLONG; mend that, or name another file with -l`
    )
    expect(refusal("/proc/self/status.log")).toMatch(/: cannot log to \/proc\/self\/status\.log: /)
  })

  it("keeps its message on one line", () => {
    const error = new LogFileError({ reason: "Permission", path: "/a\nb/c", cause: { code: "EACCES" } })
    expect(error.message).toBe(
      "cannot log to /a\\nb/c: permission denied (EACCES); let the user of this process write there, or name another file with -l"
    )
  })
})

describe("sizeAt", () => {
  it("knows a file that was renamed, removed or replaced", () => {
    const path = join(dir, "a.log")
    const file = Either.getOrThrow(open(path))
    writeSync(file.fd, "one\n")
    expect(sizeAt(path, file)).toBe(4)
    renameSync(path, join(dir, "b.log"))
    expect(sizeAt(path, file)).toBe(undefined)
    symlinkSync(join(dir, "b.log"), path)
    expect(sizeAt(path, file)).toBe(undefined)
    rmSync(path)
    writeFileSync(path, "")
    expect(sizeAt(path, file)).toBe(undefined)
    mkdirSync(join(dir, "below"))
    expect(sizeAt(join(path, "below"), file)).toBe(undefined)
    closeSync(file.fd)
  })
})
