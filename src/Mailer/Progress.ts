/**
 * How far a mail has come on its connection. The step to the final dot is taken here, in one turn of the event loop
 * together with the question whether the attempt was stopped: so "surely not sent" and "maybe sent" are told apart.
 */
import { Readable } from "node:stream"

/** `Dot`: the final dot was handed over; from now on only the reply says whether the mail was sent. */
export type Stage = "Connect" | "Login" | "Envelope" | "Body" | "Dot"

/** Written synchronously by the connection and by whoever stops it. */
export interface Progress {
  stage: Stage
  /** The final dot is never handed over any more. */
  abandoned: boolean
}

export const unsafeMake = (): Progress => ({ stage: "Connect", abandoned: false })

/** Forbids the final dot. False: too late, it was handed over. */
export const abandon = (progress: Progress): boolean => {
  if (progress.stage === "Dot") return false
  progress.abandoned = true
  return true
}

/** Octets handed over at a time: small enough that a body the server stops reading is seen as not sent. */
const chunkOctets = 64 * 1024

/** What the connection does as its message goes. */
export interface Watcher {
  /** Whether the server asked for the message; where not, no octet is handed over. */
  readonly mayBegin: () => boolean
  readonly onDot: () => void
}

/**
 * The message as a stream that notes when its first and its last octet are taken. Nothing reads it before the server
 * answered DATA; its end makes nodemailer send the final dot.
 */
export const stream = (message: Buffer, progress: Progress, { mayBegin, onDot }: Watcher): Readable => {
  let offset = 0
  return new Readable({
    read() {
      if (progress.abandoned || (offset === 0 && !mayBegin())) return
      if (offset < message.length) {
        progress.stage = "Body"
        const start = offset
        offset += chunkOctets
        this.push(message.subarray(start, offset))
        return
      }
      progress.stage = "Dot"
      onDot()
      this.push(null)
    }
  })
}
