/**
 * A tree of Python's `email.mime` objects, as eduMFA enqueues a notification with a QR image, and the bytes it stands for.
 */
import { createHash } from "node:crypto"
import * as Either from "effect/Either"
import * as EmailClasses from "./EmailClasses.ts"
import * as ContentType from "./MimeTree/ContentType.ts"
import * as Field from "./MimeTree/Field.ts"
import * as Leaf from "./MimeTree/Leaf.ts"
import * as Part from "./MimeTree/Part.ts"
import { Instance } from "./PickleValue.ts"

/** A tree that was read from a message. */
export type MimeTree = Instance

/**
 * Why a tree has no bytes; safe to log, it quotes nothing. `header`: a name or a value that would become more than one
 * header; `line too long`: a header that cannot be folded; `encoding`: text that is not in the encoding it claims, or in
 * none; `parts`: parts where there can be none.
 */
export type MimeTreeFault = "header" | "line too long" | "encoding" | "parts"

/** Whether an argument is a tree. */
export const isMimeTree = (value: unknown): value is MimeTree =>
  value instanceof Instance && EmailClasses.isMimePart(value)

const contentType = "Content-Type"

type Written = Either.Either<string, MimeTreeFault>

/** The header block, the empty line and the content. */
const whole = (part: Part.Part, content: string): Written =>
  Either.map(Either.all(part.headers.map(Field.write)), (fields) => `${fields.join("")}\r\n${content}`)

/** Whether a line of the text would be taken for this boundary: programs differ in what may follow it. */
const holds = (text: string, boundary: string): boolean =>
  text.startsWith(`--${boundary}`) || text.includes(`\n--${boundary}`)

/** Of the same text always the same one, so that all attempts at a mail have the same bytes. */
const makeBoundary = (text: string): string => {
  for (let count = 0; ; count++) {
    const digest = createHash("sha256").update(text).update(String(count)).digest("hex")
    // As Python's look: an equals sign before a digit stands in no encoded text.
    const boundary = `===============${digest.slice(0, 32)}==`
    if (!holds(text, boundary)) return boundary
  }
}

/** What programs pass over; left out where it cannot be sent. */
const aside = (text: string | null): string | undefined => {
  const lines = text === null ? undefined : Leaf.toCrlf(text)
  return lines !== undefined && Leaf.isSendable(lines) ? lines : undefined
}

/** A Content-Type that is written in another form than it was set may say another boundary. */
const boundaryOf = (part: Part.Part, type: ContentType.ContentType): string | undefined =>
  Field.isSound(Part.get(part, contentType) ?? "") ? ContentType.boundaryOf(type) : undefined

const writeMultipart = (part: Part.Part, type: ContentType.ContentType, parts: ReadonlyArray<Instance>): Written =>
  Either.flatMap(Either.all(parts.map(write)), (texts) => {
    const preamble = aside(part.preamble)
    const epilogue = aside(part.epilogue)
    const all = [preamble ?? "", ...texts, epilogue ?? ""].join("\r\n")
    const own = boundaryOf(part, type)
    const boundary = own === undefined || holds(all, own) ? makeBoundary(all) : own
    const named = boundary === own ? part : Part.set(part, contentType, ContentType.withBoundary(type, boundary))
    const before = preamble === undefined ? "" : `${preamble}\r\n`
    const between = texts.join(`\r\n--${boundary}\r\n`)
    return whole(named, `${before}--${boundary}\r\n${between}\r\n--${boundary}--\r\n${epilogue ?? ""}`)
  })

const write = (tree: Instance): Written => {
  const part = Part.make(tree)
  const { payload } = part
  if (!part.headers.every(Field.isHeader)) return Either.left("header")
  const type = ContentType.parse((Part.get(part, contentType) ?? part.defaultType).replaceAll(/[\r\n]+/g, ""))
  const [top] = type.type.split("/")
  if (top === "multipart" && typeof payload !== "string") return writeMultipart(part, type, payload ?? [])
  if (typeof payload === "string" || payload === null) {
    const isComposite = top === "multipart" || top === "message"
    // Its text is parts already, which may not be encoded as a whole (RFC 2045 6.4).
    if (isComposite && !Leaf.isSendable(Leaf.toCrlf(payload ?? ""))) return Either.left("encoding")
    return Either.flatMap(Leaf.write(part, payload ?? ""), ([written, content]) => whole(written, content))
  }
  const [message, ...more] = payload
  // A message within a message, as MIMEMessage has it.
  if (top !== "message" || message === undefined || more.length > 0) return Either.left("parts")
  return Either.flatMap(write(message), (content) => whole(part, content))
}

/**
 * The bytes that Python's `as_bytes` means: the same parts with the same types, headers and decoded payloads, in lines
 * of ASCII of at most 998 octets with CRLF. A boundary that is missing, that no mail program need read, or that a part
 * holds is replaced. The tree must have been read by this codec, which has checked what it holds.
 */
export const toBytes = (tree: MimeTree): Either.Either<Uint8Array, MimeTreeFault> =>
  Either.map(write(tree), (text) => Buffer.from(text, "latin1"))
