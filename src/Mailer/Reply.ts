/**
 * A reply of a mail server, as RFC 5321 4.2 lets it look.
 */

/** More of one reply is hostile; the longest EHLO replies have a few hundred octets. */
export const maxOctets = 64 * 1024

const line = /^[2-5]\d\d(?:[ -]|$)/

/** Whether it is a reply: not too long, and the same code before each of its lines (RFC 5321 4.2.1). */
export const isReadable = (reply: string): boolean =>
  reply.length <= maxOctets &&
  reply.split(/\r?\n/).every((text) => line.test(text) && text.slice(0, 3) === reply.slice(0, 3))

/** The code of a reply that is one. */
export const codeOf = (reply: string): number => Number(reply.slice(0, 3))

/** nodemailer's record of a reply, made before it acts on it. */
const isReplyRecord = (record: unknown): boolean =>
  typeof record === "object" && record !== null && "tnx" in record && record.tnx === "server"

/** A logger that hands all replies on and keeps nothing; nodemailer is asked for them by `transactionLog`. */
export const logger = (onReply: (reply: string) => void) => {
  const silent = () => {}
  return {
    trace: silent,
    info: silent,
    warn: silent,
    error: silent,
    fatal: silent,
    debug: (record: unknown, reply: unknown) => {
      if (isReplyRecord(record) && typeof reply === "string") onReply(reply)
    }
  }
}
