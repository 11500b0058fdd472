/**
 * A part of a pickled MIME tree as `email.message.Message` holds it: headers, payload, and what surrounds it.
 */
import { Instance, Tuple } from "../PickleValue.ts"

/** A header as it was set: its value may be folded, and hold anything. */
export type Header = readonly [name: string, value: string]

export interface Part {
  readonly headers: ReadonlyArray<Header>
  /** Text is what goes on the wire, octets beyond ASCII as the surrogates U+DC80 to U+DCFF (`surrogateescape`). */
  readonly payload: string | ReadonlyArray<Instance> | null
  readonly preamble: string | null
  readonly epilogue: string | null
  /** Of a part without a Content-Type. */
  readonly defaultType: string
}

const text = (value: unknown): string | null => (typeof value === "string" ? value : null)

const list = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])

const attribute = (object: unknown, name: string): unknown =>
  object instanceof Instance ? object.state?.[name] : undefined

const isAscii = (charset: unknown): boolean => attribute(charset, "input_charset") === "us-ascii"

/** An `email.header.Header` as its `str`: a space where encoded text and other text meet. */
const headerText = (header: Instance): string => {
  const pieces: Array<string> = []
  // Of what is joined so far the last character alone: to look at all of it again for each chunk would be quadratic.
  let end = ""
  let last: boolean | undefined
  for (const chunk of list(attribute(header, "_chunks"))) {
    const [string, charset] = list(chunk)
    const ascii = isAscii(charset)
    const piece = text(string) ?? ""
    const meets = last !== undefined && last !== ascii
    const more = meets && !/\s/.test(end) && !/^\s/.test(piece) ? ` ${piece}` : piece
    pieces.push(more)
    end = more.at(-1) ?? end
    last = ascii
  }
  return pieces.join("")
}

const isAboutBody = (name: string): boolean => /^(?:content-|mime-version$)/i.test(name)

/** What describes a body is said once: the first counts, as it does for Python's `get`. */
const headers = (value: unknown): ReadonlyArray<Header> => {
  const said = new Set<string>()
  return list(value).flatMap((pair): ReadonlyArray<Header> => {
    const [written, value] = list(pair)
    const name = text(written) ?? ""
    if (isAboutBody(name) && said.has(name.toLowerCase())) return []
    said.add(name.toLowerCase())
    return [[name, value instanceof Instance ? headerText(value) : (text(value) ?? "")]]
  })
}

/** A multipart of one part may hold it without a list. */
const payload = (value: unknown): Part["payload"] => {
  if (value instanceof Instance) return [value]
  if (!Array.isArray(value) || value instanceof Tuple) return text(value)
  return value.filter((item): item is Instance => item instanceof Instance)
}

/** The part that an instance is; the reader of pickles has checked its state. */
export const make = (instance: Instance): Part => ({
  headers: headers(attribute(instance, "_headers")),
  payload: payload(attribute(instance, "_payload")),
  preamble: text(attribute(instance, "preamble")),
  epilogue: text(attribute(instance, "epilogue")),
  defaultType: text(attribute(instance, "_default_type")) ?? "text/plain"
})

/** Characters of its headers, of what it is by default too. */
export const headerLength = ({ headers, defaultType }: Part): number =>
  headers.reduce((sum, [name, value]) => sum + name.length + value.length, defaultType.length)

const isNamed =
  (name: string) =>
  ([key]: Header): boolean =>
    key.toLowerCase() === name.toLowerCase()

/** The value of a header as it was set; nothing where there is none. */
export const get = (part: Part, name: string): string | undefined => part.headers.find(isNamed(name))?.[1]

/** The same part with another value for a header: in its place, else behind the others. */
export const set = (part: Part, name: string, value: string): Part => {
  const headers = part.headers.map((header): Header => (isNamed(name)(header) ? [header[0], value] : header))
  return { ...part, headers: headers.some(isNamed(name)) ? headers : [...headers, [name, value]] }
}
