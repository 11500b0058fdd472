/**
 * A log on stdout or stderr. A reader that is slow or gone costs lines, never time.
 */
import { Buffer } from "node:buffer"
import { closeSync, constants, fstatSync, openSync, writeSync } from "node:fs"
import { code, droppedLines, dropping, type Sink, type SinkOptions } from "./Sink.ts"

/** Which stream. */
export interface StreamOptions extends SinkOptions {
  /** 1 is stdout, 2 is stderr. */
  readonly fd: number
}

/**
 * Opens a pipe or a terminal once more without waiting: setting that on the inherited descriptor would change it for
 * every process that shares it. Where it cannot be opened (a socket, as journald gives; a pipe of another user), and for
 * regular files, the descriptor itself serves.
 */
const withoutWaiting = (fd: number): number => {
  try {
    const stats = fstatSync(fd)
    if (!stats.isFIFO() && !stats.isCharacterDevice()) return fd
    return openSync(`/dev/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
  } catch {
    return fd
  }
}

/** Makes a sink of an open descriptor, which stays open when the sink is closed. */
export const make = (options: StreamOptions): Sink => {
  const { alarm, notice, writeBytes = writeSync } = options
  const fd = withoutWaiting(options.fd)
  // The end of a line that a full pipe took in part.
  let rest: Uint8Array = new Uint8Array(0)
  let dropped = 0
  let failure = ""
  let closed = false

  /** Writes what is begun to its end; throws as `writeBytes` does. */
  const flush = () => {
    while (rest.length > 0) rest = rest.subarray(writeBytes(fd, rest))
  }

  /** Throws only when nothing of the line was written, or nothing will ever be. */
  const put = (line: string) => {
    flush()
    const bytes = Buffer.from(`${line}\n`)
    rest = bytes
    try {
      flush()
    } catch (error) {
      if (code(error) === "EAGAIN" && rest.length < bytes.length) return
      rest = new Uint8Array(0)
      throw error
    }
  }

  const write = (line: string) => {
    if (closed) return
    try {
      if (dropped > 0) {
        put(notice(droppedLines(dropped, failure)))
        dropped = 0
      }
      put(line)
    } catch (error) {
      dropped += 1
      failure = code(error)
      alarm?.(dropping(`on descriptor ${options.fd}`, failure))
    }
  }

  const close = () => {
    if (closed) return
    closed = true
    try {
      flush()
      if (dropped > 0) put(notice(droppedLines(dropped, failure)))
    } catch {
      // Nobody reads any more: there is nowhere left to say so.
    }
    if (fd !== options.fd) closeSync(fd)
  }

  return { write, close }
}
