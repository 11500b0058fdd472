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

/** What the connection does as its message goes. */
export interface Watcher {
  /** Whether the server asked for the message; where not, no octet is handed over. */
  readonly mayBegin: () => boolean
  /** What is written in this turn of the event loop may leave in one piece. */
  readonly gather: () => void
  readonly onDot: () => void
}

/**
 * A message for nodemailer, which pipes it once the server answered DATA, and sends the final dot when it ends. Nothing
 * else of a stream is used; a real pipe costs as much as the rest of sending a mail.
 */
class Outgoing extends Readable {
  private offset = 0
  private readonly message: Buffer
  private readonly progress: Progress
  private readonly watcher: Watcher

  constructor(message: Buffer, progress: Progress, watcher: Watcher) {
    super()
    this.message = message
    this.progress = progress
    this.watcher = watcher
  }

  override pipe<T extends NodeJS.WritableStream>(destination: T): T {
    if (this.progress.abandoned || !this.watcher.mayBegin()) return destination
    this.progress.stage = "Body"
    // A second reply that came with the answer to DATA is read before, and is then none to the dot.
    queueMicrotask(() => setImmediate(() => this.write(destination)))
    return destination
  }

  private write(destination: NodeJS.WritableStream): void {
    const { message, progress, watcher } = this
    if (this.offset === 0 && message.length <= shortOctets) watcher.gather()
    // The driver destroys what it cannot send any more.
    while (!progress.abandoned && !this.destroyed) {
      if (this.offset >= message.length) {
        progress.stage = "Dot"
        watcher.onDot()
        destination.end()
        return
      }
      const chunk = message.subarray(this.offset, this.offset + chunkOctets)
      this.offset += chunkOctets
      if (!destination.write(chunk)) {
        destination.once("drain", () => this.write(destination))
        return
      }
    }
  }
}

export const stream = (message: Buffer, progress: Progress, watcher: Watcher): Readable =>
  new Outgoing(message, progress, watcher)
