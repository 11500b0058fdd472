/**
 * A queue and its store in one process, for tests and demonstrations: the same leases as on Redis, nothing survives the
 * process. Time is the Clock's.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Huey from "./Huey.ts"
import * as Producer from "./JobQueue/Producer.ts"
import { JobQueue } from "./JobQueue.ts"
import type { Drained } from "./JobStore/Drained.ts"
import {
  type Buried,
  type DeadLetter,
  defaultLease,
  type Grant,
  JobStore,
  type Lease,
  maxDeliveries,
  type Place,
  poison,
  type Settlement,
  suspectFrom
} from "./JobStore.ts"

export interface Options {
  /** Default 30 seconds. */
  readonly lease?: Duration.DurationInput
}

interface Entry {
  bytes: Uint8Array
  token: string | undefined
  deliveries: number
  attempts: number
  /** Whether it waits for its own time, and not to be tried again. */
  scheduled: boolean
  readonly firstTakenAt: number
  /** The end of the lease while there is a token, else the time before which it is not granted. */
  until: number
}

/** A store without a clock: every operation is told the time. */
class State {
  readonly waiting: Array<Uint8Array> = []
  readonly entries = new Map<string, Entry>()
  readonly dead: Array<DeadLetter> = []
  private sequence = 0
  private odd = 0

  settle(settlement: Settlement, now: number): boolean {
    const entry = this.entries.get(settlement.lease.id)
    if (entry === undefined || entry.token !== settlement.lease.token) return false
    entry.token = undefined
    switch (settlement._tag) {
      case "Done":
        this.entries.delete(settlement.lease.id)
        break
      case "Retry":
        entry.attempts += settlement.counted ? 1 : 0
        entry.deliveries = 0
        entry.bytes = settlement.bytes ?? entry.bytes
        entry.until = now + settlement.delay
        break
      case "Scheduled":
        entry.deliveries = 0
        entry.scheduled = true
        entry.until = settlement.dueAt
        break
      case "Dead":
        this.entries.delete(settlement.lease.id)
        this.dead.push(settlement.letter)
        break
      case "Released":
        entry.deliveries -= 1
        // In front of what waits for its turn since later.
        entry.until = entry.firstTakenAt
        break
    }
    return true
  }

  reclaim(now: number): ReadonlyArray<Buried> {
    const buried: Array<Buried> = []
    for (const [id, entry] of this.entries) {
      if (entry.token === undefined || entry.until > now) continue
      entry.token = undefined
      entry.until = entry.firstTakenAt
      if (entry.deliveries <= maxDeliveries) continue
      this.entries.delete(id)
      const letter = poison(entry)
      buried.push({ bytes: entry.bytes, letter })
      this.dead.push(letter)
    }
    return buried
  }

  grant(now: number, free: number, suspects: number, lease: number): ReadonlyArray<Grant> {
    const grants: Array<Grant> = []
    const give = (id: string, entry: Entry) => {
      const token = String(++this.sequence)
      entry.token = token
      entry.until = now + lease
      entry.deliveries += 1
      entry.scheduled = false
      const { bytes, deliveries, attempts, firstTakenAt } = entry
      grants.push({ lease: { id, token }, bytes, deliveries, attempts, firstTakenAt })
    }
    let allowed = suspects
    const due = [...this.entries]
      .filter(([, entry]) => entry.token === undefined && entry.until <= now)
      .sort(([, a], [, b]) => a.until - b.until)
      .filter(([, { deliveries }]) => deliveries + 1 < suspectFrom || allowed-- > 0)
    // The odd one goes to retries every other time, so that one slot serves both kinds.
    this.odd = 1 - this.odd
    const share = this.waiting.length > 0 ? Math.floor((free + this.odd) / 2) : free
    for (const [id, entry] of due.splice(0, share)) give(id, entry)
    for (const bytes of this.waiting.splice(0, free - grants.length)) {
      const id = String(++this.sequence)
      const entry: Entry = {
        bytes,
        token: undefined,
        deliveries: 0,
        attempts: 0,
        scheduled: false,
        firstTakenAt: now,
        until: now
      }
      this.entries.set(id, entry)
      give(id, entry)
    }
    for (const [id, entry] of due.splice(0, free - grants.length)) give(id, entry)
    return grants
  }

