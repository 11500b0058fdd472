/**
 * The breakers by name: asked from what is known here, changed in the store. Where the store does not answer, what is
 * known here goes on alone.
 */
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Random from "effect/Random"
import * as Bounded from "../../Bounded.ts"
import * as Monotonic from "../../Monotonic.ts"
import { type BreakerStore, BreakerStoreError, maxStates, type Swap } from "./BreakerStore.ts"
import * as Circuit from "./Circuit.ts"

/** One breaker. */
export interface Breaker {
  /** Its name in the store. */
  readonly name: string
  /** What it is, for the log. */
  readonly label: string
  /** Until it has worked only one may try at a time. */
  readonly needsProof: boolean
}

/** A breaker that lets nobody pass now. */
interface Wait {
  readonly why: "Open" | "Probe" | "Proof"
  /** Milliseconds. */
  readonly rest: number
}

export interface Circuits {
  /** Undefined: pass. Whoever passes reports, within `patience` milliseconds where it is the probe. */
  readonly ask: (breaker: Breaker, patience: number) => Effect.Effect<Wait | undefined>
  /** It worked once more, at monotonic milliseconds `local`, which of nearly all mails is no news: then it is decided. */
  readonly worked: (breaker: Breaker, local: number) => Effect.Effect<void>
  readonly succeeded: (breaker: Breaker) => Effect.Effect<void>
  /** `detail` is one line for the log. Answers with the milliseconds for which nobody tries now. */
  readonly failed: (breaker: Breaker, fault: Circuit.Fault, detail: string) => Effect.Effect<number>
  /** Whoever passed says neither. */
  readonly released: (breaker: Breaker) => Effect.Effect<void>
}

interface Known {
  readonly stored: string
  readonly circuit: Circuit.Circuit
  /** When it was read, monotonic milliseconds. */
  readonly readAt: number
}

/**
 * A store that is slower is none, in milliseconds: a mail waits for it. By its grace a password is not refused once more;
 * of a mail server that does not answer one connection more is no harm.
 */
const storePatience = (needsProof: boolean): number => (needsProof ? 1_000 : 200)

const tooLate = new BreakerStoreError({ detail: "no answer in time", cause: undefined })

/** So long a store that did not answer is not asked, milliseconds: of what waits for it nothing gets faster. */
const storePause = 5_000

/** Workers that change one state at the same time; who still loses after so many tries goes on alone. */
const maxTries = 20

/** What a change came to. */
interface Change<out A> {
  readonly answer: A
  readonly next: Circuit.Circuit | undefined
}

const seconds = (millis: number) => `${(millis / 1_000).toFixed(1)} s`

