/**
 * What a login takes at the MFA server of the demonstration, with and without the queue, before mail servers of three
 * kinds: ten users who each log in again and again, and with the queue a worker beside.
 */
import * as Effect from "effect/Effect"
import type { LoginsOptions, ServerOptions } from "../programs/Program.ts"
import { compare, type Row, type Side } from "../Row.ts"
import * as Sink from "../Sink.ts"
import * as Stage from "../Stage.ts"

/** Milliseconds before each reply of the mail server. */
const delays = [0, 50, 250] as const

/** So many direct logins take seconds; with the queue the delay does not matter. */
const direct = { 0: 2_000, 50: 400, 250: 100 } as const
const queued = 2_000

const nameOf = (way: LoginsOptions["way"], delay: number) => `${way}, ${delay} ms a reply`

const side = (way: LoginsOptions["way"], delay: (typeof delays)[number]): Side => ({
  name: nameOf(way, delay),
  run: Effect.gen(function* () {
    const redis = yield* Stage.redis()
    const sink = yield* Sink.make({ delay, expected: 0 })
    const share = yield* Stage.count({ Full: 1, Quick: 0.5, Tiny: 0.01 })
    const count = Math.max(10, share * (way === "direct" ? direct[delay] : queued))
    const server: ServerOptions = { redisPort: redis.port, smtpPort: sink.port }
    const { told, whileAlive } = yield* Stage.program("mfa-server", server)
    if (way === "queued") yield* Stage.command(redis.port, [])
    const { port = 0 } = yield* whileAlive(told)
    const options: LoginsOptions = { port, way, users: 10, count, warmup: count / 10 }
    const users = yield* Stage.program("logins", options)
    return yield* whileAlive(users.figures)
  })
})

export const row: Row = {
  name: "logins",
  title: "a login of one of ten users, without and with the queue",
  sides: delays.flatMap((delay) => [side("direct", delay), side("queued", delay)]),
  comparisons: delays.flatMap((delay) =>
    ["p50", "p99"].map((figure) =>
      compare(figure, figure, [nameOf("queued", delay), nameOf("direct", delay)], { better: "lower" })
    )
  )
}
