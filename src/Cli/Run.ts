/**
 * The command without a subcommand: runs the worker on the configured queue.
 */
import * as CliOption from "@effect/cli/Options"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as EncKey from "../EdumfaConfig/EncKey.ts"
import * as EdumfaConfig from "../EdumfaConfig.ts"
import * as Job from "../Job.ts"
import * as ConfiguredStore from "../JobStore/Configured.ts"
import type { JobStoreError, NoQueue } from "../JobStore.ts"
import * as ConfiguredMailer from "../Mailer/Configured.ts"
import type { LogFileError } from "../QueueLogger/LogFile.ts"
import * as QueueLogger from "../QueueLogger.ts"
import * as SendEmail from "../SendEmail.ts"
import * as Worker from "../Worker.ts"
import * as Options from "./options.ts"

/** What was given on the command line, by long name; a flag that was given is "". */
export type Given = Readonly<Record<string, Option.Option<string>>>

/** What belongs to the process and not to the program. */
export interface Process {
  readonly pid: number
  /** Completes when the operator asks for a fresh start (SIGHUP). */
  readonly hangUp: Effect.Effect<void>
}

const toCliOption = (row: Options.Option): CliOption.Options<Option.Option<string>> =>
  row.kind === "flag"
    ? CliOption.map(CliOption.boolean(row.long), (given) => (given ? Option.some("") : Option.none()))
    : CliOption.optional(CliOption.text(row.long))

/** The table of options, for @effect/cli. */
export const options: CliOption.Options<Given> = CliOption.all(
  Object.fromEntries(Options.options.map((row) => [row.long, toCliOption(row)]))
)

const value = (given: Given, name: (typeof Options.options)[number]["long"]): Option.Option<string> =>
  given[name] ?? Option.none()

/** The jobs this command knows. */
const jobs = Job.jobs(SendEmail.job)

/** Where the log goes, and why it does not go to the file where it does not. */
const logTarget = Effect.fnUntraced(function* (given: Given, logConfig: Option.Option<string>) {
  const logfile = value(given, "logfile")
  const fs = yield* FileSystem.FileSystem
  // As in eduMFA, a file that is not there does not count.
  const path = Option.getOrElse(logConfig, () => "")
  const exists = path !== "" && (yield* Effect.orElseSucceed(fs.exists(path), () => false))
  if (Option.isSome(logfile) || !exists) return { target: QueueLogger.target(logfile), reason: "" }
  return {
    target: { target: "Stream", stream: "stderr" } as const,
    reason: `${path} is a Python logging configuration, which is not read; give -l FILE to log to a file`
  }
})

const noEffect = (given: Given) =>
  Options.options.flatMap((row) =>
    row.effect !== "works" && Option.isSome(value(given, row.long)) ? [`option --${row.long} is ${row.effect}`] : []
  )

const startBlock = (given: Given, source: string, reason: string) =>
  Effect.zipRight(
    Effect.forEach(
      [`configuration: ${source}`, ...(reason === "" ? [] : [reason]), ...noEffect(given)],
      (line) => Effect.logInfo(line),
      { discard: true }
    ),
    // Jobs without a password, or with a clear one, do without the key file.
    Effect.catchAll(EncKey.check, (error) => Effect.logWarning(error.message))
  )

/** One life of the worker, from reading the configuration to the end of its drain. */
const once = Effect.fnUntraced(function* (given: Given, process: Process) {
  const { get, source } = yield* EdumfaConfig.EdumfaConfig
  // Whatever is wrong with the configuration shows before a log is opened.
  const store = yield* ConfiguredStore.choose
  const mailer = yield* ConfiguredMailer.choose
  const settings = yield* get(Worker.config)
  const { level, logConfig } = yield* get(QueueLogger.config)
  const { target, reason } = yield* logTarget(given, logConfig)
  const wait = Option.map(value(given, "redis-wait"), (seconds) => ({ storeWait: Number(seconds) * 1_000 }))
  const worker = Worker.run(jobs, {
    ...settings,
    slots: Option.match(value(given, "workers"), { onNone: () => 8, onSome: Number }),
    ...Option.getOrElse(wait, () => ({}))
  })
  const live = Layer.merge(store, mailer)
  yield* startBlock(given, source, reason).pipe(
    Effect.zipRight(worker),
    Effect.provide(live),
    Effect.provide(QueueLogger.layer({ ...target, level, pid: process.pid }))
  )
})

/** Why the command ends with 2: a file, an option or a key is to be mended. */
export type Misconfigured = EdumfaConfig.EdumfaConfigError | NoQueue | LogFileError

/** Runs the worker until it is interrupted; on SIGHUP it drains and everything is built anew. */
export const run = (
  given: Given,
  process: Process
): Effect.Effect<never, Misconfigured | JobStoreError, FileSystem.FileSystem> =>
  Effect.acquireUseRelease(
    once(given, process).pipe(
      Effect.provide(EdumfaConfig.layer({ file: value(given, "config") })),
      Effect.interruptible,
      Effect.forkDaemon
    ),
    (life) => Effect.raceFirst(Fiber.join(life), process.hangUp),
    // A race does not wait for its loser; this waits until the worker has drained.
    (life) => Fiber.interrupt(life)
  ).pipe(Effect.forever)