  get inHand(): number {
    return [...this.entries.values()].filter((entry) => entry.token !== undefined).length
  }

  get scheduled(): number {
    return [...this.entries.values()].filter((entry) => entry.scheduled).length
  }

  /** Puts everything back in front of what waits, the oldest first; there is no other schedule than the entries' own. */
  drain(): Drained {
    const { inHand } = this
    const oldest = [...this.entries.values()].sort((a, b) => a.firstTakenAt - b.firstTakenAt)
    this.waiting.unshift(...oldest.map((entry) => entry.bytes))
    this.entries.clear()
    return { arrived: 0, inHand, due: oldest.length - inHand, later: 0 }
  }

  peek(place: Place, limit: number): ReadonlyArray<Uint8Array> {
    if (place === "waiting") return this.waiting.slice(0, limit)
    const placeOf = (entry: Entry): Place =>
      entry.token !== undefined ? "inHand" : entry.scheduled ? "scheduled" : "retrying"
    const found = [...this.entries.values()].filter((entry) => placeOf(entry) === place)
    return found.slice(0, limit).map((entry) => entry.bytes)
  }

  holds(lease: Lease): Entry | undefined {
    const entry = this.entries.get(lease.id)
    return entry?.token === lease.token ? entry : undefined
  }

  nextDueIn(now: number): number | undefined {
    let earliest: number | undefined
    for (const { deliveries, token, until } of this.entries.values()) {
      // One under suspicion that was passed by waits for the end of another.
      const isPassed = token === undefined && until <= now && deliveries + 1 >= suspectFrom
      if (!isPassed) earliest = Math.min(earliest ?? until, until)
    }
    return earliest === undefined ? undefined : Math.max(0, earliest - now)
  }
}

/** Both sides of one queue. */
export const make = Effect.fnUntraced(function* (options: Options = {}) {
  const lease = Duration.decode(options.lease ?? defaultLease)
  const codec = Huey.make()
  const state = new State()
  const arrivals = yield* Queue.sliding<void>(1)

  const queue: Context.Tag.Service<JobQueue> = {
    enqueue: Effect.fnUntraced(function* (job, args, options) {
      const message = yield* Producer.message(job, args, options)
      const bytes = yield* Producer.write(codec, message)
      state.waiting.push(bytes)
      yield* Queue.offer(arrivals, undefined)
      return message.id
    })
  }

  const store: Context.Tag.Service<JobStore> = {
    name: "memory of this process",
    lease,
    exchange: (settlements, free, suspects = 1) =>
      Effect.map(Clock.currentTimeMillis, (now) => ({
        settled: settlements.map((settlement) => state.settle(settlement, now)),
        buried: state.reclaim(now),
        grants: state.grant(now, free, suspects, Duration.toMillis(lease)),
        duplicates: 0,
        nextDueIn: state.nextDueIn(now),
        now
      })),
    extend: (leases) =>
      Effect.map(Clock.currentTimeMillis, (now) =>
        leases.map((held) => {
          const entry = state.holds(held)
          if (entry !== undefined) entry.until = now + Duration.toMillis(lease)
          return entry !== undefined
        })
      ),
    counts: Effect.sync(() => ({
      waiting: state.waiting.length,
      scheduled: state.scheduled,
      inHand: state.inHand,
      retrying: state.entries.size - state.inHand - state.scheduled,
      dead: state.dead.length
    })),
    workers: Effect.succeed(0),
    writable: Effect.void,
    peek: (place, limit) => Effect.sync(() => state.peek(place, limit)),
    advance: () => Effect.succeed(0),
    arrival: () => Effect.as(Queue.take(arrivals), undefined),
    reconnect: Effect.void,
    notes: [],
    advice: Effect.succeed([]),
    admit: () => Effect.succeed({ _tag: "Admitted" }),
    buryBacklog: () => Effect.succeed(0),
    drain: () => Effect.sync(() => state.drain())
  }
  return { queue, store }
})

/** A queue whose jobs are taken by the worker of the same process. */
export const layer = (options: Options = {}): Layer.Layer<JobQueue | JobStore> =>
  Layer.effectContext(
    Effect.map(make(options), ({ queue, store }) => Context.make(JobQueue, queue).pipe(Context.add(JobStore, store)))
  )
