/**
 * One record is one line: whatever could break or disguise it is escaped, and it has a largest length.
 */
import { Buffer } from "node:buffer"

/**
 * Bytes of a line without its newline. Long enough for a stack, and far below what a local file system writes in one
 * piece, so that two processes do not mix their lines.
 */
const maxBytes = 16 * 1024

const cutMark = " [line cut]"

const printable = /^[ -~]*$/

/** C0, DEL and C1; line and paragraph separators; bidi controls; surrogates without their other half. */
const unsafe = /[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu

const named: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }

const escapeOne = (char: string) => named[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`

/** Escapes what is no plain text: `\n`, `\r`, `\t`, and `\uXXXX` for the rest. A backslash stays as it is. */
export const escaped = (text: string): string => (printable.test(text) ? text : text.replace(unsafe, escapeOne))

/** Makes a line without its newline: escaped, and cut at `maxBytes` bytes of UTF-8 with a mark that says so. */
export const make = (text: string): string => {
  // One more than may stay: the cut below must see that there was more. Nothing longer is ever escaped.
  const line = escaped(text.length > maxBytes ? text.slice(0, maxBytes + 1) : text)
  // No UTF-16 unit takes more than three bytes of UTF-8.
  if (line.length * 3 <= maxBytes) return line
  const bytes = Buffer.from(line)
  if (bytes.length <= maxBytes) return line
  let end = maxBytes - cutMark.length
  // 10xxxxxx continues a character.
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1
  return bytes.toString("utf8", 0, end) + cutMark
}
