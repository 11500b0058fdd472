/**
 * What the sides of a run stand on: their programs, a Redis and a directory of their own, and how much is to be done.
 */
import { mkdir, mkdtemp, rm } from "node:fs/promises"
import { join } from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { build } from "esbuild"
import * as Command from "../services/Command.ts"
import * as RedisServer from "../services/RedisServer.ts"
import { BenchError } from "./BenchError.ts"
import type { Figures } from "./Row.ts"

/** How much a run does: enough for figures, for a glance, or to see that it works. */
export type Size = "Full" | "Quick" | "Tiny"

export interface Options {
  readonly size: Size
  /** Whether every Redis keeps a file, synced each second. */
  readonly aof: boolean
  /** A directory for the CPU profiles of our own programs; absent: none are taken. */
  readonly profiles?: string
}

export class Stage extends Context.Tag("bench/Stage")<
  Stage,
  Options & {
    /** Where the programs were built. */
    readonly programs: string
  }
>() {}

const source = "test/bench/programs"

/** Peers, limits and what is around them, whose packages are where npm put them. */
const programs = [
  "bullmq-enqueue",
  "bullmq-worker",
  "bullmq-mails",
  "bare-enqueue",
  "bare-worker",
  "bare-mails",
  "mfa-server",
  "logins",
  "sink"
]

/** Ours, with their packages inside, as the built command has them. */
const ownPrograms = ["ours-enqueue", "ours-worker"]

/** For what is inside and still asks for `require`, as in the build of the command. */
const banner = 'import{createRequire}from"node:module";const require=createRequire(import.meta.url);'

/** The built command, which an operator runs. */
const built = "dist/edumfa-queue-huey.cjs"

/** Builds the programs, in a directory from which they find their packages; gone with the scope. */
export const layer = (options: Options): Layer.Layer<Stage> =>
  Layer.scoped(
    Stage,
    Effect.gen(function* () {
      const directory = yield* Effect.acquireRelease(
        Effect.promise(async () => {
          await mkdir("node_modules/.bench", { recursive: true })
          return mkdtemp("node_modules/.bench/programs-")
        }),
        (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
      )
      const common = {
        outdir: directory,
        outExtension: { ".js": ".mjs" },
        bundle: true,
        platform: "node",
        target: "node20",
        format: "esm"
      } as const
      const entryPoints = (names: ReadonlyArray<string>) => names.map((name) => `${source}/${name}.ts`)
      yield* Effect.promise(() =>
        Promise.all([
          build({ ...common, entryPoints: entryPoints(programs), packages: "external" }),
          build({ ...common, entryPoints: entryPoints(ownPrograms), banner: { js: banner } })
        ])
      )
      return { ...options, programs: directory }
    })
  )

/** One of the counts, by how much is to be done. */
export const count = (counts: Readonly<Record<Size, number>>): Effect.Effect<number, never, Stage> =>
  Effect.map(Stage, ({ size }) => counts[size])

const everysec = ["--appendonly", "yes", "--appendfsync", "everysec"]

/** A Redis of its own that is gone with the scope; `aof` keeps a file whatever the options say. */
export const redis = (aof = false) =>
  Effect.flatMap(Stage, (stage) =>
    // Another program may have taken the port meanwhile that was free.
    RedisServer.make(stage.aof || aof ? everysec : []).pipe(
      Effect.sandbox,
      Effect.retry({ times: 2 }),
      Effect.unsandbox
    )
  )

/** A process that runs until the scope ends. */
export interface Process {
  readonly stop: Effect.Effect<void>
  readonly pid: number
  /** What it tells when it ends of itself, once it has. */
  readonly figures: Effect.Effect<Figures, BenchError>
  /** What it tells when it is ready and goes on. */
  readonly told: Effect.Effect<Figures>
  /** Runs as long as the process does; that it ends is a failure. */
  readonly whileAlive: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | BenchError, R>
}

const Told = Schema.parseJson(Schema.Record({ key: Schema.String, value: Schema.Number }))

const start = Effect.fnUntraced(function* (
  name: string,
  args: ReadonlyArray<string>,
  cwd: string
): Effect.fn.Return<Process, never, Scope.Scope> {
  const process = yield* Command.start(globalThis.process.execPath, args, { cwd })
  const end = Effect.flatten(process.ended)
  const failure = (reason: BenchError["reason"]) => (ended: Command.Ended) =>
    new BenchError({
      reason,
      detail: `${name} ended with ${ended.code ?? ended.signal}: ${(ended.stderr || ended.stdout).trim().slice(-500)}`
    })
  const figures = Effect.flatMap(end, (ended) =>
    ended.code === 0
      ? Effect.mapError(Schema.decodeUnknown(Told)(ended.stdout), () => failure("Figures")(ended))
      : Effect.fail(failure("Ended")(ended))
  )
  const told = process.stdout.pipe(
    Effect.flatMap(Schema.decodeUnknown(Told)),
    Effect.retry(Schedule.spaced("10 millis")),
    Effect.orDie
  )
  return {
    pid: process.pid,
    figures,
    told,
    stop: Effect.zipRight(process.kill("SIGTERM"), Effect.asVoid(end)),
    whileAlive: (effect) =>
      Effect.raceFirst(
        effect,
        Effect.flatMap(end, (ended) => Effect.fail(failure("Ended")(ended)))
      )
  }
})

const profiling = Effect.map(Stage, ({ profiles }) =>
  profiles === undefined ? [] : ["--cpu-prof", "--cpu-prof-dir", profiles]
)

/** Starts one of the programs. */
export const program = Effect.fnUntraced(function* (name: string, options: object) {
  const { programs } = yield* Stage
  const flags = name.startsWith("ours-") ? yield* profiling : []
  return yield* start(name, [...flags, join(programs, `${name}.mjs`), JSON.stringify(options)], process.cwd())
})

/** The configuration of an eduMFA whose queue is on that Redis. */
const configuration = (redisPort: number) => `
EDUMFA_JOB_QUEUE_CLASS = 'edumfa.lib.queues.huey_queue.HueyQueue'
EDUMFA_JOB_QUEUE_URL = 'redis://127.0.0.1:${redisPort}/0'
`

/** Starts the built command as an operator does, in a directory of its own; a backlog is what the run is about. */
export const command = Effect.fnUntraced(function* (redisPort: number, args: ReadonlyArray<string>) {
  const cwd = yield* Command.directory({ "edumfa.cfg": configuration(redisPort) })
  const common = ["--config", "edumfa.cfg", "-l", "worker.log", "--backlog", "send"]
  return yield* start("the command", [...(yield* profiling), join(process.cwd(), built), ...common, ...args], cwd)
})
