/**
 * The places of mails in the slots of a worker: half of them at most for a mail server that is silent.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import { MailerError } from "../../Mailer.ts"
import * as Monotonic from "../../Monotonic.ts"
import type { SmtpServer } from "../../SmtpServer.ts"
import { key } from "../ServerOptions.ts"
import type * as Circuit from "./Circuit.ts"
import { type Hand, Share } from "./Share.ts"

export interface Options {
  /** Jobs at once of the worker. */
  readonly slots: number
  /** Whether a server of which nothing is known gets half of them too. */
  readonly isCautious: boolean
}

export interface Places {
  /**
   * Sends a mail from a place of its own: at once where there is one, and postponed where there is none for this server. The
   * place is taken when this is called, so that what it answers with is run once.
   */
  readonly take: <A>(
    server: SmtpServer,
    clock: Clock.Clock,
    send: (hand: Hand) => Effect.Effect<A, MailerError>
  ) => Effect.Effect<A, MailerError>
  readonly leave: (hand: Hand) => void
  /** The server of this mail answered, at monotonic milliseconds `now`. */
  readonly answered: (hand: Hand, now: number) => void
  /** It did not, at monotonic milliseconds `now`. */
  readonly failed: (hand: Hand, now: number) => void
}

/** The delay of a retry lies within 10 % of what it is wished to be: this brings it behind the end of the interval. */
const jitter = 1.12

/** Milliseconds to wish for, so that those who wait for the same do not all come at once. */
export const spread = (rules: Circuit.Rules, rest: number): Effect.Effect<number> =>
  Effect.map(Random.nextRange(0, rules.turn), (more) => Math.ceil(rest * jitter + more))

/** A mail that is not begun. */
export const postponed = (detail: string, retryIn: number): MailerError =>
  new MailerError({ reason: "BreakerOpen", verdict: "Postponed", detail, retryIn })

const refused = (place: string, retryIn: number) =>
  postponed(`mail server ${place} does not answer, and has half of the slots`, retryIn)

export const make = Effect.fnUntraced(function* (
  { isCautious, slots }: Options,
  rules: Circuit.Rules
): Effect.fn.Return<Places, never, Scope.Scope> {
  const share = new Share(slots, rules.silence, isCautious)
  const scope = yield* Effect.scope
  let isShedding = false
  /** Runs only while one server has more than half of the slots. */
  const shed = Effect.whileLoop({
    while: () => {
      isShedding = share.isCrowded()
      return isShedding
    },
    body: () =>
      Effect.flatMap(Effect.delay(Monotonic.millis, rules.silence / 10), (now) => Effect.sync(() => share.shed(now))),
    step: () => {}
  })
  const beginShedding = Effect.suspend(() => {
    isShedding = true
    return Effect.forkIn(Effect.interruptible(shed), scope)
  })

  const hoped = (place: string) =>
    Effect.async<void>((resume) => {
      const forget = share.hope(place, () => resume(Effect.void))
      return Effect.sync(forget)
    }).pipe(Effect.interruptible)

  /** Of what did not get a place at once. */
  const enterLater = Effect.fnUntraced(function* (
    place: string,
    answer: "Silent" | "Unheard"
  ): Effect.fn.Return<Hand, MailerError> {
    let hand: Hand | typeof answer = answer
    // Most servers answer at once, be it to the mail after the one that they did not answer: those that come meanwhile wait
    // here, and are not even postponed.
    const silentFor = share.waiting(place, yield* Monotonic.millis)
    const patience = rules.turn / 4 - silentFor
    if (patience > 0) {
      yield* Effect.timeoutOption(hoped(place), patience)
      hand = share.enter(place, yield* Monotonic.millis)
    }
    if (hand === "Silent") {
      // As long again as it has been silent: one that only hesitates delays no code for long.
      const rest = Math.max(rules.turn, Math.min(silentFor, rules.silence))
      return yield* refused(place, yield* spread(rules, rest))
    }
    if (hand !== "Unheard") return hand
    const detail = `mail server ${place} has half of the slots until it has answered`
    return yield* postponed(detail, yield* spread(rules, rules.turn / 4))
  })

  return {
    take: (server, clock, send) => {
      const place = key(server)
      const entered = share.enter(place, Monotonic.unsafeMillis(clock))
      const begin = (hand: Hand) =>
        share.isCrowded() && !isShedding ? Effect.zipRight(beginShedding, send(hand)) : send(hand)
      return typeof entered === "string" ? Effect.flatMap(enterLater(place, entered), begin) : begin(entered)
    },
    leave: (hand) => share.leave(hand),
    answered: ({ server }, now) => share.answered(server, now),
    failed: ({ server }, now) => share.failed(server, now)
  }
})

/** What gives up a mail that has a place, for a server that is silent. */
export const giveUp = ({ server }: Hand, rules: Circuit.Rules): MailerError => refused(server, rules.silence)
