/**
 * A fast mail server on loopback in a process of its own, which fails by script and writes down what it kept.
 */
import { type ChildProcess, fork } from "node:child_process"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { build } from "esbuild"
import type { Report, Stats } from "./ChaosMail/Records.ts"

// Two levels down as this file is, so that a bundle two levels below the root finds it too.
const source = fileURLToPath(new URL("../../test/services/ChaosMail/server.ts", import.meta.url))

export interface Options {
  /** What the fates are drawn from. */
  readonly seed: number
  /** Job numbers are below it. */
  readonly capacity: number
  /** Milliseconds until a connection that hangs after the final dot is closed. */
  readonly hangMillis: number
  /** Where the program is built. */
  readonly directory: string
}

interface ChaosMail {
  readonly port: number
  /** How far it was a moment ago. */
  readonly stats: Effect.Effect<Stats>
  readonly report: Effect.Effect<Report>
}

const statsFields = {
  connections: Schema.Number,
  tries: Schema.Number,
  mails: Schema.Number,
  ended: Schema.Number
}

const Message = Schema.Union(
  Schema.Struct({ port: Schema.Number }),
  Schema.Struct({ stats: Schema.Struct(statsFields) }),
  Schema.Struct({
    report: Schema.Struct({
      ...statsFields,
      delivered: Schema.Uint8ArrayFromSelf,
      refused: Schema.Uint8ArrayFromSelf,
      unknown: Schema.Number,
      foreign: Schema.Array(Schema.String),
      renamed: Schema.Array(Schema.Number)
    })
  })
)

const spawn = (file: string, { seed, capacity, hangMillis }: Options) =>
  Effect.acquireRelease(
    Effect.sync(
      (): ChildProcess =>
        fork(file, [seed, capacity, hangMillis].map(String), { serialization: "advanced", execArgv: [] })
    ),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )

/** Starts the server; it is killed with its scope. */
export const make = Effect.fn("ChaosMail.make")(function* (options: Options) {
  const outfile = join(options.directory, "chaos-mail.cjs")
  yield* Effect.promise(() =>
    build({ entryPoints: [source], outfile, bundle: true, platform: "node", target: "node20", format: "cjs" })
  )
  const port = yield* Deferred.make<number>()
  const report = yield* Deferred.make<Report>()
  let stats: Stats = { connections: 0, tries: 0, mails: 0, ended: 0 }
  const child = yield* spawn(outfile, options)
  const fail = (cause: unknown) => {
    Deferred.unsafeDone(port, Effect.die(cause))
    Deferred.unsafeDone(report, Effect.die(cause))
  }
  child.on("message", (message: unknown) => {
    const told = Schema.decodeUnknownSync(Message)(message)
    if ("port" in told) Deferred.unsafeDone(port, Effect.succeed(told.port))
    else if ("stats" in told) stats = told.stats
    else Deferred.unsafeDone(report, Effect.succeed(told.report))
  })
  child.once("error", fail)
  child.once("exit", (code) => fail(new Error(`the mail server ended with ${code}`)))
  const server: ChaosMail = {
    port: yield* Deferred.await(port),
    stats: Effect.sync(() => stats),
    report: Effect.zipRight(
      Effect.sync(() => child.send({ report: true })),
      Deferred.await(report)
    )
  }
  return server
})
