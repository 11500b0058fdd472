/**
 * The command without a subcommand: runs the worker on the configured queue.
 */
import { resolve } from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Arr from "effect/Array"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as EncKey from "../EdumfaConfig/EncKey.ts"
import * as EdumfaConfig from "../EdumfaConfig.ts"
import * as TimeZone from "../Huey/TimeZone.ts"
import * as Job from "../Job.ts"
import * as ConfiguredStore from "../JobStore/Configured.ts"
import { backlogDecisions, type JobStore, type JobStoreError, type NoQueue, type OldBacklog } from "../JobStore.ts"
import * as ConfiguredBreakers from "../Mailer/Breaker/Configured.ts"
import * as ConfiguredMailer from "../Mailer/Configured.ts"
import type { Mailer } from "../Mailer.ts"
import type { LogFileError } from "../QueueLogger/LogFile.ts"
import * as QueueLogger from "../QueueLogger.ts"
import * as SendEmail from "../SendEmail.ts"
import * as Worker from "../Worker.ts"
import * as Configuration from "./configuration.ts"
import { type Given, value } from "./Given.ts"
import * as Options from "./options.ts"
import { remedied, urlKey } from "./remedy.ts"
import * as Zone from "./zone.ts"

/** What belongs to the process and not to the program. */
export interface Process {
  /** What the command was called by. */
  readonly name: Configuration.Name
  readonly pid: number
  /** Completes when the operator next asks for a fresh start (SIGHUP). */
  readonly hangUp: Effect.Effect<void>
  /** Completes when the operator asks a second time for the end (SIGTERM, SIGINT). */
  readonly hurry: Effect.Effect<void>
}

/** Where a Python logging configuration is looked for that nothing names. */
const logConfigs = { eduMFA: "/etc/edumfa/logging.cfg", privacyIDEA: "/etc/privacyidea/logging.cfg" } as const

/** Where the log goes, and why it does not go to the file where it does not. */
const logTarget = Effect.fnUntraced(function* (given: Given, standard: string) {
  const { get, product } = yield* EdumfaConfig.EdumfaConfig
  const fs = yield* FileSystem.FileSystem
  const logfile = value(given, "logfile")
  const target = QueueLogger.target(logfile, standard)
  if (Option.isSome(logfile)) return { target, reason: "" }
  const stderr = (reason: string) => ({
    target: { target: "Stream", stream: "stderr" } as const,
    reason: `${reason}; logging to stderr, give -l FILE to log to a file`
  })
  // eduMFA's container computes it. Nothing else depends on it, so that it keeps nobody from starting.
  const named = yield* Effect.either(get(QueueLogger.pythonConfig))
  if (Either.isLeft(named)) return stderr(named.left.message)
  const path = Option.getOrElse(named.right, () => logConfigs[product])
  // As in eduMFA, a file that is not there does not count.
  const exists = yield* Effect.orElseSucceed(fs.exists(path), () => false)
  return exists ? stderr(`${path} is a Python logging configuration, which is not read`) : { target, reason: "" }
})

const noEffect = (given: Given) =>
  Options.options.flatMap((row) =>
    row.effect !== "works" && Option.isSome(value(given, row.long)) ? [`option --${row.long} is ${row.effect}`] : []
  )

/** All that the configuration and the command line say. */
interface Settings {
  readonly source: string
  /** How the configuration and the command line were read, a line each. */
  readonly notes: ReadonlyArray<string>
  /** What may be wrong with them, a line each. */
  readonly doubts: ReadonlyArray<string>
  /** The key that names Redis, as the configuration calls it. */
  readonly urlKey: string
  readonly store: Layer.Layer<JobStore>
  readonly mailer: Layer.Layer<Mailer>
  /** The jobs this command knows. */
  readonly jobs: Job.Jobs<Mailer>
  readonly log: QueueLogger.Options
  /** Whether the key file can be used: it matters when a password needs it. */
  readonly keyFile: Either.Either<void, EncKey.EncKeyError>
  readonly worker: Worker.Options
}

/** A path that a shell takes as it stands. */
const plain = /^[\w./@:+-]+$/

