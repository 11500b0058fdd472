/**
 * What a worker has in hand: the jobs under its leases, and the settlements it has not told the store yet.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Grant, Lease, Settlement } from "../JobStore.ts"
import * as Monotonic from "../Monotonic.ts"
import * as StopSignal from "../StopSignal.ts"
import { Bell } from "./Bell.ts"
import { Hand, type Known } from "./Hand.ts"

/** How long a handler that was told to stop may go on before its fiber is interrupted. Milliseconds. */
const patience = 5_000

/** An exchange under way. */
export interface Asking {
  readonly free: number
  readonly suspects: number
  /** Whose answer is not there yet. */
  settlements: ReadonlyArray<Settlement>
}

/** Fewer jobs are not worth an exchange of their own beside another: it costs each side as much as three of them. */
const leastShare = 4

/** What one exchange asks for at most. */
const share = (slots: number): number => (slots < 2 * leastShare ? slots : Math.ceil(slots / 2))

export class InHand {
  /** By token: the same job may be in hand again, under a newer lease, before its former attempt has ended. */
  private readonly hands = new Map<string, Hand>()
  private settlements: Array<Settlement> = []
  /** The exchanges under way. */
  private readonly askings = new Set<Asking>()
  /** The last one that asked for jobs got as many: there may be more. */
  isPlentiful = false
  /** An attempt has ended, or there was nothing else to begin with. */
  private hasBegun = false
  /** Told before, by an exchange that was not answered: the store may know them. */
  private readonly toldBefore = new WeakSet<Settlement>()
  private readonly jobs = new WeakMap<Settlement, Known>()
  private readonly slots: number
  /** Something has ended. */
  readonly changed = new Bell()
  /** There is room for a second exchange beside the one under way. */
  readonly roomy = new Bell()
  /** Open while something is in hand. */
  private readonly working = Effect.unsafeMakeLatch()

  constructor(slots: number) {
    this.slots = slots
  }

  get size(): number {
    return this.hands.size
  }

  /** Slots that neither have a job nor are asked one for. */
  get free(): number {
    let asked = 0
    for (const { free } of this.askings) asked += free
    return Math.max(0, this.slots - this.hands.size - asked)
  }

  /**
   * Whether a second exchange is worth it: Redis answers to it while the jobs of the first are done. Only where the store
   * had as many as were asked for: exchanges of which there is nothing to get would follow one another without end.
   */
  get isRoomy(): boolean {
    return this.isPlentiful && this.askings.size === 1 && this.free >= share(this.slots)
  }

  /**
   * How many more messages under suspicion may be taken: there is one in hand at a time. A worker that has just started
   * begins with others: its first attempts take longest, and one that is killed meanwhile is a mark against what it held.
   */
  get suspects(): number {
    if (!this.hasBegun) return 0
    for (const { suspects } of this.askings) if (suspects > 0) return 0
    for (const hand of this.hands.values()) if (hand.isSuspect) return 0
    return 1
  }

  /** Nearly all slots are at work. */
  get isBusy(): boolean {
    return this.hands.size * 4 > this.slots * 3
  }

  /** How many have ended and are not settled. */
  get untold(): number {
    let telling = 0
    for (const { settlements } of this.askings) telling += settlements.length
    return this.settlements.length + telling
  }

  /** Nothing is in hand, untold, or on its way from the store. */
  get isIdle(): boolean {
    return this.hands.size === 0 && this.untold === 0 && this.askings.size === 0
  }

  /** The ids of the jobs in hand, as far as they could be read. */
  get jobIds(): ReadonlyArray<string> {
    return [...this.hands.values()].map((hand) => hand.job?.jobId ?? "?")
  }

  leases(): ReadonlyArray<Lease> {
    return [...this.hands.values()].map((hand) => hand.lease)
  }

  /**
   * What an exchange begins with: the settlements to tell now and the slots to ask for, half of them at most where there are
   * many. `told` or `notTold` must follow, and `answered` when what came back is in hand.
   */
  ask(taking: boolean): Asking {
    const free = taking ? this.share : 0
    const asking = { suspects: this.suspects, free, settlements: this.settlements }
    this.settlements = []
    this.askings.add(asking)
    if (this.isRoomy) this.roomy.ring()
    return asking
  }

