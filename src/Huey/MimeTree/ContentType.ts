/**
 * The Content-Type of a part: its type, and the boundary among its parameters (RFC 2045 5.1).
 */

/** A header's value, cut at the semicolons outside quotes. */
export interface ContentType {
  /** In lower case. */
  readonly type: string
  /** Each as it stood. */
  readonly parameters: ReadonlyArray<string>
}

/** What is no `type/subtype` is text, as Python's `get_content_type` has it. */
const typed = /^[!-.0-~]+\/[!-.0-~]+$/

/** Never backtracks: each of the alternatives begins with another character. */
const pieces = /(?:[^;"]|"(?:[^"\\]|\\.)*"?)+/gs

export const parse = (value: string): ContentType => {
  const [first = "", ...parameters] = (value.match(pieces) ?? []).map((piece) => piece.trim())
  const type = first.toLowerCase()
  return { type: typed.test(type) ? type : "text/plain", parameters: parameters.filter((piece) => piece !== "") }
}

const isBoundary = (parameter: string): boolean => /^boundary\s*(?:\*|=)/i.test(parameter)

/** What a boundary may be by RFC 2046 5.1.1; in quotes or without. */
const boundary = /^boundary\s*=\s*("?)([\w'()+,\-./:=? ]{0,69}[\w'()+,\-./:=?])\s*\1$/i

/** The boundary where it is one that any mail program reads. */
export const boundaryOf = ({ parameters }: ContentType): string | undefined =>
  boundary.exec(parameters.find(isBoundary) ?? "")?.[2]

const isPlain = (parameter: string): boolean => /^[\t -~]*$/.test(parameter)

/** The header's value with this boundary instead of its own, without what would have to be encoded as a whole. */
export const withBoundary = ({ type, parameters }: ContentType, boundary: string): string => {
  const others = parameters.filter((parameter) => !isBoundary(parameter) && isPlain(parameter))
  return [type, ...others, `boundary="${boundary}"`].join("; ")
}
