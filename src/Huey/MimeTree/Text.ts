/**
 * The text of a part in pieces, each read once: a deep tree is neither copied nor searched again at each of its levels.
 */
import { createHash } from "node:crypto"

/** Whole lines, up to the end of the last piece; each piece but the first begins a line, or with a line break. */
export interface Text {
  readonly pieces: ReadonlyArray<Buffer>
  /** Of the boundaries that were watched for, those that a line would be taken for. */
  readonly taken: ReadonlySet<string>
  /** Of all that the text says. */
  readonly digest: string
}

const digestOf = (parts: ReadonlyArray<string | Buffer>): string => {
  const hash = createHash("sha256")
  for (const part of parts) hash.update(part).update("\n")
  return hash.digest("hex")
}

const dash = 0x2d
const LF = 0x0a

const startsAt = (octets: Buffer, start: Buffer, at: number): boolean => {
  for (let index = 0; index < start.length; index++) if (octets[at + index] !== start[index]) return false
  return true
}

/** Programs differ in what may follow a boundary: a line that begins with it is taken for it. */
const takenIn = (octets: Buffer, watched: ReadonlyArray<string>): ReadonlySet<string> => {
  const taken = new Set<string>()
  if (watched.length === 0) return taken
  const starts = watched.map((boundary) => ({ boundary, start: Buffer.from(boundary, "latin1") }))
  /** Whether one begins with that octet: most lines are looked at no further. */
  const begins = new Uint8Array(256)
  for (const { start } of starts) begins[start[0] ?? 0] = 1
  for (let at = 2; at < octets.length; at++) {
    if (octets[at - 1] !== dash || octets[at - 2] !== dash || begins[octets[at] ?? 0] === 0) continue
    if (at > 2 && octets[at - 3] !== LF) continue
    for (const { boundary, start } of starts) if (startsAt(octets, start, at)) taken.add(boundary)
  }
  return taken
}

/** One piece, of ASCII, in which these boundaries are watched for. */
export const of = (piece: Buffer | string, watched: ReadonlyArray<string>): Text => {
  const octets = typeof piece === "string" ? Buffer.from(piece, "latin1") : piece
  return { pieces: [octets], taken: takenIn(octets, watched), digest: digestOf([octets]) }
}

/** One text after the other. */
export const join = (texts: ReadonlyArray<Text>): Text => ({
  pieces: texts.flatMap(({ pieces }) => pieces),
  taken: new Set(texts.flatMap(({ taken }) => [...taken])),
  digest: digestOf(texts.map(({ digest }) => digest))
})

/**
 * A boundary for the text, of the same one always the same, so that all attempts have the same bytes. No text holds its
 * own: it would hold its digest.
 */
export const makeBoundary = ({ digest }: Text): string =>
  // As Python's look: an equals sign before a digit stands in no encoded text.
  `===============${digest.slice(0, 32)}==`