/** For a shell, wherever it is typed. */
const drainCommand = (name: string, source: string): string => {
  // Where no file was read there is none to name.
  if (source === EdumfaConfig.noFile) return `${name} drain`
  const path = resolve(source)
  return `${name} drain --config ${plain.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`}`
}

const readSettings = Effect.fnUntraced(function* (
  given: Given,
  process: Process
): Effect.fn.Return<
  Settings,
  EdumfaConfig.EdumfaConfigError | NoQueue,
  EdumfaConfig.EdumfaConfig | FileSystem.FileSystem
> {
  const { get, notes, source } = yield* EdumfaConfig.EdumfaConfig
  const store = yield* ConfiguredStore.choose
  const level = yield* get(QueueLogger.config)
  const zone = yield* get(TimeZone.config)
  const { target, reason } = yield* logTarget(given, Options.logOf(process.name))
  const wait = value(given, "redis-wait")
  const slots = Option.map(value(given, "workers"), Number)
  const mailer = yield* ConfiguredMailer.choose({
    queued: true,
    ...(Option.isSome(slots) ? { slots: slots.value } : {})
  })
  const breakers = yield* ConfiguredBreakers.choose
  const backlog = Option.flatMap(value(given, "backlog"), (text) =>
    Arr.findFirst(backlogDecisions, (decision) => decision === text)
  )
  return {
    source,
    notes: [
      `the schedule is read as written in ${TimeZone.nameOf(zone)}`,
      ...notes,
      ...(reason === "" ? [] : [reason]),
      ...noEffect(given)
    ],
    doubts: yield* Zone.doubts,
    urlKey: yield* urlKey,
    store,
    mailer: Layer.provide(mailer, breakers),
    jobs: Job.jobs(SendEmail.make(yield* get(SendEmail.config))),
    log: { ...target, level, pid: process.pid },
    keyFile: yield* Effect.either(EncKey.check),
    worker: {
      ...(yield* get(Worker.config)),
      hurry: process.hurry,
      drainCommand: drainCommand(process.name, source),
      ...(Option.isSome(backlog) ? { backlog: backlog.value } : {}),
      ...(Option.isSome(slots) ? { slots: slots.value } : {}),
      ...(Option.isSome(wait) ? { storeWait: Duration.seconds(Number(wait.value)) } : {})
    }
  }
})

const startBlock = ({ source, notes, doubts, keyFile }: Settings) =>
  Effect.gen(function* () {
    yield* Effect.forEach([`configuration: ${source}`, ...notes], (line) => Effect.logInfo(line), { discard: true })
    yield* Effect.forEach(doubts, (line) => Effect.logWarning(line), { discard: true })
    // Jobs without a password, or with a clear one, do without the key file.
    if (Either.isLeft(keyFile)) yield* Effect.logWarning(keyFile.left.message)
  })

/** Why the command ends with 2: a file, an option or a key is to be mended. */
export type Misconfigured = EdumfaConfig.EdumfaConfigError | NoQueue | LogFileError | OldBacklog

type Read = Effect.Effect<Settings, Misconfigured, FileSystem.FileSystem>

/** Waits for a SIGHUP after which the configuration can be used, and answers with it. */
const renewed = (process: Process, read: Read): Effect.Effect<Settings, never, FileSystem.FileSystem> =>
  Effect.zipRight(process.hangUp, Effect.either(read)).pipe(
    Effect.flatMap(
      Either.match({
        onRight: Effect.succeed,
        onLeft: (error) =>
          Effect.zipRight(
            Effect.logError(`no new start on SIGHUP, the old one goes on: ${error.message}`),
            renewed(process, read)
          )
      })
    )
  )

/** One life of the worker: until it is interrupted, fails, or is to start anew with the settings it answers with. */
const live = (process: Process, read: Read, settings: Settings) =>
  Effect.acquireUseRelease(
    startBlock(settings).pipe(
      Effect.zipRight(Worker.run(settings.jobs, settings.worker)),
      Effect.provide(Layer.merge(settings.store, settings.mailer)),
      // Its end is told where it is joined.
      Effect.withUnhandledErrorLogLevel(Option.none()),
      Effect.interruptible,
      Effect.forkDaemon
    ),
    (worker) => Effect.raceFirst(Fiber.join(worker), renewed(process, read)),
    // A race does not wait for its loser; this waits until the worker has drained.
    (worker) => Fiber.interrupt(worker)
  ).pipe(
    Effect.catchTag("JobStoreError", (error) => remedied(error, settings.urlKey)),
    // Where the log is a stream it stands beside the line on stderr.
    Effect.tapError((error) => Effect.when(Effect.logError(error.message), () => settings.log.target === "File")),
    Effect.provide(QueueLogger.layer(settings.log))
  )

/** Runs the worker until it is interrupted; on SIGHUP it drains and everything is built anew. */
export const run = (
  given: Given,
  process: Process
): Effect.Effect<never, Misconfigured | JobStoreError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const read = readSettings(given, process).pipe(Effect.provide(Configuration.layer(given, process.name)))
    // A fresh start gives nothing up that goes on now: neither for a log that cannot be opened nor for a Redis that is away.
    const readAnew = read.pipe(
      Effect.tap(({ log }) => Effect.scoped(QueueLogger.make(log))),
      Effect.map(({ worker: { storeWait, ...worker }, ...settings }) => ({ ...settings, worker }))
    )
    let settings: Settings = yield* read
    for (;;) settings = yield* live(process, readAnew, settings)
  })
