/**
 * A worker on a job that says when it is performed and then does as the test tells it.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import * as Job from "../../src/Job.ts"
import { JobQueue } from "../../src/JobQueue.ts"
import { type Counts, JobStore } from "../../src/JobStore.ts"
import { Fields } from "../../src/QueueLogger/Fields.ts"
import * as RetryPolicy from "../../src/RetryPolicy.ts"
import * as Worker from "../../src/Worker.ts"

interface Text {
  readonly text: string
}

interface Seen {
  readonly text: string
  readonly number: number
  /** Milliseconds of the test's clock. */
  readonly at: number
}

export type Handler = (text: string, attempt: Job.Attempt) => Effect.Effect<void, Job.JobFailure<Text>>

/** What a job may bring beside its handler. */
type More = Pick<Parameters<typeof Job.make<Text, Text, never>>[0], "timeout" | "maxAge" | "ended" | "policy">

export const fail = (verdict: Job.Verdict, remaining?: Text) =>
  Effect.fail(new Job.JobFailure({ verdict, reason: "as scripted", remaining }))

/** A job that says on a queue that it is performed, and then does as it is told. */
export const makeJob = Effect.fnUntraced(function* (handler: Handler, more: More = {}) {
  const seen = yield* Queue.unbounded<Seen>()
  const job = Job.make({
    name: "test.echo",
    params: ["text"],
    args: Schema.Struct({ text: Schema.String }),
    run: Effect.fnUntraced(function* ({ text }, attempt) {
      yield* Queue.offer(seen, { text, number: attempt.number, at: yield* Clock.currentTimeMillis })
      yield* handler(text, attempt)
    }),
    ...more
  })
  return { job, seen }
})

export const steady: RetryPolicy.RetryPolicy = { ...RetryPolicy.standard, jitter: 0 }

/** Starts a worker on the handler; `enqueue` puts one text on its queue. */
export const start = Effect.fnUntraced(function* (handler: Handler, options: Worker.Options = {}, more: More = {}) {
  const { job, seen } = yield* makeJob(handler, more)
  const queue = yield* JobQueue
  const worker = yield* Effect.forkScoped(Worker.run(Job.jobs(job), { policy: steady, ...options }))
  const enqueue = (text: string, when = {}) => queue.enqueue(job, { text }, when)
  return { worker, enqueue, seen, next: Queue.take(seen) }
})

export const empty: Counts = { waiting: 0, scheduled: 0, inHand: 0, retrying: 0, dead: 0 }

/** Waits, while the test's clock goes on, until the counts are these. */
export const settled = (wanted: Counts) =>
  Effect.gen(function* () {
    const store = yield* JobStore
    for (;;) {
      const counts = yield* store.counts
      if (JSON.stringify(counts) === JSON.stringify(wanted)) return
      yield* Effect.yieldNow()
    }
  })

/** Lines of the log, `LEVEL message key=value …`, in the order they came. */
export const logging = () => {
  const lines: Array<string> = []
  const logger = Logger.make(({ annotations, logLevel, message }) => {
    const parts = [message].flat()
    const words = parts.filter((part) => !(part instanceof Fields))
    const fields = parts.flatMap((part) => (part instanceof Fields ? Object.entries(part.values) : []))
    const notes = [...annotations, ...fields]
      .filter(([key]) => key !== "service")
      .map(([key, value]) => ` ${key}=${value}`)
    lines.push(`${logLevel.label} ${String(words)}${notes.join("")}`)
  })
  return { lines, layer: Logger.replace(Logger.defaultLogger, logger) }
}
