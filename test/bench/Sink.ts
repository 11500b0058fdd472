/**
 * The fast mail server, in a process of its own.
 */
import { type ChildProcess, fork } from "node:child_process"
import { join } from "node:path"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Stage } from "./Stage.ts"

export interface Options {
  /** Before the replies to what came at once, the greeting included. Milliseconds. */
  readonly delay: number
  /** The report comes with this mail. */
  readonly expected: number
}

const Report = Schema.Struct({
  /** The first connection and the last mail, on the clock that all processes share, milliseconds. */
  first: Schema.Number,
  last: Schema.Number,
  connections: Schema.Number
})

export interface Report extends Schema.Schema.Type<typeof Report> {}

export interface Sink {
  readonly port: number
  /** Once all mails are there that were expected. */
  readonly report: Effect.Effect<Report>
}

const Message = Schema.Union(Schema.Struct({ port: Schema.Number }), Schema.Struct({ report: Report }))

/** Starts it; it is killed with its scope. */
export const make = Effect.fnUntraced(function* ({ delay, expected }: Options) {
  const { programs } = yield* Stage
  const port = yield* Deferred.make<number>()
  const report = yield* Deferred.make<Report>()
  const child = yield* Effect.acquireRelease(
    Effect.sync((): ChildProcess => fork(join(programs, "sink.mjs"), [delay, expected].map(String), { execArgv: [] })),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  const fail = (cause: unknown) => {
    Deferred.unsafeDone(port, Effect.die(cause))
    Deferred.unsafeDone(report, Effect.die(cause))
  }
  child.on("message", (message: unknown) => {
    const told = Schema.decodeUnknownSync(Message)(message)
    if ("port" in told) Deferred.unsafeDone(port, Effect.succeed(told.port))
    else Deferred.unsafeDone(report, Effect.succeed(told.report))
  })
  child.once("error", fail)
  child.once("exit", (code) => fail(new Error(`the mail server ended with ${code}`)))
  const sink: Sink = { port: yield* Deferred.await(port), report: Deferred.await(report) }
  return sink
})
