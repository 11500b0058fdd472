/**
 * Practice: V8 compiles what is called thousands of times, and a queue that carries a mail now and then would write and read
 * its messages for months by code that is not compiled, which takes twice as long. So that is done beforehand, with a message that
 * goes nowhere.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import * as EventLoop from "./EventLoop.ts"
import * as Job from "./Job.ts"

/** So often: less than a tenth of a second of one core. Twice as often gains nothing more, half as often less. */
const times = 10_000

/** So often between two turns of the event loop: half a millisecond, or one at first. */
const perTurn = 100

/** A process that has work to do is looked at again so much later. */
const pause = Duration.millis(100)

/** A job whose arguments are a mail's, and that does nothing. */
export const job = () =>
  Job.make({
    name: "edumfa_queue.practice",
    params: ["config", "recipient", "subject", "body", "sender", "reply_to", "mimetype"],
    args: Schema.Struct({
      config: Schema.Record({ key: Schema.String, value: Schema.Unknown }),
      recipient: Schema.String,
      subject: Schema.NullOr(Schema.String),
      body: Schema.NullOr(Schema.Union(Schema.String, Schema.Uint8ArrayFromSelf)),
      sender: Schema.optional(Schema.NullOr(Schema.String)),
      reply_to: Schema.optional(Schema.NullOr(Schema.String)),
      mimetype: Schema.optional(Schema.NullOr(Schema.String))
    }),
    run: () => Effect.void
  })

/** And a mail's arguments. */
export const args = {
  config: {
    identifier: "practice",
    server: "mail.example.org",
    port: 25,
    username: "",
    password: "",
    sender: "mfa@example.org",
    tls: false,
    description: "",
    timeout: 10,
    enqueue_job: true
  },
  recipient: "ada@example.org",
  subject: "Your one-time password",
  body: "Enter this code to log in. It is valid for two minutes. ".repeat(12),
  sender: null,
  reply_to: null,
  mimetype: "plain"
}

/**
 * Practises once in a process, whoever begins, and whenever that is not busy. `setup` makes what is done again and again; the random
 * numbers that it draws are none of the program's.
 */
export const make = <E, E2>(setup: Effect.Effect<Effect.Effect<unknown, E>, E2>) => {
  let left = times / perTurn
  return (isBusy: () => boolean): Effect.Effect<void> =>
    Effect.flatMap(setup, (act) => {
      const turn = Effect.suspend(() => {
        // Another practised while this waited for its turn.
        if (left <= 0) return Effect.void
        left -= 1
        let done = 0
        return Effect.whileLoop({ while: () => done < perTurn, body: () => act, step: () => void done++ })
      })
      return Effect.whileLoop({
        while: () => left > 0,
        body: () => (isBusy() ? Effect.sleep(pause) : Effect.zipRight(EventLoop.nextTurn, turn)),
        step: () => {}
      })
    }).pipe(Effect.withRandom(Random.make("practice")), Effect.orDie)
}
