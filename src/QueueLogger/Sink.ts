/**
 * Where the lines of a log go.
 */
import * as Predicate from "effect/Predicate"

/**
 * `write` takes a line, or several with newlines between, without the last newline. Neither throws: a log that cannot be
 * written stops no mail. What comes after `close` goes nowhere: the number of the descriptor may be that of a connection by
 * then.
 */
export interface Sink {
  readonly write: (lines: string) => void
  readonly close: () => void
}

/** What every sink is made with. */
export interface SinkOptions {
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Lays out a line of the log about itself. */
  readonly notice: (message: string) => string
  /** Told each time that something cannot be written: the log itself cannot say so. Default: nobody. */
  readonly alarm?: (message: string) => void
  /** Writes to a descriptor and answers how many bytes it took; throws as node:fs does. Default: `writeSync`. */
  readonly writeBytes?: (fd: number, bytes: Uint8Array) => number
}

/** The code of a system error (`ENOSPC`), or what else was thrown. */
export const code = (error: unknown): string =>
  Predicate.hasProperty(error, "code") && Predicate.isString(error.code) ? error.code : String(error)

/** What a sink says elsewhere while it cannot write. */
export const dropping = (name: string, reason: string): string =>
  `the log ${name} cannot be written (${reason}): its lines are dropped`

/** What a sink says when it can write again. */
export const droppedLines = (count: number, reason: string): string =>
  `${count} ${count === 1 ? "line" : "lines"} dropped (${reason})`
