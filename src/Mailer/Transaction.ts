/**
 * One mail on a connection that is logged in (RFC 5321 3.3): its commands, at once where the server takes them so
 * (RFC 2920), its message once the server asks for it, and what becomes of each recipient.
 *
 * nodemailer's own takes any reply that is no refusal for the invitation to send the message, knows no limit for the reply
 * to the final dot, and copies each message through two streams, which costs as much as the rest of a mail.
 */
import type { Writable } from "node:stream"
import * as Progress from "./Progress.ts"
import * as Reply from "./Reply.ts"
import { type DriverError, driverError, replyError } from "./Session.ts"

/** Addresses as they stand between angle brackets: no line break and no bracket is in them. */
export interface Envelope {
  /** Empty: nobody gets a report. */
  readonly from: string
  readonly to: ReadonlyArray<string>
  /** Octets of the message. */
  readonly size: number
}

/** What the server said it does. */
export interface Offers {
  /** First words of the lines of the EHLO reply, upper case. */
  readonly extensions: ReadonlySet<string>
  /** Octets of a message; 0: no limit. */
  readonly maxSize: number
}

/** Recipients that the server took the mail for, and those that it refused. */
export interface Sent {
  readonly accepted: ReadonlyArray<string>
  readonly refused: ReadonlyArray<DriverError>
}

export interface Options {
  readonly envelope: Envelope
  readonly message: Buffer
  readonly progress: Progress.Progress
  readonly offers: Offers
  readonly wire: Writable
  /** The final dot is handed over. */
  readonly onDot: () => void
  /** Ends the connection, and the transaction with it. */
  readonly cut: (error: DriverError) => void
  /** Called once, unless the connection ends before. */
  readonly done: (error: DriverError | undefined, sent: Sent) => void
}

const isDone = (reply: string) => reply.startsWith("2")

const refusal = (code: string, reply: string, recipient?: string): DriverError =>
  driverError("refused", { code, response: reply, responseCode: Reply.codeOf(reply), recipient })

/** The commands of an envelope in their order. */
const commandsOf = ({ from, size, to }: Envelope, { extensions }: Offers): ReadonlyArray<string> => {
  const addresses = `${from}${to.join("")}`
  // Whoever built the envelope took care of it, and what stands between brackets must never end there.
  if (/[\r\n<>]/.test(addresses)) throw new Error("an address ends its command")
  const hasUtf8 = extensions.has("SMTPUTF8")
  const parameters = [
    ...(hasUtf8 && /[^\p{ASCII}]/u.test(addresses) ? ["SMTPUTF8"] : []),
    // A message of ours is beyond ASCII only in headers, and those are for servers with SMTPUTF8.
    ...(hasUtf8 && extensions.has("8BITMIME") ? ["BODY=8BITMIME"] : []),
    ...(extensions.has("SIZE") ? [`SIZE=${size}`] : [])
  ]
  return [
    `MAIL FROM:<${from}>${parameters.map((parameter) => ` ${parameter}`).join("")}\r\n`,
    ...to.map((address) => `RCPT TO:<${address}>\r\n`),
    "DATA\r\n"
  ]
}

export class Transaction {
  private readonly options: Options
  private readonly commands: ReadonlyArray<string>
  private readonly isPipelined: boolean
  /** Replies that have come. */
  private replies = 0
  private isInvited = false
  /** The sender was refused: that is the answer, and recipients are refused for no fault of theirs. */
  mailError: DriverError | undefined
  readonly accepted: Array<string> = []
  readonly refused: Array<DriverError> = []

  /** Sends what can be sent without a reply. */
  constructor(options: Options) {
    this.options = options
    this.commands = commandsOf(options.envelope, options.offers)
    this.isPipelined = options.offers.extensions.has("PIPELINING")
    options.wire.write(this.isPipelined ? this.commands.join("") : this.commands[0])
  }

  /** Takes a reply, a readable one. */
  reply(reply: string): void {
    const { to } = this.options.envelope
    const index = this.replies++
    if (index > to.length) {
      if (index === to.length + 1) this.onData(reply)
      else this.onEnd(reply)
      return
    }
    if (index === 0) this.onMail(reply)
    else this.onRecipient(reply, to[index - 1])
    if (!this.isPipelined) this.next()
  }

  /** All replies that came at once were taken; `isMore`: a part of another came with them. */
  turn(isMore: boolean): void {
    if (!this.isInvited) return
    this.isInvited = false
    const { cut, message, onDot, progress, wire } = this.options
    // What came before the dot is no answer to it.
    if (isMore) cut(driverError("unexpected reply", { code: "EPROTOCOL" }))
    else Progress.transfer(message, progress, wire, onDot)
  }

  private onMail(reply: string): void {
    if (!isDone(reply)) this.mailError = refusal("EENVELOPE", reply)
  }

  private onRecipient(reply: string, address: string | undefined): void {
    if (address === undefined) return
    if (isDone(reply)) this.accepted.push(address)
    else this.refused.push(refusal("EENVELOPE", reply, address))
  }

  private onData(reply: string): void {
    const { cut, done, progress, wire } = this.options
    const mayGoOn = this.mailError === undefined && this.accepted.length > 0
    if (Reply.codeOf(reply) === 354) {
      if (mayGoOn) {
        progress.stage = "Body"
        this.isInvited = true
      } else if (this.mailError === undefined) {
        // RFC 2920 3.1: it goes to nobody, and the server says so once more.
        wire.write(".\r\n")
      } else {
        // A server that refused the sender is not trusted with an empty message.
        cut(this.mailError)
      }
    } else if (!mayGoOn) {
      done(this.mailError, this)
    } else if (reply.startsWith("2") || reply.startsWith("3")) {
      // RFC 5321 4.3.2: 354 is the invitation, and nothing else.
      cut(replyError("EPROTOCOL", reply))
    } else {
      done(refusal("EENVELOPE", reply), this)
    }
  }

  private onEnd(reply: string): void {
    const { cut, done, progress } = this.options
    if (progress.stage === "Body") cut(replyError("EMESSAGE", reply))
    else if (progress.stage === "Dot" && !isDone(reply)) done(refusal("EMESSAGE", reply), this)
    // It has the message, or, where it accepted nobody, has answered to the dot without one.
    else done(undefined, this)
  }

  /** The next command, where one is worth sending. */
  private next(): void {
    const { done, envelope, wire } = this.options
    const isOver = this.mailError !== undefined || (this.replies > envelope.to.length && this.accepted.length === 0)
    const command = this.commands[this.replies]
    if (isOver) done(this.mailError, this)
    else if (command !== undefined) wire.write(command)
  }
}
