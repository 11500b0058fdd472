/**
 * A part without parts: its payload in lines that any mail server takes. What is fit for that stays as Python encoded it.
 */
import * as Either from "effect/Either"
import { wrap as wrapBase64 } from "nodemailer/lib/base64"
import { wrap as wrapQuoted } from "nodemailer/lib/qp"
import { maxLine } from "./Field.ts"
import * as Part from "./Part.ts"

const encodingHeader = "Content-Transfer-Encoding"

/** Line ends as they are on the wire. */
export const toCrlf = (text: string): string =>
  text.includes("\r") ? text.replaceAll(/\r\n|\r|\n/g, "\r\n") : text.replaceAll("\n", "\r\n")

/** Whether every server takes a text: ASCII without NUL, in lines of 998 octets at most. */
export const isSendable = (text: string): boolean => {
  if (text.includes("\0") || /[\u0080-\uffff]/.test(text)) return false
  for (let start = 0; start < text.length; ) {
    const end = text.indexOf("\n", start)
    if ((end === -1 ? text.length : end - 1) - start > maxLine) return false
    if (end === -1) break
    start = end + 1
  }
  return true
}

/** Neither ASCII nor an octet that Python escaped: such text Python cannot write either. */
const unencoded = /[\u0080-\udc7f\udd00-\u{10ffff}]/u

/** Encodings that are none: the payload is what they say. */
const identities: ReadonlySet<string> = new Set(["", "7bit", "8bit", "binary"])

/**
 * The part and its lines. A payload that not every server takes is wrapped anew where it is encoded, and encoded in
 * base64 where it is not, as Python's `as_string` does with octets; the octets it stands for stay the same.
 */
export const write = (
  part: Part.Part,
  payload: string
): Either.Either<readonly [part: Part.Part, content: string], "encoding"> => {
  const lines = toCrlf(payload)
  if (isSendable(lines)) return Either.right([part, lines])
  const encoding = (Part.get(part, encodingHeader) ?? "").trim().toLowerCase()
  if (identities.has(encoding) && !unencoded.test(payload)) {
    // The low byte of an escape is the octet.
    const encoded = wrapBase64(Buffer.from(payload, "latin1").toString("base64"), 76)
    return Either.right([Part.set(part, encodingHeader, "base64"), `${encoded}\r\n`])
  }
  const wrapped =
    encoding === "base64"
      ? `${wrapBase64(payload.replaceAll(/\s+/g, ""), 76)}\r\n`
      : encoding === "quoted-printable"
        ? wrapQuoted(lines, 76)
        : lines
  return isSendable(wrapped) ? Either.right([part, wrapped]) : Either.left("encoding")
}
