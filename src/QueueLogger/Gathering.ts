/**
 * Gathers the lines that are logged in one turn of the event loop, so that a busy worker writes to its file once for many
 * attempts. A line waits for nothing but the events that have come already.
 */
import type { Sink } from "./Sink.ts"

/** Characters that are gathered at most: two processes do not mix what a local file system writes in one piece. */
const most = 32 * 1024

export interface Gathering {
  /** Takes a line; one that is `urgent` is written at once, with those before it. */
  readonly write: (line: string, urgent: boolean) => void
  readonly close: () => void
}

export const make = (sink: Sink): Gathering => {
  let gathered = ""

  const flush = () => {
    if (gathered === "") return
    const lines = gathered
    gathered = ""
    sink.write(lines)
  }

  return {
    write: (line, urgent) => {
      if (gathered.length + line.length > most) flush()
      if (gathered === "") {
        if (!urgent) setImmediate(flush)
        gathered = line
      } else {
        gathered += `\n${line}`
      }
      if (urgent) flush()
    },
    close: () => {
      flush()
      sink.close()
    }
  }
}
