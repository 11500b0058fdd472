/**
 * Tells a mail server that lets us send nothing from one that refuses a recipient: RFC 3463 has 5.7.x for both.
 */
import * as Bounded from "../../Bounded.ts"
import type { Delivery } from "../../Mailer.ts"

/** So many different recipients in a row, and nobody else between them. */
const limit = 5

/** More are forgotten: a site has a few mail servers, and a job may name any. */
const maxServers = 1_000

/** Delivery not authorised (RFC 3463 3.8), told for good. */
const isDenial = (reason: string): boolean => /^5\d\d[ -]5\.7\.\d/.test(reason)

export class Denials {
  /** By server: whom it denied since it last took a mail. */
  private readonly denied = new Map<string, Set<string>>()

  /** Notes what became of a mail; true: this server takes nothing from us. */
  note(server: string, { accepted, refused }: Delivery): boolean {
    const denials = refused.filter(({ reason }) => isDenial(reason))
    if (accepted.length > 0 || denials.length === 0) {
      if (accepted.length > 0) this.denied.delete(server)
      return false
    }
    const recipients = this.denied.get(server) ?? new Set()
    Bounded.set(this.denied, server, recipients, maxServers)
    // Only their number counts from there on.
    for (const { recipient } of denials) if (recipients.size < limit) recipients.add(recipient)
    return recipients.size >= limit
  }
}
