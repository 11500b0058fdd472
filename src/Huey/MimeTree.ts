/**
 * A tree of Python's `email.mime` objects, as eduMFA enqueues a notification with a QR image, and the bytes it stands for.
 */
import * as Either from "effect/Either"
import * as EmailClasses from "./EmailClasses.ts"
import * as ContentType from "./MimeTree/ContentType.ts"
import * as Field from "./MimeTree/Field.ts"
import * as Leaf from "./MimeTree/Leaf.ts"
import * as Part from "./MimeTree/Part.ts"
import * as Text from "./MimeTree/Text.ts"
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

type Written = Either.Either<Text.Text, MimeTreeFault>

/** The header block, the empty line and the content. */
const whole = (part: Part.Part, content: Text.Text): Written =>
  Either.map(Either.all(part.headers.map(Field.write)), (fields) =>
    Text.join([Text.of(`${fields.join("")}\r\n`), content])
  )

/** What programs pass over; left out where it cannot be sent. */
const aside = (text: string | null): Text.Text | undefined => {
  const lines = text === null ? undefined : Leaf.toCrlf(text)
  return lines !== undefined && Leaf.isSendable(lines) ? Text.of(lines) : undefined
}

/** A Content-Type that is written in another form than it was set may say another boundary. */
const boundaryOf = (part: Part.Part, type: ContentType.ContentType): string | undefined =>
  Field.isSound(Part.get(part, contentType) ?? "") ? ContentType.boundaryOf(type) : undefined

const writeMultipart = (part: Part.Part, type: ContentType.ContentType, parts: ReadonlyArray<Instance>): Written =>
  Either.flatMap(Either.all(parts.map(write)), (texts) => {
    const before = aside(part.preamble)
    const after = aside(part.epilogue)
    const inside = Text.join([...(before ? [before] : []), ...texts, ...(after ? [after] : [])])
    const own = boundaryOf(part, type)
    const boundary = own === undefined || Text.holds(inside, own) ? Text.makeBoundary(inside) : own
    const named = boundary === own ? part : Part.set(part, contentType, ContentType.withBoundary(type, boundary))
    const delimiter = Text.of(`\r\n--${boundary}\r\n`)
    const content = [
      ...(before ? [before, delimiter] : [Text.of(`--${boundary}\r\n`)]),
      ...texts.flatMap((text, index) => (index === 0 ? [text] : [delimiter, text])),
      Text.of(`\r\n--${boundary}--\r\n`),
      ...(after ? [after] : [])
    ]
    return whole(named, Text.join(content))
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
    return Either.flatMap(Leaf.write(part, payload ?? ""), ([written, content]) => whole(written, Text.of(content)))
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
  Either.map(write(tree), ({ pieces }) => Buffer.from(pieces.join(""), "latin1"))
