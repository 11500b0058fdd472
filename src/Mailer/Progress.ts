/**
 * How far a mail has come on its connection. The step to the final dot is taken here, in one turn of the event loop
 * together with the question whether the attempt was stopped: so "surely not sent" and "maybe sent" are told apart.
 */
import type { Writable } from "node:stream"

/** `Dot`: the final dot was handed over; from now on only the reply says whether the mail was sent. */
export type Stage = "Connect" | "Login" | "Envelope" | "Body" | "Dot"

/** Written synchronously by the connection and by whoever stops it. */
export interface Progress {
  stage: Stage
  /** The final dot is never handed over any more. */
  abandoned: boolean
  /** Ends what the mail waits for, once it is abandoned; set by whoever waits. */
  onAbandon: () => void
}

export const unsafeMake = (): Progress => ({ stage: "Connect", abandoned: false, onAbandon: () => {} })

/** Forbids the final dot. False: too late, it was handed over. */
export const abandon = (progress: Progress): boolean => {
  if (progress.stage === "Dot") return false
  if (progress.abandoned) return true
  progress.abandoned = true
  progress.onAbandon()
  return true
}

/** Octets handed over at a time: small enough that a body the server stops reading is seen as not sent. */
const chunkOctets = 64 * 1024

/** So short a message and its dot are in no buffer on the way that fills up, and leave in one piece. */
const shortOctets = 4 * 1024

const dot = Buffer.from(".\r\n")

/** RFC 5321 4.5.2: a line that begins with a dot gets another one. */
const stuffed = (message: Buffer): Buffer => {
  const isFirst = message[0] === dot[0]
  if (!isFirst && !message.includes("\r\n.")) return message
  const text = message.toString("latin1").replaceAll("\r\n.", "\r\n..")
  return Buffer.from(isFirst ? `.${text}` : text, "latin1")
}

/**
 * Hands a message, whose lines end with CRLF, over to `wire` as fast as it takes it, and then the final dot. Stops where
 * the mail is abandoned or `wire` has ended.
 */
export const transfer = (message: Buffer, progress: Progress, wire: Writable, onDot: () => void): void => {
  const octets = stuffed(message)
  const isShort = octets.length <= shortOctets
  let offset = 0
  const go = () => {
    while (!progress.abandoned && !wire.destroyed) {
      if (isShort || offset >= octets.length) {
        progress.stage = "Dot"
        onDot()
        wire.write(isShort ? Buffer.concat([octets, dot]) : dot)
        return
      }
      const chunk = octets.subarray(offset, offset + chunkOctets)
      offset += chunkOctets
      if (!wire.write(chunk)) {
        wire.once("drain", go)
        return
      }
    }
  }
  progress.stage = "Body"
  go()
}
