/**
 * What we enqueue, run by huey's worker: by huey itself where Python can import it, and by a stand-in that knows the
 * fields of 3.2 and of 3.3.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import * as Huey from "../../src/Huey.ts"
import * as Job from "../../src/Job.ts"
import * as Producer from "../../src/JobQueue/Producer.ts"
import type { EnqueueOptions } from "../../src/JobQueue.ts"
import type { RetryPolicy } from "../../src/RetryPolicy.ts"
import * as Python from "../services/Python.ts"

const Happened = Schema.decodeUnknownSync(
  Schema.Array(Schema.Array(Schema.Tuple(Schema.String, Schema.Number, Schema.Unknown)))
)

const job = (policy?: RetryPolicy) =>
  Job.make({
    name: "edumfa.lib.smtpserver.smtpserver.send_email",
    params: ["config", "recipient", "body"],
    args: Schema.Struct({
      config: Schema.Struct({ port: Schema.Number, tls: Schema.NullOr(Schema.Boolean) }),
      recipient: Schema.Array(Schema.String),
      body: Schema.optional(Schema.String)
    }),
    run: () => Effect.void,
    ...(policy === undefined ? {} : { policy })
  })

const args = { config: { port: 587, tls: null }, recipient: ["zoë@example.org"], body: "493817 \u{1f511}" }
const called = [[{ port: 587, tls: null }, ["zoë@example.org"], "493817 \u{1f511}"], {}]

/** When the mails are enqueued. */
const now = Date.UTC(2026, 2, 29, 0, 30)

const signing = { secret: Redacted.make("correct horse"), salt: "salz" }

interface Case {
  readonly title: string
  readonly enqueue?: EnqueueOptions
  readonly queue?: Huey.Options
  readonly policy?: RetryPolicy
  /** How often the mail server does not answer. */
  readonly failures?: number
  /** Seconds between its enqueueing and the worker. */
  readonly late?: number
  /** What happens, and after how many seconds. */
  readonly expected: ReadonlyArray<readonly [event: string, seconds: number]>
}

const done = [
  ["executing", 0],
  ["complete", 0]
] as const

/** A try that fails, after so many seconds, and is tried again after 18 more. */
const failed = (seconds: number) =>
  [
    ["executing", seconds],
    ["error", seconds],
    ["retrying", seconds],
    ["scheduled", seconds]
  ] as const

const cases: ReadonlyArray<Case> = [
  { title: "once", expected: done },
  { title: "packed with gzip", queue: { compression: true }, expected: done },
  { title: "packed with zlib", queue: { compression: true, useZlib: true }, expected: done },
  { title: "signed", queue: { signing }, expected: done },
  { title: "signed and packed", queue: { signing, compression: true }, expected: done },
  {
    title: "not before its time",
    enqueue: { delay: "90 seconds" },
    expected: [
      ["scheduled", 0],
      ["executing", 90],
      ["complete", 90]
    ]
  },
  {
    title: "not before its time, in local time",
    queue: { utc: false },
    enqueue: { delay: "90 seconds", expires: "2 minutes" },
    expected: [
      ["scheduled", 0],
      ["executing", 90],
      ["complete", 90]
    ]
  },
  {
    title: "again until it is done",
    failures: 2,
    expected: [...failed(0), ...failed(18), ["executing", 36], ["complete", 36]]
  },
  {
    title: "eight times at most",
    failures: 100,
    expected: [...[0, 1, 2, 3, 4, 5, 6].flatMap((retry) => failed(18 * retry)), ["executing", 126], ["error", 126]]
  },
  {
    title: "as its own policy says",
    policy: {
      delays: [Duration.seconds(4), Duration.seconds(8)],
      maxDelay: Duration.hours(1),
      jitter: 0,
      maxAge: Duration.days(1)
    },
    failures: 1,
    expected: [...failed(0), ["executing", 6], ["complete", 6]]
  },
  {
    title: "never after its expiry",
    enqueue: { expires: "40 seconds" },
    failures: 100,
    expected: [...failed(0), ...failed(18), ...failed(36), ["expired", 54]]
  },
  { title: "not at all where it has expired", enqueue: { expires: 1_999 }, late: 2, expected: [["expired", 0]] },
  { title: "at the last moment", enqueue: { expires: 2_000 }, late: 2, expected: done }
]

const entryOf = ({ enqueue, failures = 0, late = 0, policy, queue = {} }: Case) =>
  Effect.map(Producer.message(job(policy), args, enqueue), (message) => ({
    bytes: Buffer.from(Either.getOrThrow(Huey.make(queue).encode(message))).toString("base64"),
    compression: queue.compression === true,
    use_zlib: queue.useZlib === true,
    secret: queue.signing === undefined ? null : Redacted.value(queue.signing.secret),
    salt: queue.signing?.salt ?? "",
    utc: queue.utc !== false,
    failures,
    now: now + late * 1_000
  }))

/** What a worker of Python's makes of all cases. */
const runAll = (worker: string) =>
  Effect.map(Effect.forEach(cases, entryOf), (entries) => Happened(Python.run("huey_worker.py", [worker], entries)))

const version = Schema.decodeUnknownSync(Schema.NullOr(Schema.String))(Python.run("huey_worker.py", ["version"], null))

const workers = [
  ["14", "a stand-in for huey 3.2, which knows 14 fields"],
  ["15", "a stand-in for huey 3.3, which knows 15 fields"],
  ...(version === null ? [] : [["real", `huey ${version} itself`]])
] as const

describe(
  version === null ? "no huey can be imported here: stand-ins run the messages" : `huey ${version} is here`,
  () => {
    for (const [worker, name] of workers) {
      it.effect(`a mail is run by ${name}`, () =>
        Effect.gen(function* () {
          yield* TestClock.setTime(now)
          const all = yield* runAll(worker)
          expect(
            all.map((events, index) => [cases[index]?.title, events.map(([event, seconds]) => [event, seconds])])
          ).toEqual(cases.map(({ expected, title }) => [title, expected]))
          for (const [event, , call] of all.flat()) if (event === "executing") expect(call).toEqual(called)
        })
      )
    }
  }
)
