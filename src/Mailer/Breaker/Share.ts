/**
 * How many mails of a worker are in hand for each mail server: one that does not answer keeps half of the slots at most.
 */
import * as Bounded from "../../Bounded.ts"

/** A mail in hand. */
export interface Hand {
  readonly server: string
  /** Monotonic milliseconds. */
  readonly since: number
  /** Ends it, unless its final dot was handed over. Absent: it is not begun. */
  giveUp: (() => void) | undefined
}

/** More are forgotten: a site has a few mail servers, and a job may name any. */
const maxServers = 1_000

/** So many milliseconds what is known of a server counts: that it answered, or that it did not. */
const memory = 60_000

/** Counts and tells; synchronous, since it is asked for every mail. */
export class Share {
  private readonly limit: number
  private readonly patience: number
  private readonly hands = new Map<string, Set<Hand>>()
  private readonly heardAt = new Map<string, number>()
  /** Since when a server has not answered, of those that failed to, and when it last did. */
  private readonly silent = new Map<string, { readonly since: number; failedAt: number }>()
  /** Who waits for a server's first answer. */
  private readonly hopeful = new Map<string, Set<() => void>>()

  private readonly isCautious: boolean

  /**
   * `patience`: a server of which no mail has ended for so many milliseconds does not answer; `isCautious`: nor does one
   * of which nothing is known.
   */
  constructor(slots: number, patience: number, isCautious: boolean) {
    this.isCautious = isCautious
    this.limit = Math.max(1, Math.floor(slots / 2))
    this.patience = patience
  }

  /**
   * Takes a place. None is left for a server that has half of them and is `Silent`, for it has not answered since it last
   * failed to, or `Unheard`: nobody knows whether it answers.
   */
  enter(server: string, now: number): Hand | "Silent" | "Unheard" {
    const hands = this.hands.get(server) ?? new Set()
    if (hands.size >= this.limit) {
      if (this.silence(server, now) !== undefined) return "Silent"
      const heardAt = this.heardAt.get(server) ?? Number.NEGATIVE_INFINITY
      if (this.isCautious && now - heardAt >= memory) return "Unheard"
    }
    const hand: Hand = { server, since: now, giveUp: undefined }
    this.hands.set(server, hands.add(hand))
    return hand
  }

  leave(hand: Hand): void {
    const hands = this.hands.get(hand.server)
    hands?.delete(hand)
    if (hands?.size === 0) this.hands.delete(hand.server)
  }

  answered(server: string, now: number): void {
    this.silent.delete(server)
    Bounded.set(this.heardAt, server, now, maxServers)
    const hopeful = this.hopeful.get(server)
    if (hopeful === undefined) return
    this.hopeful.delete(server)
    for (const resume of hopeful) resume()
  }

  /** For how long a server has not answered: since it failed to, or since the first of the mails in hand for it. */
  waiting(server: string, now: number): number {
    const [first] = this.hands.get(server) ?? []
    return now - (this.silence(server, now)?.since ?? first?.since ?? now)
  }

  /** Calls `resume` when the server has answered; answers with what takes that back. */
  hope(server: string, resume: () => void): () => void {
    const hopeful = this.hopeful.get(server) ?? new Set()
    this.hopeful.set(server, hopeful.add(resume))
    return () => {
      if (hopeful.delete(resume) && hopeful.size === 0) this.hopeful.delete(server)
    }
  }

  private silence(server: string, now: number) {
    const silence = this.silent.get(server)
    return silence !== undefined && now - silence.failedAt < memory ? silence : undefined
  }

  /** It failed to answer `now`; `since`: from then on it has not, unless it was silent before. */
  failed(server: string, now: number, since = now): void {
    const silence = this.silence(server, now)
    if (silence !== undefined) {
      silence.failedAt = now
      return
    }
    Bounded.set(this.silent, server, { since, failedAt: now }, maxServers)
  }

  /** Whether a server has more than half of the slots, as long as it answers. */
  isCrowded(): boolean {
    for (const hands of this.hands.values()) if (hands.size > this.limit) return true
    return false
  }

  /** Gives up the latest mails beyond half of the slots, where the server has been silent for too long. */
  shed(now: number): void {
    for (const [server, hands] of this.hands) {
      const heardAt = this.heardAt.get(server) ?? 0
      const late = [...hands].filter((hand) => now - Math.max(hand.since, heardAt) >= this.patience)
      const [first] = late
      if (hands.size <= this.limit || first === undefined) continue
      this.failed(server, now, Math.max(first.since, heardAt))
      for (const hand of late.slice(this.limit - hands.size)) hand.giveUp?.()
    }
  }
}
