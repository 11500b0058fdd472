/**
 * The text of a part in pieces: a deep tree is not copied once for each of its levels.
 */
import { createHash } from "node:crypto"

/** Whole lines, up to the end of the last piece; each piece but the first begins a line, or with a line break. */
export interface Text {
  readonly pieces: ReadonlyArray<string>
  /** Those with a line that begins as a boundary does: the others need not be searched for one. */
  readonly suspects: ReadonlyArray<string>
  /** Of all that the text says. */
  readonly digest: string
}

const startsLine = (piece: string, start: string): boolean => piece.startsWith(start) || piece.includes(`\n${start}`)

const digestOf = (parts: ReadonlyArray<string>): string => {
  const hash = createHash("sha256")
  for (const part of parts) hash.update(part).update("\n")
  return hash.digest("hex")
}

/** One piece. */
export const of = (piece: string): Text => ({
  pieces: [piece],
  suspects: startsLine(piece, "--") ? [piece] : [],
  digest: digestOf([piece])
})

/** One text after the other. */
export const join = (texts: ReadonlyArray<Text>): Text => ({
  pieces: texts.flatMap(({ pieces }) => pieces),
  suspects: texts.flatMap(({ suspects }) => suspects),
  digest: digestOf(texts.map(({ digest }) => digest))
})

/** Whether a line would be taken for this boundary: programs differ in what may follow it. */
export const holds = ({ suspects }: Text, boundary: string): boolean =>
  suspects.some((piece) => startsLine(piece, `--${boundary}`))

/** A boundary that the text does not hold; of the same text always the same, so that all attempts have the same bytes. */
export const makeBoundary = (text: Text): string => {
  for (let count = 0; ; count++) {
    // As Python's look: an equals sign before a digit stands in no encoded text.
    const boundary = `===============${digestOf([text.digest, String(count)]).slice(0, 32)}==`
    if (!holds(text, boundary)) return boundary
  }
}
