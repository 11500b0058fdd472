/**
 * A part without parts whose payload not every mail server takes as it is: the octets it stands for in other lines.
 */
import * as Either from "effect/Either"
import { wrap as wrapBase64 } from "nodemailer/lib/base64"
import { wrap as wrapQuoted } from "nodemailer/lib/qp"
import * as Lines from "../../Lines.ts"
import * as Part from "./Part.ts"

const encodingHeader = "Content-Transfer-Encoding"

/** RFC 2045 6.7 and 6.8. */
const encodedLine = 76

/** Neither ASCII nor an octet that Python escaped: such text Python cannot write either. */
const unencoded = /[\u0080-\udc7f\udd00-\u{10ffff}]/u

/** Encodings that are none: the payload is what they say. */
const identities: ReadonlySet<string> = new Set(["", "7bit", "8bit", "binary"])

const inBase64 = (encoded: string): string => `${wrapBase64(encoded, encodedLine)}\r\n`

/** Line by line, for each that is short enough stays as it is, and costs nothing. */
const wrapLong = ({ octets }: Lines.Lines): string => {
  const text = octets.toString("latin1")
  const wrapped: Array<string> = []
  let kept = 0
  for (let start = 0; start < text.length; ) {
    const found = text.indexOf("\r\n", start)
    const end = found === -1 ? text.length : found
    if (end - start > Lines.maxLine) {
      wrapped.push(text.slice(kept, start), wrapQuoted(text.slice(start, end), encodedLine))
      kept = end
    }
    start = end + 2
  }
  return `${wrapped.join("")}${text.slice(kept)}`
}

/** An encoded payload that is ASCII, with its lines wrapped anew. */
const rewrap = (lines: Lines.Lines, encoding: string): Lines.Lines | undefined =>
  encoding === "base64"
    ? Lines.read(inBase64(Lines.withoutBlanks(lines)))
    : encoding === "quoted-printable"
      ? Lines.read(wrapLong(lines))
      : undefined

/**
 * The part and its lines. A payload is wrapped anew where it is encoded, and encoded in base64 where it is not, as
 * Python's `as_string` does with octets; the octets it stands for stay the same. `lines`: what it is as it stands.
 */
export const encode = (
  part: Part.Part,
  payload: string,
  lines: Lines.Lines | undefined
): Either.Either<readonly [part: Part.Part, lines: Lines.Lines], "encoding"> => {
  const encoding = (Part.get(part, encodingHeader) ?? "").trim().toLowerCase()
  if (identities.has(encoding)) {
    if (unencoded.test(payload)) return Either.left("encoding")
    // The low byte of an escape is the octet.
    const encoded = Lines.read(inBase64(Buffer.from(payload, "latin1").toString("base64")))
    return encoded === undefined
      ? Either.left("encoding")
      : Either.right([Part.set(part, encodingHeader, "base64"), encoded])
  }
  const wrapped = lines === undefined ? undefined : rewrap(lines, encoding)
  return Lines.isSendable(wrapped) ? Either.right([part, wrapped]) : Either.left("encoding")
}
