/**
 * The log of this process in eduMFA's layout, to a file or to a stream; it replaces Effect's default logger.
 */
import { resolve } from "node:path"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as File from "./QueueLogger/File.ts"
import * as Format from "./QueueLogger/Format.ts"
import * as Gathering from "./QueueLogger/Gathering.ts"
import type { LogFileError } from "./QueueLogger/LogFile.ts"
import type { Sink } from "./QueueLogger/Sink.ts"
import * as Stream from "./QueueLogger/Stream.ts"

/** Where the log goes. */
export type Target =
  | {
      readonly target: "File"
      readonly path: string
      /** Asked for by name: that it cannot be opened is then an error, not a warning. */
      readonly explicit: boolean
    }
  | { readonly target: "Stream"; readonly stream: "stdout" | "stderr" }
  | { readonly target: "Nowhere" }

/** What a log is made with. */
export type Options = Target & {
  /** The least level that is written; at Debug and below a cause brings its stacks along. */
  readonly level: LogLevel.LogLevel
  /** The process id that every line names. */
  readonly pid: number
}

/** Python's logging levels by the names they have in a configuration. */
const levelNumbers: Readonly<Record<string, number>> = {
  NOTSET: 0,
  DEBUG: 10,
  INFO: 20,
  WARN: 30,
  WARNING: 30,
  ERROR: 40,
  FATAL: 50,
  CRITICAL: 50
}

/** The least of our levels that is not below a level of Python's: 15 lets INFO pass and holds DEBUG back. */
const fromPython = (level: number): LogLevel.LogLevel => {
  if (level <= 0) return LogLevel.All
  if (level <= 10) return LogLevel.Debug
  if (level <= 20) return LogLevel.Info
  if (level <= 30) return LogLevel.Warning
  if (level <= 40) return LogLevel.Error
  return level <= 50 ? LogLevel.Fatal : LogLevel.None
}

const parseLevel = (text: string): Either.Either<LogLevel.LogLevel, ConfigError.ConfigError> => {
  const trimmed = text.trim()
  const name = trimmed.replace(/^logging\./, "").toUpperCase()
  const level = /^-?\d+$/.test(trimmed) ? Number(trimmed) : levelNumbers[name]
  return level === undefined
    ? Either.left(
        ConfigError.InvalidData(
          [],
          "Expected a level of Python's logging, as DEBUG, INFO, WARNING, ERROR, CRITICAL or a number"
        )
      )
    : Either.right(fromPython(level))
}

/** The least level: `EDUMFA_LOGLEVEL`, a number, a name or `logging.NAME`; default INFO. */
export const config: Config.Config<LogLevel.LogLevel> = Config.string("EDUMFA_LOGLEVEL").pipe(
  Config.mapOrFail(parseLevel),
  Config.withDefault(LogLevel.Info)
)

/** A Python logging configuration, which is not read here: the path in `EDUMFA_LOGCONFIG`, by default none. */
export const pythonConfig: Config.Config<Option.Option<string>> = Config.option(
  Config.nonEmptyString("EDUMFA_LOGCONFIG")
)

/**
 * What the option `-l` means: `-` and `/dev/stdout` are stdout, `/dev/stderr` is stderr, `/dev/null` is nowhere, none is
 * `standard` in the directory where the process was started.
 */
export const target = (logfile: Option.Option<string>, standard = "edumfa-queue.log"): Target => {
  if (Option.isNone(logfile)) return { target: "File", path: standard, explicit: false }
  switch (logfile.value) {
    case "-":
    case "/dev/stdout":
      return { target: "Stream", stream: "stdout" }
    case "/dev/stderr":
      return { target: "Stream", stream: "stderr" }
    case "/dev/null":
      return { target: "Nowhere" }
    default:
      return { target: "File", path: logfile.value, explicit: true }
  }
}

/** Often enough to be seen where a disk is full for hours, and no flood. Milliseconds. */
const alarmEvery = 60_000

/** A path of its own, whatever becomes of the working directory; where that is gone already, the path as it is. */
const absolute = (path: string): string => {
  try {
    return resolve(path)
  } catch {
    return path
  }
}

/**
 * Makes the logger. Fails when a file that was asked for cannot be opened; where the default file cannot be opened, it
 * warns and goes on to stderr.
 */
export const make = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<Logger.Logger<unknown, void>, LogFileError, Scope.Scope> {
  const clock = yield* Effect.clock
  const format = Format.make({ pid: options.pid, stacks: LogLevel.lessThanEqual(options.level, LogLevel.Debug) })
  const now = () => clock.unsafeCurrentTimeMillis()
  const notice = (message: string) => format.notice(message, now())

  const stderr = () => Stream.make({ fd: 2, now, notice })
  let alarmed: { readonly sink: Sink; readonly at: number } | undefined
  /** Says on stderr that the log, which goes elsewhere, cannot be written. */
  const alarm = (message: string) => {
    // A clock that was set back must not keep it quiet.
    if (alarmed !== undefined && Math.abs(now() - alarmed.at) < alarmEvery) return
    alarmed = { sink: alarmed?.sink ?? stderr(), at: now() }
    alarmed.sink.write(notice(message))
  }

  const openStream = (stream: "stdout" | "stderr") =>
    stream === "stderr" ? stderr() : Stream.make({ fd: 1, now, notice, alarm })
  const open = (): Either.Either<Gathering.Gathering, LogFileError> => {
    if (options.target === "Nowhere") return Either.right({ write: () => {}, close: () => {} })
    if (options.target === "Stream") return Either.right(openStream(options.stream))
    const file = File.make({ path: absolute(options.path), now, notice, alarm })
    // Not for a stream, whose reader may be slow: there each line is tried by itself.
    if (Either.isRight(file) || options.explicit) return Either.map(file, Gathering.make)
    const instead = stderr()
    instead.write(notice(`${file.left.message}; logging to stderr`))
    return Either.right(instead)
  }

  const sink = yield* Effect.acquireRelease(Effect.suspend(open), (opened) =>
    Effect.sync(() => {
      opened.close()
      alarmed?.sink.close()
    })
  )
  return Logger.make((record) =>
    sink.write(format.record(record), LogLevel.greaterThanEqual(record.logLevel, LogLevel.Warning))
  )
})

/**
 * Replaces the default logger, and the pretty one that a runtime may have put in its place; sets the least level.
 *
 * One after the other: merged layers are built side by side, and each puts back what it found, in any order.
 */
export const layer = (options: Options): Layer.Layer<never, LogFileError> =>
  Logger.replaceScoped(Logger.defaultLogger, make(options)).pipe(
    Layer.provideMerge(Logger.remove(Logger.prettyLoggerDefault)),
    Layer.provideMerge(Logger.minimumLogLevel(options.level))
  )
