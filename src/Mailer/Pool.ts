/**
 * The connections of one destination: kept open between mails, so many and no more, and handed to those who wait in turn.
 * Synchronous, for it stands before every mail: most find one that is free.
 */
import type * as Cause from "effect/Cause"
import type { MailerError } from "../Mailer.ts"
import type { Connection } from "./Connection.ts"
import type { Progress } from "./Progress.ts"

/** A connection and what ends it. */
export interface Kept {
  readonly connection: Connection
  /** Says good-bye where that holds nobody up. */
  readonly close: () => void
}

/** So many mails go over one: servers end long sessions, and nodemailer's own pool stops there too. */
const maxMails = 100

/** Someone who waits for a connection. */
export interface Waiter {
  /**
   * Begins to open one, and ends in one of the calls, also where it is given up by what it answers with. `now` is in
   * monotonic milliseconds.
   */
  readonly open: (
    opened: (kept: Kept, now: number) => void,
    failed: (cause: Cause.Cause<MailerError>) => void
  ) => () => void
  readonly served: (kept: Kept) => void
  readonly failed: (cause: Cause.Cause<MailerError>) => void
}

/** A connection that is being opened. */
interface Opening {
  giveUp: () => void
  /** It is not kept. */
  isStale: boolean
}

/** A connection that nobody uses. */
interface Idle {
  readonly kept: Kept
  /** Monotonic milliseconds. */
  readonly since: number
}

export class Pool {
  private readonly max: number
  private readonly idle: Array<Idle> = []
  private readonly inUse = new Set<Kept>()
  private readonly waiters = new Set<Waiter>()
  private readonly openings = new Set<Opening>()
  /** Given up, and not ended yet. */
  private readonly leaving = new Set<Opening>()
  /** In use, and not kept when they are given back. */
  private readonly stale = new WeakSet<Kept>()
  private closed: Cause.Cause<MailerError> | undefined
  private isOpening = false

  /** At most `max` at a time, those that are being opened among them. */
  constructor(max: number) {
    this.max = max
  }

  /** Nothing is open, nobody waits: it may be dropped. */
  get isEmpty(): boolean {
    return this.size + this.waiters.size === 0
  }

  private get size(): number {
    return this.idle.length + this.inUse.size + this.openings.size + this.leaving.size
  }

  /** One that is free and alive, where there is one. */
  take(): Kept | undefined {
    for (let next = this.idle.pop(); next !== undefined; next = this.idle.pop()) {
      if (next.kept.connection.isAlive()) {
        this.inUse.add(next.kept)
        return next.kept
      }
      next.kept.close()
    }
    return undefined
  }

  /** Waits in turn, until one is free, or one fails to be opened. A mail that is abandoned waits no more. */
  wait(progress: Progress, waiter: Waiter, gone: () => void): void {
    // One may have been given back since the mail looked, and would be left to those who look after it.
    const free = progress.abandoned ? undefined : this.take()
    if (progress.abandoned) gone()
    else if (this.closed !== undefined) waiter.failed(this.closed)
    else if (free !== undefined) waiter.served(free)
    else this.queue(progress, waiter, gone)
  }

  private queue(progress: Progress, waiter: Waiter, gone: () => void): void {
    this.waiters.add(waiter)
    progress.onAbandon = () => {
      if (!this.waiters.delete(waiter)) return
      gone()
      // Nobody waits for the last one any more: a server that does not answer has no more connections than mails.
      const last = [...this.openings].at(-1)
      if (last === undefined || this.openings.size <= this.waiters.size) return
      this.openings.delete(last)
      this.leaving.add(last)
      last.giveUp()
    }
    this.openMore()
  }

  /** Takes one back; `now` is in monotonic milliseconds. */
  give(kept: Kept, now: number): void {
    this.inUse.delete(kept)
    const { connection } = kept
    const isOver = this.closed !== undefined || this.stale.has(kept) || connection.mails() >= maxMails
    if (isOver || !connection.isAlive()) {
      kept.close()
      this.openMore()
      return
    }
    connection.rest()
    if (!this.serve(kept)) this.idle.push({ kept, since: now })
  }

  /** Keeps none of those that are open or being opened: those in use end when they are given back. */
  forget(): void {
    for (const kept of this.inUse) this.stale.add(kept)
    for (const opening of this.openings) opening.isStale = true
    for (const { kept } of this.idle.splice(0)) kept.close()
  }

  /** Ends those that nobody has used since. */
  sweep(since: number): void {
    const old = this.idle.filter((idle) => idle.since <= since || !idle.kept.connection.isAlive())
    for (const idle of old) {
      this.idle.splice(this.idle.indexOf(idle), 1)
      idle.kept.close()
    }
  }

  /** Ends all of them, those in use at once: whoever closes it has waited. Nobody is served any more. */
  close(cause: Cause.Cause<MailerError>): void {
    this.closed = cause
    this.forget()
    for (const { connection } of this.inUse) connection.cut()
    for (const { failed } of this.waiters) failed(cause)
    this.waiters.clear()
  }

  private serve(kept: Kept): boolean {
    const [waiter] = this.waiters
    if (waiter === undefined) return false
    this.waiters.delete(waiter)
    this.inUse.add(kept)
    waiter.served(kept)
    return true
  }

  /** Opens as many as there are who wait for one, and room for; whom it is opened for is served in turn. */
  private openMore(): void {
    // Where one fails at once, for a breaker is open, the loop goes on: a call in a call would get as deep as many wait.
    if (this.isOpening) return
    this.isOpening = true
    while (this.closed === undefined && this.size < this.max) {
      const waiter = [...this.waiters][this.openings.size]
      if (waiter === undefined) break
      this.open(waiter)
    }
    this.isOpening = false
  }

  private open(waiter: Waiter): void {
    const opening: Opening = { giveUp: () => {}, isStale: false }
    this.openings.add(opening)
    /** Whether it was given up. */
    const isEnded = () => {
      this.openings.delete(opening)
      return this.leaving.delete(opening)
    }
    opening.giveUp = waiter.open(
      (kept, now) => {
        if (isEnded() || opening.isStale) this.stale.add(kept)
        this.give(kept, now)
      },
      (cause) => {
        // As long as one is being opened for each who waits, it is nobody's.
        const [first] = this.waiters
        if (!isEnded() && first !== undefined && this.openings.size < this.waiters.size) {
          this.waiters.delete(first)
          first.failed(cause)
        }
        this.openMore()
      }
    )
  }
}