  /** How many an exchange asks for at most. */
  get share(): number {
    return Math.min(this.free, share(this.slots))
  }

  /** An exchange was answered that asked for so many and held no slots for them; `told` and `answered` must follow. */
  hear(free: number): Asking {
    const asking = { suspects: 0, free, settlements: [] }
    this.askings.add(asking)
    return asking
  }

  answered(asking: Asking): void {
    this.askings.delete(asking)
  }

  /** The store knows them, and granted so many. True: there may be more. */
  told(asking: Asking, granted: number): boolean {
    asking.settlements = []
    if (asking.free === 0) return this.isPlentiful
    this.isPlentiful = granted >= asking.free
    if (granted > 0 || this.hasBegun) return this.isPlentiful
    // What is under suspicion is left to begin with.
    this.hasBegun = true
    return true
  }

  notTold(asking: Asking): void {
    for (const settlement of asking.settlements) this.toldBefore.add(settlement)
    this.settlements = [...asking.settlements, ...this.settlements]
    asking.settlements = []
  }

  wasToldBefore(settlement: Settlement): boolean {
    return this.toldBefore.has(settlement)
  }

  /** Of which job it is; undefined: its message was not read. */
  jobOf(settlement: Settlement): Known | undefined {
    return this.jobs.get(settlement)
  }

  /** Settles a grant that is not worked on. */
  release(grant: Grant): void {
    this.settle({ _tag: "Released", lease: grant.lease })
  }

  /** Takes a grant into a slot, at monotonic milliseconds `now`: an attempt at it may take `timeout`. */
  hold(grant: Grant, now: number, timeout: number): Hand {
    const hand = new Hand(grant, now, timeout)
    this.hands.set(grant.lease.token, hand)
    this.working.unsafeOpen()
    return hand
  }

  /** An attempt has ended; absent: there is nothing to settle. */
  finish(hand: Hand, settlement: Settlement | undefined): void {
    this.hands.delete(hand.lease.token)
    if (this.hands.size === 0) this.working.unsafeClose()
    this.hasBegun = true
    if (settlement !== undefined) {
      if (hand.job !== undefined) this.jobs.set(settlement, hand.job)
      this.settle(settlement)
    }
    if (this.isRoomy) this.roomy.ring()
    this.changed.ring()
  }

  private settle(settlement: Settlement): void {
    this.settlements.push(settlement)
  }

  /** Tells the attempts under these leases to stop. */
  stop(leases: ReadonlyArray<Lease>, reason: StopSignal.StopReason): Effect.Effect<void> {
    return Effect.forEach(
      leases,
      ({ token }) => {
        const hand = this.hands.get(token)
        return hand === undefined ? Effect.void : StopSignal.stop(hand.stop, reason)
      },
      { discard: true }
    )
  }

  stopAll(reason: StopSignal.StopReason): Effect.Effect<void> {
    return this.stop(this.leases(), reason)
  }

  /** Interrupts what does not heed its signal; does not wait, for a send after its final dot cannot be interrupted. */
  interruptAll(): Effect.Effect<void> {
    return this.interrupt(() => true)
  }

  /** Done as soon as something is in hand: an idle worker need not wake up to look. */
  get occupied(): Effect.Effect<void> {
    return this.working.await
  }

  /** Tells attempts that are past their deadline to stop, and interrupts those that do not heed it. */
  readonly sweep: Effect.Effect<void> = Effect.flatMap(Monotonic.millis, (now) => {
    const late = [...this.hands.values()].filter((hand) => hand.deadline <= now)
    return Effect.zipRight(
      Effect.forEach(late, (hand) => StopSignal.stop(hand.stop, "Deadline"), { discard: true }),
      this.interrupt((hand) => hand.deadline + patience <= now)
    )
  })

  private interrupt(which: (hand: Hand) => boolean): Effect.Effect<void> {
    return Effect.forEach(
      [...this.hands.values()].filter((hand) => which(hand) && !hand.interrupted),
      (hand) => {
        if (hand.fiber === undefined) return Effect.void
        // Once is enough: each interruption waits for the end of the fiber.
        hand.interrupted = true
        return Fiber.interruptFork(hand.fiber)
      },
      { discard: true }
    )
  }
}
