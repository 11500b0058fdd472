import { Buffer } from "node:buffer"
import { execFileSync } from "node:child_process"
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "@effect/vitest"
import * as Stream from "../../src/QueueLogger/Stream.ts"

let dir = ""
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "log-stream-"))
})
afterEach(() => rmSync(dir, { recursive: true }))

/** A pipe whose writing end waits, as one that a process inherits does. */
const pipe = () => {
  const path = join(dir, "pipe")
  execFileSync("mkfifo", [path])
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  return { reader, writer: openSync(path, constants.O_WRONLY) }
}

const notice = (message: string) => `! ${message}`

/** Reads what there is. */
const drain = (reader: number): string => {
  const parts: Array<Buffer> = []
  const buffer = Buffer.alloc(65_536)
  for (;;) {
    try {
      const count = readSync(reader, buffer)
      if (count === 0) break
      parts.push(Buffer.from(buffer.subarray(0, count)))
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "EAGAIN") break
      throw error
    }
  }
  return Buffer.concat(parts).toString()
}

describe("a stream", () => {
  it("gets the lines", () => {
    const { reader, writer } = pipe()
    const sink = Stream.make({ fd: writer, now: () => 0, notice })
    sink.write("one")
    sink.write("zwölf")
    sink.close()
    sink.write("late")
    expect(drain(reader)).toBe("one\nzwölf\n")
    // The descriptor is not the sink's to close.
    expect(writeSync(writer, "still open")).toBe(10)
    closeSync(writer)
    closeSync(reader)
  })

  it("drops lines instead of waiting for a slow reader, never a part of one, and says how many", () => {
    const { reader, writer } = pipe()
    const sink = Stream.make({ fd: writer, now: () => 0, notice })
    // More than PIPE_BUF: the kernel takes such a line in part.
    const long = "x".repeat(9_999)
    for (let count = 0; count < 10; count += 1) sink.write(long)
    const first = drain(reader)
    // Six lines and a part of the seventh.
    expect(first.length).toBeGreaterThan(60_000)
    expect(first.length).toBeLessThan(70_000)
    sink.write("after")
    const whole = (first + drain(reader)).split("\n")
    expect(whole).toEqual([...Array.from({ length: 7 }, () => long), "! 3 lines dropped (EAGAIN)", "after", ""])
    sink.close()
    closeSync(writer)
    closeSync(reader)
  })

  it("outlives its reader", () => {
    const { reader, writer } = pipe()
    const sink = Stream.make({ fd: writer, now: () => 0, notice })
    closeSync(reader)
    sink.write("one")
    sink.write("two")
    const second = openSync(join(dir, "pipe"), constants.O_RDONLY | constants.O_NONBLOCK)
    sink.write("three")
    sink.close()
    expect(drain(second)).toBe("! 2 lines dropped (EPIPE)\nthree\n")
    closeSync(writer)
    closeSync(second)
  })

  it("appends to a file that it was redirected to", () => {
    const path = join(dir, "out")
    const fd = openSync(path, "w")
    writeSync(fd, "before\n")
    const sink = Stream.make({ fd, now: () => 0, notice })
    sink.write("one")
    sink.close()
    closeSync(fd)
    expect(readFileSync(path, "utf8")).toBe("before\none\n")
  })

  it("drops lines on a full device", () => {
    const fd = openSync("/dev/full", "w")
    const sink = Stream.make({ fd, now: () => 0, notice })
    let tries = 0
    const counting = Stream.make({
      fd,
      now: () => 0,
      notice,
      writeBytes: (to, bytes) => {
        tries += 1
        return writeSync(to, bytes)
      }
    })
    sink.write("one")
    counting.write("one")
    counting.write("two")
    sink.close()
    counting.close()
    closeSync(fd)
    // One for each line, one for the number of lost lines at the end.
    expect(tries).toBe(3)
  })
})
