/**
 * Where the states of the breakers are: what the workers of one queue share, or one process has for itself.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** One state to be replaced, if nobody else has done so meanwhile; "" is one that is not there. */
export interface Swap {
  readonly expected: string
  /** As no other writing is: it is how whoever writes knows its own. */
  readonly next: string
}

/** What is stored now, and the store's time. */
export interface Found {
  readonly stored: string
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** The store gave no answer that could be used: nobody may be stopped by that. */
export class BreakerStoreError extends Data.TaggedError("BreakerStoreError")<{
  readonly detail: string
  readonly cause: unknown
}> {
  override get message() {
    return this.detail
  }
}

/** States by name. They are opaque, and forgotten after a while in which nobody wrote them. */
export class BreakerStore extends Context.Tag("edumfa-queue/BreakerStore")<
  BreakerStore,
  {
    /** Reads one, after the swap where there is one. Executed twice it does the same. */
    readonly exchange: (name: string, swap?: Swap) => Effect.Effect<Found, BreakerStoreError>
  }
>() {}

/** So many states are kept, the last ones written: a site has a handful of mail servers. */
export const maxStates = 1_000

/** States of this process alone. */
export const makeMemory = (): Context.Tag.Service<BreakerStore> => {
  const states = new Map<string, string>()
  return {
    exchange: (name, swap) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const stored = states.get(name) ?? ""
        if (swap === undefined || swap.expected !== stored) return { stored, now }
        states.delete(name)
        states.set(name, swap.next)
        const [oldest] = states.keys()
        if (states.size > maxStates && oldest !== undefined) states.delete(oldest)
        return { stored: swap.next, now }
      })
  }
}

/** Each mailer that it is provided to has breakers of its own process. */
export const layerMemory: Layer.Layer<BreakerStore> = Layer.sync(BreakerStore, makeMemory)
