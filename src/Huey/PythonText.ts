/**
 * Python's texts and integers: UTF-8 with surrogates, escapes of protocol 0, and integers beyond a double.
 */
import { isUtf8 } from "node:buffer"

/** A number where a double holds the integer exactly, else the bigint. */
export const narrow = (value: bigint): number | bigint =>
  value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value

const replacement = "\uFFFD"

/**
 * Decodes UTF-8 in which a lone surrogate may stand as three bytes (Python's `surrogatepass`); nothing for what is
 * neither.
 */
export const fromUtf8 = (bytes: Buffer, start: number, end: number): string | undefined => {
  const text = bytes.toString("utf8", start, end)
  // A replacement character tells that something was not UTF-8, or that somebody wrote one.
  if (!text.includes(replacement) || isUtf8(bytes.subarray(start, end))) return text
  return fromUtf8Slowly(bytes, start, end)
}

const fromUtf8Slowly = (bytes: Buffer, start: number, end: number): string | undefined => {
  const units = Buffer.allocUnsafe(2 * (end - start))
  let length = 0
  const write = (unit: number) => {
    units[length++] = unit & 0xff
    units[length++] = unit >> 8
  }
  for (let index = start; index < end; ) {
    const lead = bytes[index] ?? 0
    const size = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0
    if (size === 0 || index + size > end) return undefined
    let point = size === 1 ? lead : lead & (0x7f >> size)
    for (let offset = 1; offset < size; offset++) {
      const next = bytes[index + offset] ?? 0
      if ((next & 0xc0) !== 0x80) return undefined
      point = (point << 6) | (next & 0x3f)
    }
    // The shortest form only: what hides behind a longer one is not text.
    if ((size === 3 && point < 0x800) || (size === 4 && (point < 0x10000 || point > 0x10ffff))) return undefined
    if (point < 0x10000) {
      write(point)
    } else {
      write(0xd800 + ((point - 0x10000) >> 10))
      write(0xdc00 + ((point - 0x10000) & 0x3ff))
    }
    index += size
  }
  return units.toString("utf16le", 0, length)
}

const loneSurrogate = /\p{Surrogate}/u
const loneSurrogates = /\p{Surrogate}/gu

/**
 * Writes a text as UTF-8 where there is room for its `Buffer.byteLength`, lone surrogates as Python does.
 */
export const writeUtf8 = (target: Buffer, text: string, start: number): void => {
  const length = target.write(text, start)
  if (length === text.length || !loneSurrogate.test(text)) return
  // Node wrote U+FFFD for a lone surrogate, which has three bytes as well: they are written over.
  let units = 0
  let position = start
  for (const { index, 0: found } of text.matchAll(loneSurrogates)) {
    position += Buffer.byteLength(text.slice(units, index))
    const unit = found.charCodeAt(0)
    target[position] = 0xe0 | (unit >> 12)
    target[position + 1] = 0x80 | ((unit >> 6) & 0x3f)
    target[position + 2] = 0x80 | (unit & 0x3f)
    position += 3
    units = index + 1
  }
}

const escapes = /\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))?/g

/** Undoes the escapes of protocol 0, in which no other backslash is left; nothing for those Python does not write. */
export const fromRawUnicodeEscape = (line: string): string | undefined => {
  let sound = true
  const text = line.replace(escapes, (_, short: string | undefined, long: string | undefined) => {
    const point = Number.parseInt(short ?? long ?? "", 16)
    if (point <= 0x10ffff) return String.fromCodePoint(point)
    sound = false
    return ""
  })
  return sound ? text : undefined
}
