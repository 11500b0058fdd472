/**
 * A text as it is encoded for the wire, in slices: the event loop comes round between them, and with it heartbeats and other
 * mails. The octets are those of nodemailer's encodings of the whole.
 */
import * as Effect from "effect/Effect"
import * as base64 from "nodemailer/lib/base64"
import * as quotedPrintable from "nodemailer/lib/qp"
import * as EventLoop from "../EventLoop.ts"

/** How a text is encoded. */
export type Encoding = "7bit" | "base64" | "quoted-printable"

/** Characters of a slice, some milliseconds of work; a shorter text is one, in no time. */
export const defaultSlice = 128 * 1024

/** Octets that make a line of 76 characters in base64. */
const base64Line = 57

/** What `wrap` may still look at behind the end of a line it has made, and more: a line of 76 characters and its break. */
const ahead = 256

const isBlank = (octet: number | undefined) => octet === 0x20 || octet === 0x09

/** Calls `next` until it answers undefined, with a turn of the event loop between its answers. */
const inTurns = (next: () => string | undefined): Effect.Effect<ReadonlyArray<string>> =>
  Effect.gen(function* () {
    const all: Array<string> = []
    for (let one = next(); one !== undefined; one = next()) {
      all.push(one)
      yield* EventLoop.nextTurn
    }
    return all
  })

/** To replace millions of breaks takes four times as long, and the memory. */
const crlf = (text: string): string => text.split(/\r\n|\r|\n/).join("\r\n")

/** A turn of the event loop, where a text is so long that each step with it takes its time. */
export const pause = (text: string): Effect.Effect<void> =>
  text.length > defaultSlice ? EventLoop.nextTurn : Effect.void

/** A text with CRLF for each of its line breaks. */
export const withCrlf = (text: string, slice = defaultSlice): Effect.Effect<string> => {
  if (text.length <= slice) return Effect.sync(() => crlf(text))
  let start = 0
  return Effect.map(
    inTurns(() => {
      if (start >= text.length) return undefined
      const wanted = start + slice
      // Between the two halves of a break would be two breaks.
      const end = text[wanted - 1] === "\r" && text[wanted] === "\n" ? wanted + 1 : wanted
      const lines = crlf(text.slice(start, end))
      start = end
      return lines
    }),
    (slices) => slices.join("")
  )
}

const inBase64 = (octets: Buffer, slice: number): Effect.Effect<string> => {
  const step = Math.max(1, Math.floor(slice / base64Line)) * base64Line
  let start = 0
  return Effect.map(
    inTurns(() => {
      if (start >= octets.length) return undefined
      const wrapped = base64.wrap(base64.encode(octets.subarray(start, start + step)))
      start += step
      return wrapped
    }),
    (slices) => slices.join("\r\n")
  )
}

/** How many characters of what was wrapped became `wrapped`: an equals sign at the end of a line is always a soft break. */
const lengthBefore = (wrapped: string): number => {
  let breaks = 0
  for (let at = wrapped.indexOf("=\r\n"); at !== -1; at = wrapped.indexOf("=\r\n", at + 3)) breaks++
  return wrapped.length - 3 * breaks
}

const inQuotedPrintable = (octets: Buffer, slice: number): Effect.Effect<string> => {
  let start = 0
  // Encoded and not wrapped yet: the line that a slice ends in goes on in the next one.
  let rest = ""
  return Effect.map(
    inTurns(() => {
      if (start >= octets.length) return undefined
      let end = Math.min(octets.length, start + slice)
      // Whether a blank is encoded depends on what follows it.
      while (end < octets.length && isBlank(octets[end - 1])) end++
      rest += quotedPrintable.encode(octets.subarray(start, end))
      start = end
      const wrapped = quotedPrintable.wrap(rest)
      if (end === octets.length) return wrapped
      // Lines are made from left to right; the last ones would be others if more followed.
      const head = wrapped.slice(0, wrapped.lastIndexOf("\n", wrapped.length - ahead) + 1)
      rest = rest.slice(lengthBefore(head))
      return head
    }),
    (slices) => slices.join("")
  )
}

/** The text, encoded. */
export const encode = (text: string, encoding: Encoding, slice = defaultSlice): Effect.Effect<string> => {
  switch (encoding) {
    case "base64":
      return inBase64(Buffer.from(text), slice)
    case "quoted-printable":
      return inQuotedPrintable(Buffer.from(text), slice)
    case "7bit":
      return Effect.succeed(text)
  }
}
