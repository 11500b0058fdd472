/**
 * A log file: appended to line by line, rotated when it is full, opened again when another process moved it away.
 */
import { Buffer } from "node:buffer"
import { closeSync, writeSync } from "node:fs"
import * as Either from "effect/Either"
import * as LogFile from "./LogFile.ts"
import { rotate } from "./rotate.ts"
import { code, droppedLines, dropping, type Sink, type SinkOptions } from "./Sink.ts"

/** Where, and how much of it is kept. */
export interface FileOptions extends SinkOptions {
  readonly path: string
  /** A file is rotated before a line that would make it longer. Default: 10 000 000 bytes, as in eduMFA. */
  readonly maxBytes?: number
  /** How many rotated files are kept. Default: 5, as in eduMFA. */
  readonly backups?: number
}

/** Milliseconds between two looks at the path, and between two tries at what failed: system calls, not per line. */
const interval = 5_000

const lineBreaks = (text: string) => text.split("\n").length - 1

/** Opens the file and makes a sink of it; fails when it cannot be opened now, and never later. */
export const make = (options: FileOptions): Either.Either<Sink, LogFile.LogFileError> => {
  const { now, notice, path, maxBytes = 10_000_000, backups = 5, writeBytes = writeSync, alarm } = options

  const makeSink = (opened: LogFile.LogFile): Sink => {
    let file = opened
    let size = opened.size
    let checkedAt = now()
    let dropped = 0
    let failedAt = 0
    let failure = ""
    // A line was written in part: the next one starts with a newline.
    let torn = false
    // What was not written of the last lines, with their last newline.
    let rest: Buffer = Buffer.alloc(0)
    let rotationFailedAt: number | undefined
    let complaint = ""
    let closed = false

    // A clock that was set back must not stop the log.
    const isDue = (since: number) => now() - since >= interval || now() < since

    /** Writes lines in one piece, unless the system takes less; throws as `writeBytes` does. */
    const put = (lines: string) => {
      rest = Buffer.from(torn ? `\n${lines}\n` : `${lines}\n`)
      while (rest.length > 0) {
        const written = writeBytes(file.fd, rest)
        size += written
        rest = rest.subarray(written)
        torn = rest.length > 0
      }
    }

    /** Says in the log, once, what is wrong with it. */
    const complain = (message: string) => {
      if (message === complaint) return
      put(notice(message))
      complaint = message
    }

    const reopen = () => {
      const next = LogFile.open(path)
      if (Either.isLeft(next)) {
        complain(`${next.left.message}; going on in the file that was open`)
        return
      }
      torn = torn && next.right.ino === file.ino && next.right.dev === file.dev
      closeSync(file.fd)
      file = next.right
      size = file.size
      complaint = ""
    }

    /** Another process may have renamed or removed the file, or written to it. */
    const follow = () => {
      checkedAt = now()
      const current = LogFile.sizeAt(path, file)
      if (current === undefined) reopen()
      else size = current
    }

    const isFull = (length: number) => size > 0 && size + length > maxBytes

    const makeRoom = (length: number) => {
      if (rotationFailedAt !== undefined && !isDue(rotationFailedAt)) return
      rotationFailedAt = undefined
      // Another worker on the same file may have rotated it a moment ago.
      follow()
      if (!isFull(length)) return
      try {
        rotate(path, backups)
      } catch (error) {
        rotationFailedAt = now()
        complain(`cannot rotate ${path} (${code(error)}); going on in the same file`)
        return
      }
      reopen()
      if (isFull(length)) rotationFailedAt = now()
    }

    /** All that comes before lines are written. */
    const prepare = (lines: string) => {
      if (dropped > 0) {
        reopen()
        put(notice(droppedLines(dropped, failure)))
        dropped = 0
      }
      if (isDue(checkedAt)) follow()
      const length = Buffer.byteLength(lines) + 1
      if (isFull(length)) makeRoom(length)
    }

    const write = (lines: string) => {
      if (closed) return
      if (dropped > 0 && !isDue(failedAt)) {
        dropped += lineBreaks(lines) + 1
        return
      }
      let begun = false
      try {
        prepare(lines)
        begun = true
        put(lines)
      } catch (error) {
        dropped += begun ? lineBreaks(rest.toString("latin1")) : lineBreaks(lines) + 1
        failedAt = now()
        failure = code(error)
        alarm?.(dropping(path, failure))
      }
    }

    const close = () => {
      if (closed) return
      closed = true
      try {
        if (dropped > 0) put(notice(droppedLines(dropped, failure)))
        closeSync(file.fd)
      } catch {
        // The last word on a log that cannot be written: there is nowhere left to say so.
      }
    }

    return { write, close }
  }

  return Either.map(LogFile.open(path), makeSink)
}
