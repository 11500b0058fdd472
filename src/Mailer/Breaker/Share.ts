/**
 * How many mails of a worker are in hand for each mail server: one that does not answer gets half of the slots at most.
 */

/** Counts in hand; synchronous, since it is asked for every mail. */
export class Share {
  private readonly limit: number
  private readonly inHand = new Map<string, number>()
  private readonly silent = new Set<string>()

  constructor(slots: number) {
    this.limit = Math.max(1, Math.floor(slots / 2))
  }

  /** Takes a place. False: there is none for a server that has not answered since it last failed to. */
  enter(server: string): boolean {
    const count = this.inHand.get(server) ?? 0
    if (this.silent.has(server) && count >= this.limit) return false
    this.inHand.set(server, count + 1)
    return true
  }

  leave(server: string): void {
    const count = (this.inHand.get(server) ?? 0) - 1
    if (count > 0) this.inHand.set(server, count)
    else this.inHand.delete(server)
  }

  answered(server: string): void {
    this.silent.delete(server)
  }

  failed(server: string): void {
    this.silent.add(server)
  }
}
