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
   * Begins to open one, and ends in one of the calls at most; answers with what gives that up. `now` is in monotonic
   * milliseconds.
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
  /** In use, and not kept when they are given back. */
  private readonly stale = new WeakSet<Kept>()
  private isClosed = false

  /** At most `max` at a time, those that are being opened among them. */
  constructor(max: number) {
    this.max = max
  }

  /** Nothing is open, nobody waits: it may be dropped. */
  get isEmpty(): boolean {
    return this.idle.length + this.inUse.size + this.waiters.size + this.openings.size === 0
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
    this.waiters.add(waiter)
    progress.onAbandon = () => {
      if (!this.waiters.delete(waiter)) return
      gone()
      // Nobody waits for the last one any more: a server that does not answer has no more connections than mails.
      const last = [...this.openings].at(-1)
      if (last === undefined || this.openings.size <= this.waiters.size) return
      this.openings.delete(last)
      last.giveUp()
    }
    this.openMore()
  }

  /** Takes one back; `now` is in monotonic milliseconds. */
  give(kept: Kept, now: number): void {
    this.inUse.delete(kept)
    const { connection } = kept
    if (this.isClosed || this.stale.has(kept) || !connection.isAlive() || connection.mails() >= maxMails) {
      kept.close()
      this.openMore()
      return
    }
    connection.rest()
    if (!this.serve(kept)) this.idle.push({ kept, since: now })
  }

  /** Keeps none of those that are open: those in use end when they are given back. */
  forget(): void {
    for (const kept of this.inUse) this.stale.add(kept)
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
    this.isClosed = true
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
    while (!this.isClosed && this.openings.size + this.inUse.size + this.idle.length < this.max) {
      const waiter = [...this.waiters][this.openings.size]
      if (waiter === undefined) return
      const opening: Opening = { giveUp: () => {} }
      this.openings.add(opening)
      const giveUp = waiter.open(
        (kept, now) => {
          if (this.openings.delete(opening)) this.give(kept, now)
          else kept.close()
        },
        (cause) => {
          if (!this.openings.delete(opening)) return
          const [first] = this.waiters
          if (first !== undefined) {
            this.waiters.delete(first)
            first.failed(cause)
          }
          this.openMore()
        }
      )
      opening.giveUp = giveUp
    }
  }
}
