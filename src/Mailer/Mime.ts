/**
 * A body that was made elsewhere as MIME: its own header block is read strictly, and only what describes the body is kept.
 */
import { isAscii } from "node:buffer"
import * as Either from "effect/Either"
import * as Lines from "../Lines.ts"

/** A MIME entity without the headers of a mail. */
export interface Mime {
  /** Content-* and MIME-Version as they stood, folded lines and all; lines end with CRLF, the last one too. */
  readonly headers: string
  /** What follows the empty line, one character an octet; lines end with CRLF. */
  readonly content: string
}

/** What is wrong with a header block: a line of it, counted from 1. */
type BlockFault = `header, line ${number}`

/** The rule that the bytes broke; safe to log, it quotes no more than the name of a header about the body. */
export type MimeFault = BlockFault | `header ${string} twice` | "line too long" | "NUL" | "not 7-bit"

/** A header field as it stands in a message. */
export interface Field {
  /** In lower case. */
  readonly name: string
  /** With its folded lines and the CRLF at its end. */
  readonly text: string
}

/** RFC 5322 2.2: a name, a colon, no controls but tabs; a folded line holds more than white space. */
const first = /^([!-9;-~]+):[\t -~\u0080-\u00ff]*$/
const folded = /^[\t ]+[!-~\u0080-\u00ff][\t -~\u0080-\u00ff]*$/

/** What describes a body (RFC 2045 3); every other header is the mail's, and the mail has its own. */
const isAboutBody = (name: string): boolean => name === "mime-version" || /^content-[a-z-]+$/.test(name)

/** Splits a message with CRLF after each line. None of the header: there is no empty line, or it is the first. */
const split = (text: string): readonly [header: string, content: string] => {
  if (text.startsWith("\r\n")) return ["", text.slice(2)]
  const end = text.indexOf("\r\n\r\n")
  return end === -1 ? [text, ""] : [text.slice(0, end + 2), text.slice(end + 4)]
}

/** Reads a header block, lines with CRLF. Left: a line is neither a field nor the rest of one. */
const readFields = (block: string): Either.Either<ReadonlyArray<Field>, BlockFault> => {
  const fields: Array<Field> = []
  for (const [index, line] of block.split("\r\n").slice(0, -1).entries()) {
    const [, name] = first.exec(line) ?? []
    const last = fields.at(-1)
    if (name !== undefined) fields.push({ name: name.toLowerCase(), text: `${line}\r\n` })
    else if (last !== undefined && folded.test(line)) fields.splice(-1, 1, { ...last, text: `${last.text}${line}\r\n` })
    else return Either.left(`header, line ${index + 1}` as const)
  }
  return Either.right(fields)
}

/** Reads lines with any ends. */
const readLines = (bytes: Uint8Array): Either.Either<Buffer, MimeFault> => {
  if (bytes.includes(0)) return Either.left("NUL")
  if (!isAscii(bytes)) return Either.left("not 7-bit")
  const { longest, octets } = Lines.ofOctets(bytes)
  return longest > Lines.maxLine ? Either.left("line too long") : Either.right(octets)
}

/**
 * Reads the bytes of a MIME entity. Line ends become CRLF, nothing else of the content is touched. Refused: a header block
 * that is not RFC 5322's, one of the kept headers twice, NUL, octets beyond ASCII (no server need take them), and lines
 * of more than 998 octets: to encode them anew would break what is signed.
 */
export const parse = (bytes: Uint8Array): Either.Either<Mime, MimeFault> =>
  Either.gen(function* () {
    const text = (yield* readLines(bytes)).toString("latin1")
    const [block, content] = split(text.endsWith("\r\n") ? text : `${text}\r\n`)
    const kept = (yield* readFields(block)).filter(({ name }) => isAboutBody(name))
    const twice = kept.find(({ name }, index) => kept.findIndex((field) => field.name === name) < index)
    if (twice !== undefined) return yield* Either.left(`header ${twice.name} twice` as const)
    const version = kept.some(({ name }) => name === "mime-version") ? "" : "MIME-Version: 1.0\r\n"
    return { headers: kept.map((field) => field.text).join("") + version, content }
  })

/** A message of ours with this body instead of its own. */
export const graft = (message: string, mime: Mime): Either.Either<string, BlockFault> =>
  Either.map(readFields(split(message)[0]), (fields) => {
    const own = fields.filter(({ name }) => !isAboutBody(name)).map(({ text }) => text)
    return `${own.join("")}${mime.headers}\r\n${mime.content}`
  })

/** A line of Base64. One pattern for all of them in a row would need a stack as deep as there are. */
const base64 = /^[A-Za-z0-9+/]{4,}={0,2}$/

/** Lines of Base64 that follow one another, joined. */
const base64Blocks = (content: string): ReadonlyArray<string> => {
  const blocks: Array<string> = []
  let block: number | undefined
  for (let start = 0; start < content.length; ) {
    const found = content.indexOf("\r\n", start)
    const end = found === -1 ? content.length : found
    const isBase64 = base64.test(content.slice(start, end))
    if (isBase64) block ??= start
    else if (block !== undefined) blocks.push(content.slice(block, start))
    if (!isBase64) block = undefined
    start = end + 2
  }
  if (block !== undefined) blocks.push(content.slice(block))
  return blocks
}

const equals = 0x3d

/** The octet of two hexadecimal digits, or NaN. */
const octetOf = (high: number | undefined, low: number | undefined): number =>
  Number.parseInt(/[0-9A-F]{2}/i.exec(String.fromCharCode(high ?? 0, low ?? 0))?.[0] ?? "", 16)

/** As if all of it were quoted-printable. */
const unquote = (content: string): string => {
  const octets = Buffer.from(content, "latin1")
  const plain = Buffer.allocUnsafe(octets.length)
  let length = 0
  for (let index = 0; index < octets.length; index++) {
    const octet = octets[index] ?? 0
    const [next, after] = octet === equals ? [octets[index + 1], octets[index + 2]] : []
    const isBreak = octet === equals && next === Lines.CR && after === Lines.LF
    const quoted = octet === equals && !isBreak ? octetOf(next, after) : Number.NaN
    if (!isBreak) plain[length++] = Number.isNaN(quoted) ? octet : quoted
    if (isBreak || !Number.isNaN(quoted)) index += 2
  }
  return plain.toString("utf8", 0, length)
}

/** What it says, as far as it is text: a mail server may repeat the words of a part that came encoded. */
export const textOf = ({ content }: Mime): string => {
  const decoder = new TextDecoder("utf-8", { fatal: true })
  const decoded = base64Blocks(content).flatMap((block) => {
    const text = Either.try(() => decoder.decode(Buffer.from(block, "base64")))
    return Either.isRight(text) ? [text.right] : []
  })
  return [content, unquote(content), ...decoded].join("\n")
}