/** Makes them; nothing is read before something is asked. */
export const make = Effect.fnUntraced(function* (
  store: Context.Tag.Service<BreakerStore>,
  rules: Circuit.Rules
): Effect.fn.Return<Circuits> {
  const known = new Map<string, Known>()
  /** When each worked here last, monotonic milliseconds; the store does not hear of every success. */
  const workedAt = new Map<string, number>()
  /** Probes of this process, until they report. */
  const probes = new Map<string, Deferred.Deferred<void>>()
  /** Until then, monotonic milliseconds, nobody asks who would wait no longer than `patience`. */
  let pause = { until: Number.NEGATIVE_INFINITY, patience: 0 }
  /** From monotonic milliseconds to the store's time. */
  let offset = (yield* Clock.currentTimeMillis) - (yield* Monotonic.millis)
  const oneByOne = yield* Effect.makeSemaphore(1)

  const remember = (name: string, state: Known) => {
    known.delete(name)
    known.set(name, state)
    const [oldest] = known.keys()
    if (known.size > maxStates && oldest !== undefined) known.delete(oldest)
    return state
  }

  const exchange = ({ name, needsProof }: Breaker, swap?: Swap): Effect.Effect<Known, BreakerStoreError> =>
    Effect.gen(function* () {
      const askedAt = yield* Monotonic.millis
      const patience = storePatience(needsProof)
      if (askedAt < pause.until && patience <= pause.patience)
        return yield* new BreakerStoreError({ detail: "not asked", cause: undefined })
      // On a fiber of its own: what is reported by one that was interrupted must get through, and end in time.
      const asking = yield* store.exchange(name, swap).pipe(
        Effect.timeoutFail({
          duration: patience,
          onTimeout: () => tooLate
        }),
        Effect.either,
        Effect.interruptible,
        Effect.forkDaemon
      )
      const found = yield* Effect.flatten(Fiber.join(asking)).pipe(
        Effect.tapError((error) => {
          // What is too slow for a connection may be fast enough for a login, which is asked for right after it.
          pause = { until: askedAt + storePause, patience: error === tooLate ? patience : Number.POSITIVE_INFINITY }
          return Effect.logDebug(`the breakers of mail servers are not shared for now: ${error.detail}`)
        })
      )
      const readAt = yield* Monotonic.millis
      // Said somewhere between.
      offset = found.now - (askedAt + readAt) / 2
      return remember(name, { stored: found.stored, circuit: Circuit.decode(found.stored), readAt })
    })

  const current = (breaker: Breaker): Effect.Effect<Known> =>
    Effect.flatMap(Monotonic.millis, (now) => {
      const here = known.get(breaker.name)
      if (here !== undefined && now - here.readAt < rules.refresh) return Effect.succeed(here)
      return Effect.catchTag(exchange(breaker), "BreakerStoreError", () =>
        Effect.succeed(here ?? { stored: "", circuit: Circuit.unknown, readAt: now })
      )
    })

  /** Answers with what was decided, and with the states before and after where there was a change. */
  const update = <A>(breaker: Breaker, decide: (circuit: Circuit.Circuit, now: number) => Change<A>) =>
    Effect.gen(function* () {
      let state = yield* current(breaker)
      for (let tries = 1; ; tries++) {
        const local = yield* Monotonic.millis
        const now = local + offset
        const { answer, next } = decide(state.circuit, now)
        const before = state.circuit
        if (next === undefined) return { answer, before, after: before, now }
        const mark = (yield* Random.nextIntBetween(0, Number.MAX_SAFE_INTEGER)).toString(36)
        const stored = Circuit.encode(next, now, mark)
        const found =
          tries > maxTries
            ? undefined
            : yield* Effect.either(exchange(breaker, { expected: state.stored, next: stored }))
        if (found === undefined || Either.isLeft(found)) {
          // What is stored stays as it was read, so that the next exchange that is answered goes before this.
          remember(breaker.name, { ...state, circuit: next })
          return { answer, before, after: next, now }
        }
        state = found.right
        if (state.stored === stored) return { answer, before, after: next, now }
      }
    }).pipe(oneByOne.withPermits(1), Effect.uninterruptible)

  const reported = (name: string) =>
    Effect.suspend(() => {
      const probe = probes.get(name)
      probes.delete(name)
      return probe === undefined ? Effect.void : Effect.asVoid(Deferred.succeed(probe, undefined))
    })

  const askOnce = (breaker: Breaker, patience: number) =>
    Effect.map(
      update(breaker, (circuit, now) => {
        const answer = Circuit.ask(rules, circuit, { now, needsProof: breaker.needsProof, patience })
        return { answer, next: answer._tag === "Pass" ? answer.next : undefined }
      }),
      ({ answer }) => {
        if (answer._tag === "Wait") return answer
        if (answer.next !== undefined) probes.set(breaker.name, Deferred.unsafeMake(FiberId.none))
        return undefined
      }
    )

  const succeeded = (breaker: Breaker) =>
    Effect.gen(function* () {
      const { label, name, needsProof } = breaker
      const { after, before } = yield* update(breaker, (circuit, now) => ({
        answer: undefined,
        next: Circuit.succeeded(rules, circuit, { needsProof, now })
      }))
      yield* reported(name)
      if (Circuit.isOpen(before) && !Circuit.isOpen(after)) yield* Effect.logInfo(`${label} works again`)
    })

  return {
    ask: (breaker, patience) =>
      Effect.gen(function* () {
        const wait = yield* askOnce(breaker, patience)
        const proof = wait?.why === "Proof" ? probes.get(breaker.name) : undefined
        if (proof === undefined) return wait
        // A login takes less: who waits here for the first one is not even postponed.
        yield* Effect.timeoutOption(Deferred.await(proof), Duration.millis(rules.turn / 2))
        return yield* askOnce(breaker, patience)
      }),
    worked: (breaker, local) => {
      const { name, needsProof } = breaker
      Bounded.set(workedAt, name, local, maxStates)
      const here = known.get(name)
      const isNews =
        here === undefined ||
        probes.has(name) ||
        local - here.readAt >= rules.refresh ||
        Circuit.succeeded(rules, here.circuit, { needsProof, now: local + offset }) !== undefined
      return isNews ? succeeded(breaker) : Either.void
    },
    succeeded,
    failed: (breaker, fault, detail) =>
      Effect.gen(function* () {
        const { label, name } = breaker
        const worked = workedAt.get(name) ?? Number.NEGATIVE_INFINITY
        const { after, before, now } = yield* update(breaker, (circuit, now) => ({
          answer: undefined,
          next: Circuit.failed(rules, circuit, fault, { now, workedAt: worked + offset })
        }))
        yield* reported(name)
        const rest = after._tag === "Open" ? Math.max(0, after.until - now) : 0
        if (after === before || after._tag !== "Open") return rest
        const next = `tried again in ${seconds(rest)}`
        yield* Circuit.isOpen(before)
          ? Effect.logDebug(`${label} still does not work, ${next}: ${detail}`)
          : Effect.logError(`${label} does not work, mails for it wait, ${next}: ${detail}`)
        return rest
      }),
    released: (breaker) =>
      Effect.zipRight(
        update(breaker, (circuit) => ({ answer: undefined, next: Circuit.released(circuit) })),
        reported(breaker.name)
      )
  }
})
