/**
 * Reads one string or bytes literal of Python.
 */
import * as Either from "effect/Either"

/** Why a literal has no value here: only Python could compute it, or Python itself would refuse it. */
export type StringRefusal = "Computed" | { readonly at: number; readonly detail: string }

/** A string's text, or a bytes literal with one character per byte. */
export interface PythonString {
  readonly kind: "str" | "bytes"
  readonly text: string
}

const simpleEscapes: Readonly<Record<string, string>> = {
  "\n": "",
  "\\": "\\",
  "'": "'",
  '"': '"',
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v"
}

/** How many hexadecimal digits follow; the last two exist in strings only. */
const hexEscapes: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 }

const refuse = (at: number, detail: string) => Either.left({ at, detail })

/** Prefix, quote and the place where the text between the quotes begins. */
const open = (source: string) => {
  const start = source.search(/['"]/)
  const mark = source.charAt(start)
  const quote = source.startsWith(mark.repeat(3), start) ? mark.repeat(3) : mark
  return { prefix: source.slice(0, start).toLowerCase(), quote, start: start + quote.length }
}

/** Whether the literal ends with its own quote: the grammar also takes one that the end of the line cuts off. */
export const isClosed = (source: string): boolean => {
  const { quote, start } = open(source)
  for (let i = start; i < source.length; i++) {
    if (source.startsWith(quote, i)) return i + quote.length === source.length
    // In raw strings too, a backslash keeps the quote after it from ending the string.
    if (source.charAt(i) === "\\") i++
  }
  return false
}

/** Reads a closed literal; offsets of refusals count from its first character. */
export const read = (source: string): Either.Either<PythonString, StringRefusal> => {
  const { prefix, quote, start } = open(source)
  const kind = prefix.includes("b") ? "bytes" : "str"
  const body = source.slice(start, source.length - quote.length)
  const beyond = kind === "bytes" ? [...body].findIndex((char) => char > "\x7f") : -1
  if (beyond !== -1) return refuse(start + beyond, "a bytes literal may hold ASCII characters only")
  if (prefix.includes("r")) return Either.right({ kind, text: body })
  let text = ""
  for (let i = 0; i < body.length; i++) {
    const char = body.charAt(i)
    if (char !== "\\") {
      text += char
      continue
    }
    const letter = body.charAt(++i)
    const simple = simpleEscapes[letter]
    const octal = /^[0-7]{1,3}/.exec(body.slice(i, i + 3))?.[0]
    const digits = kind === "bytes" && letter !== "x" ? undefined : hexEscapes[letter]
    if (simple !== undefined) {
      text += simple
    } else if (octal !== undefined) {
      const code = Number.parseInt(octal, 8)
      text += String.fromCharCode(kind === "bytes" ? code & 0xff : code)
      i += octal.length - 1
    } else if (digits !== undefined) {
      const hex = body.slice(i + 1, i + 1 + digits)
      const code = /^[0-9a-fA-F]+$/.test(hex) && hex.length === digits ? Number.parseInt(hex, 16) : Number.NaN
      if (!(code <= 0x10ffff)) return refuse(start + i - 1, `the escape \\${letter} needs ${digits} hexadecimal digits`)
      text += String.fromCodePoint(code)
      i += digits
    } else if (kind === "str" && letter === "N") {
      return Either.left("Computed")
    } else {
      text += `\\${letter}`
    }
  }
  return Either.right({ kind, text })
}
