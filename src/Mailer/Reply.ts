/**
 * The replies of a mail server, as RFC 5321 4.2 lets them look.
 */

/** More of one reply is hostile; the longest EHLO replies have a few hundred octets. */
export const maxOctets = 64 * 1024

const line = /^[2-5]\d\d(?:[ -]|$)/

/** Whether it is a reply: not too long, and the same code before each of its lines (RFC 5321 4.2.1). */
export const isReadable = (reply: string): boolean => {
  if (!reply.includes("\n")) return reply.length <= maxOctets && line.test(reply)
  const code = reply.slice(0, 3)
  return reply.length <= maxOctets && reply.split(/\r?\n/).every((text) => line.test(text) && text.startsWith(code))
}

/** The code of a reply that is one. */
export const codeOf = (reply: string): number => Number(reply.slice(0, 3))

/** Beyond ASCII nothing is allowed but UTF-8 (RFC 6531 3.5). */
const decode = (octets: string): string =>
  /[\u0080-\u00ff]/.test(octets) ? Buffer.from(octets, "latin1").toString() : octets

/** Puts what a server sends together to replies. */
export class Reader {
  /** One character an octet. */
  private text = ""
  /** Where the line begins that is not complete. */
  private line = 0

  /** Whether a part of a reply has come. */
  get hasBegun(): boolean {
    return this.text !== ""
  }

  /** The replies that are complete now; of one without an end so much as tells that it is too long. */
  read(octets: Buffer): ReadonlyArray<string> {
    const text = this.text + octets.toString("latin1")
    const replies: Array<string> = []
    let start = 0
    let end = text.indexOf("\n", Math.max(this.line, this.text.length))
    while (end !== -1) {
      const isLast = text.charAt(this.line + 3) !== "-" || !/^\d{3}-/.test(text.slice(this.line, end))
      this.line = end + 1
      if (isLast) {
        const reply = text.slice(start, text.charAt(end - 1) === "\r" ? end - 1 : end)
        // An empty line is none, and means nothing.
        if (reply !== "") replies.push(decode(reply))
        start = this.line
      }
      end = text.indexOf("\n", this.line)
    }
    const rest = text.slice(start)
    if (rest.length > maxOctets) replies.push(rest)
    this.text = rest
    this.line -= start
    return replies
  }
}

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
