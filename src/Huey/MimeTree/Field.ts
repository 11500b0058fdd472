/**
 * A header of a MIME tree as lines of a message: ASCII, never one header more than there was.
 */
import * as Either from "effect/Either"
import { encodeWord, foldLines } from "nodemailer/lib/mime-funcs"
import { maxLine } from "../../Lines.ts"
import type { Header } from "./Part.ts"

/** RFC 5322 2.2, and no longer than any header's name is. */
const isName = /^[!-9;-~]{1,76}$/

/** As Python refuses it: what would be a header of its own. */
const hiddenHeader = /[\r\n][^\s:]+:/

/** Characters of a value: a Content-Type or a file name has a hundred; more would only cost time. */
const maxValue = 16_384

/** Without the line breaks at the end. No pattern: one would look at each run of them again from each of its ends. */
const trimmed = (value: string): string => {
  let end = value.length
  while (end > 0 && (value[end - 1] === "\n" || value[end - 1] === "\r")) end--
  return value.slice(0, end)
}

/** Whether a header is what any program would take for one. */
export const isHeader = ([name, value]: Header): boolean =>
  isName.test(name) && value.length <= maxValue && !hiddenHeader.test(trimmed(value))

/** Letters alone: a name of a job's own making might hold a code. */
const tellable = /^[a-z](?:[a-z-]{0,38}[a-z])?$/i

/** A header's name for the log, by which it can be found. */
export const tell = ([name]: Header): string => (tellable.test(name) ? name : "of a name that is none")

const plain = /^[\t -~]*$/
const folded = /^[\t ]+[!-~][\t -~]*$/

const linesOf = (value: string): ReadonlyArray<string> => trimmed(value).split(/\r\n|\r|\n/)

/** Whether a value may stand as it is, its own folded lines and all: what is signed would not bear another form. */
export const isSound = (value: string): boolean =>
  linesOf(value).every((line, index) => (index === 0 ? plain : folded).test(line))

const utf8 = new TextDecoder()

/** Octets that were never decoded are read as UTF-8; other lone surrogates mean nothing. */
const wellFormed = (text: string): string =>
  text
    .replaceAll(/[\udc80-\udcff]+/gu, (octets) => utf8.decode(Buffer.from(octets, "latin1")))
    .replaceAll(/\p{Cs}/gu, "\ufffd")

/** Octets of an encoded word without its frame: with it, and a space, a line keeps under 78. */
const wordLength = 60

/**
 * The field of such a header, with CRLF at its end. Text beyond ASCII becomes encoded words in UTF-8 (RFC 2047), as
 * Python writes it; line breaks that are no folding become a space, other controls are dropped.
 */
export const write = (header: Header): Either.Either<string, `line too long: header ${string}`> => {
  const [name, written] = header
  const lines = linesOf(written)
  const asItIs = `${name}: ${lines.join("\r\n")}`
  const isShort = (text: string) => text.split("\r\n").every((line) => line.length <= maxLine)
  if (isSound(written) && isShort(asItIs)) return Either.right(`${asItIs}\r\n`)
  const text = wellFormed(lines.map((line) => line.trim()).join(" "))
    .replaceAll("\t", " ")
    .replaceAll(/\p{Cc}/gu, "")
    // A folded line of blanks alone would end the header block for some programs.
    .replaceAll(/ +/g, " ")
    .trim()
  const field = foldLines(`${name}: ${plain.test(text) ? text : encodeWord(text, "B", wordLength)}`, 76)
  return isShort(field) ? Either.right(`${field}\r\n`) : Either.left(`line too long: header ${tell(header)}` as const)
}
