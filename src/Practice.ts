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
import { thrown } from "./QueueLogger/redact.ts"

/** So often, of writing and of reading each: about a tenth of a second of one core. Twice as often gains nothing, half as often less. */
const times = 10_000

/** Milliseconds between two turns of the event loop. */
const perTurn = 0.5

/** A program that ends within a second needs no practice, and the first work of another goes on without. */
const delay = Duration.seconds(1)

/** Milliseconds until it is looked again whether there is work to do: 10, 20, 40 and so on, then 1000. */
const pause = (looks: number) => Math.min(10 * 2 ** looks, 1_000)

/** A job that does nothing, with a mail's arguments and a schema as simple as most are. */
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
 * Practises once in a process, whoever begins, where whoever does has nothing else to do. `setup` makes what is done again and again;
 * the random numbers that it draws are none of the program's.
 */
export const make = <E, E2>(setup: Effect.Effect<Effect.Effect<unknown, E>, E2>) => {
  let left = times
  return (isBusy: () => boolean): Effect.Effect<void> => {
    let looks = 0
    const practice = Effect.flatMap(setup, (act) => {
      const turn = Effect.suspend(() => {
        const until = performance.now() + perTurn
        looks = 0
        return Effect.whileLoop({
          while: () => left > 0 && performance.now() < until,
          body: () => act,
          step: () => {
            left -= 1
          }
        })
      })
      return Effect.whileLoop({
        while: () => left > 0,
        body: () => (isBusy() ? Effect.sleep(pause(looks++)) : Effect.zipRight(turn, EventLoop.nextTurn)),
        step: () => {}
      })
    }).pipe(
      Effect.withRandom(Random.make("practice")),
      Effect.catchAllCause((cause) => {
        // It would fail again.
        left = 0
        return Effect.logWarning(`practice failed: ${thrown(cause)}`)
      })
    )
    return Effect.zipRight(
      Effect.sleep(delay),
      Effect.suspend(() => (left > 0 ? practice : Effect.void))
    )
  }
}
