/**
 * A tree of Python's `email.mime` objects, as eduMFA enqueues a notification with a QR image, and the bytes it stands for.
 */
import * as Either from "effect/Either"
import * as Lines from "../Lines.ts"
import * as EmailClasses from "./EmailClasses.ts"
import { limits } from "./limits.ts"
import * as ContentType from "./MimeTree/ContentType.ts"
import * as Field from "./MimeTree/Field.ts"
import * as Leaf from "./MimeTree/Leaf.ts"
import * as Part from "./MimeTree/Part.ts"
import * as Text from "./MimeTree/Text.ts"
import { Instance } from "./PickleValue.ts"

/** A tree that was read from a message. */
export type MimeTree = Instance

/**
 * Why a tree has no bytes; safe to log, it quotes no more than the name of a header. `size`: more than a body may have;
 * `header`: a name or a value that would become more than one header; `headers`: more of them than any mail has; `line too
 * long`: a header that cannot be folded; `encoding`: text that is not in the encoding it claims, or in none; `parts`: parts
 * where there can be none.
 */
export type MimeTreeFault =
  | "size"
  | "headers"
  | "encoding"
  | "parts"
  | `header ${string}`
  | `line too long: header ${string}`

/** Whether an argument is a tree. */
export const isMimeTree = (value: unknown): value is MimeTree =>
  value instanceof Instance && EmailClasses.isMimePart(value)

const contentType = "Content-Type"

type Written = Either.Either<Text.Text, MimeTreeFault>

/** Characters of all headers of a tree: a part has three hundred, and to encode and fold them is slow. */
const maxHeaders = 1024 * 1024

/** Characters of headers, and of everything else. */
const measure = (tree: Instance): readonly [headers: number, others: number] => {
  const part = Part.make(tree)
  const { payload } = part
  const parts = typeof payload === "string" || payload === null ? [] : payload.map(measure)
  const text = typeof payload === "string" ? payload.length : 0
  return [
    parts.reduce((sum, [headers]) => sum + headers, Part.headerLength(part)),
    parts.reduce((sum, [, others]) => sum + others, text + (part.preamble?.length ?? 0) + (part.epilogue?.length ?? 0))
  ]
}

/** The header block, the empty line and the content; `watched` are the boundaries of the parts around it. */
const whole = (part: Part.Part, content: Text.Text, watched: ReadonlyArray<string>): Written =>
  Either.map(Either.all(part.headers.map(Field.write)), (fields) =>
    Text.join([Text.of(`${fields.join("")}\r\n`, watched), content])
  )

/** What programs pass over; left out where it cannot be sent. */
const aside = (text: string | null, watched: ReadonlyArray<string>): ReadonlyArray<Text.Text> => {
  const lines = text === null ? undefined : Lines.read(text)
  return Lines.isSendable(lines) ? [Text.of(lines.octets, watched)] : []
}

/** A Content-Type that is written in another form than it was set may say another boundary. */
const boundaryOf = (value: string, type: ContentType.ContentType): string | undefined =>
  Field.isSound(value) ? ContentType.boundaryOf(type) : undefined

const writeMultipart = (
  part: Part.Part,
  type: ContentType.ContentType,
  parts: ReadonlyArray<Instance>,
  watched: ReadonlyArray<string>
): Written => {
  const own = boundaryOf(Part.get(part, contentType) ?? "", type)
  const inner = own === undefined ? watched : [...watched, own]
  return Either.flatMap(Either.all(parts.map((child) => write(child, inner))), (texts) => {
    const before = aside(part.preamble, inner)
    const after = aside(part.epilogue, inner)
    const inside = Text.join([...before, ...texts, ...after])
    const boundary = own === undefined || inside.taken.has(own) ? Text.makeBoundary(inside) : own
    const named = boundary === own ? part : Part.set(part, contentType, ContentType.withBoundary(type, boundary))
    const delimiter = Text.of(`\r\n--${boundary}\r\n`, watched)
    const content = [
      ...(before.length > 0 ? [...before, delimiter] : [Text.of(`--${boundary}\r\n`, watched)]),
      ...texts.flatMap((text, index) => (index === 0 ? [text] : [delimiter, text])),
      Text.of(`\r\n--${boundary}--\r\n`, watched),
      ...after
    ]
    return whole(named, Text.join(content), watched)
  })
}

const writeLeaf = (part: Part.Part, payload: string, isComposite: boolean, watched: ReadonlyArray<string>): Written => {
  const lines = Lines.read(payload)
  // What is fit for any mail server stays as Python encoded it.
  if (Lines.isSendable(lines)) return whole(part, Text.of(lines.octets, watched), watched)
  // Its text is parts already, which may not be encoded as a whole (RFC 2045 6.4).
  if (isComposite) return Either.left("encoding")
  return Either.flatMap(Leaf.encode(part, payload, lines), ([written, { octets }]) =>
    whole(written, Text.of(octets, watched), watched)
  )
}

const write = (tree: Instance, watched: ReadonlyArray<string>): Written => {
  const part = Part.make(tree)
  const { payload } = part
  const said = Part.get(part, contentType) ?? part.defaultType
  const wrong = [...part.headers, [contentType, said] as const].find((header) => !Field.isHeader(header))
  if (wrong !== undefined) return Either.left(`header ${Field.tell(wrong)}` as const)
  const type = ContentType.parse(said.replaceAll(/[\r\n]+/g, ""))
  const [top] = type.type.split("/")
  if (top === "multipart" && typeof payload !== "string") return writeMultipart(part, type, payload ?? [], watched)
  if (typeof payload === "string" || payload === null) {
    return writeLeaf(part, payload ?? "", top === "multipart" || top === "message", watched)
  }
  const [message, ...more] = payload
  // A message within a message, as MIMEMessage has it.
  if (top !== "message" || message === undefined || more.length > 0) return Either.left("parts")
  return Either.flatMap(write(message, watched), (content) => whole(part, content, watched))
}

/**
 * The bytes that Python's `as_bytes` means, by default as many as a message has: the same parts with the same types, headers and decoded
 * payloads, in lines of ASCII of at most 998 octets with CRLF. A boundary that is missing, that no mail program need
 * read, or that a part holds is replaced. The tree must have been read by this codec, which has checked what it holds.
 *
 * A tree that holds more than a body may is refused before any of it is written; the rest is linear in its size.
 */
export const toBytes = (tree: MimeTree, maxOctets: number = limits.bytes): Either.Either<Uint8Array, MimeTreeFault> => {
  const [headers, others] = measure(tree)
  if (headers + others > maxOctets) return Either.left("size")
  if (headers > maxHeaders) return Either.left("headers")
  return Either.flatMap(write(tree, []), ({ pieces }) => {
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0)
    return length > maxOctets ? Either.left("size" as const) : Either.right(Buffer.concat(pieces, length))
  })
}
