/**
 * Writes data as a pickle of protocol 4, which Python reads from 3.4 on.
 */
import { HueyError } from "./HueyError.ts"
import { limits } from "./limits.ts"
import * as NaiveDateTime from "./NaiveDateTime.ts"
import { Census, checkKey, Instance, TimeDelta, Tuple } from "./PickleValue.ts"
import * as Text from "./PythonText.ts"

const protocol = 4

/** What most messages need; a larger one doubles it. */
const firstSize = 2048

/** A text up to this length is written faster here than it takes to call Node's writer. */
const shortText = 64

const MARK = 0x28
const STOP = 0x2e
const NONE = 0x4e
const NEWTRUE = 0x88
const NEWFALSE = 0x89
const BININT = 0x4a
const BININT1 = 0x4b
const BININT2 = 0x4d
const LONG1 = 0x8a
const BINFLOAT = 0x47
const SHORT_BINUNICODE = 0x8c
const BINUNICODE = 0x58
const SHORT_BINBYTES = 0x43
const BINBYTES = 0x42
const EMPTY_LIST = 0x5d
const APPENDS = 0x65
const EMPTY_TUPLE = 0x29
const TUPLE = 0x74
const TUPLE1 = 0x85
const TUPLE3 = 0x87
const EMPTY_DICT = 0x7d
const SETITEMS = 0x75
const STACK_GLOBAL = 0x93
const REDUCE = 0x52
const NEWOBJ = 0x81
const BUILD = 0x62
const PROTO = 0x80

const isPlain = (value: object): value is Readonly<Record<string, unknown>> => {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

class Writer {
  private buffer = Buffer.allocUnsafe(firstSize)
  private position = 0
  private readonly census = new Census()

  result(): Buffer {
    return this.buffer.subarray(0, this.position)
  }

  private reserve(length: number): void {
    const end = this.position + length
    if (end > limits.bytes) {
      throw new HueyError({ reason: "TooLarge", detail: `a message of more than ${limits.bytes} bytes` })
    }
    if (end <= this.buffer.length) return
    const larger = Buffer.allocUnsafe(Math.min(limits.bytes, Math.max(end, 2 * this.buffer.length)))
    this.buffer.copy(larger, 0, 0, this.position)
    this.buffer = larger
  }

  byte(code: number): void {
    this.reserve(1)
    this.buffer[this.position++] = code
  }

  /** An opcode with a length of one byte, or another with one of four, and room for what it announces. */
  private header(short: number, long: number, length: number): void {
    this.reserve(5 + length)
    if (length <= 0xff) {
      this.buffer[this.position++] = short
      this.buffer[this.position++] = length
    } else {
      this.buffer[this.position++] = long
      this.position = this.buffer.writeUInt32LE(length, this.position)
    }
  }

  private text(text: string): void {
    if (text.length <= shortText && this.shortText(text)) return
    const length = Buffer.byteLength(text)
    this.header(SHORT_BINUNICODE, BINUNICODE, length)
    Text.writeUtf8(this.buffer, text, this.position)
    this.position += length
  }

  /** A text in ASCII; for anything else nothing is written. */
  private shortText(text: string): boolean {
    this.reserve(2 + text.length)
    const { buffer } = this
    const start = this.position + 2
    for (let index = 0; index < text.length; index++) {
      const unit = text.charCodeAt(index)
      if (unit > 0x7f) return false
      buffer[start + index] = unit
    }
    buffer[this.position] = SHORT_BINUNICODE
    buffer[this.position + 1] = text.length
    this.position = start + text.length
    return true
  }

  private bytes(bytes: Uint8Array): void {
    this.header(SHORT_BINBYTES, BINBYTES, bytes.length)
    this.buffer.set(bytes, this.position)
    this.position += bytes.length
  }

  private number(value: number): void {
    this.reserve(9)
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
      this.buffer[this.position++] = BINFLOAT
      this.position = this.buffer.writeDoubleBE(value, this.position)
    } else if (value >= 0 && value <= 0xff) {
      this.buffer[this.position++] = BININT1
      this.buffer[this.position++] = value
    } else if (value >= 0 && value <= 0xffff) {
      this.buffer[this.position++] = BININT2
      this.position = this.buffer.writeUInt16LE(value, this.position)
    } else if (value >= -0x80000000 && value <= 0x7fffffff) {
      this.buffer[this.position++] = BININT
      this.position = this.buffer.writeInt32LE(value, this.position)
    } else {
      this.integer(BigInt(value))
    }
  }

  private integer(value: bigint): void {
    let length = 1
    while (length <= limits.integer && BigInt.asIntN(8 * length, value) !== value) length++
    if (length > limits.integer) {
      throw new HueyError({ reason: "Limit", detail: `an integer of more than ${limits.integer} bytes` })
    }
    this.reserve(2 + length)
    this.buffer[this.position++] = LONG1
    this.buffer[this.position++] = length
    for (let rest = value, count = 0; count < length; count++, rest >>= 8n) {
      this.buffer[this.position++] = Number(rest & 0xffn)
    }
  }

  /** By index: the iterator of a tuple, whose class is none of V8's own, makes an object an item. */
  private items(items: ReadonlyArray<unknown>, depth: number): void {
    for (let at = 0; at < items.length; at++) this.value(items[at], depth + 1)
  }

  private list(items: ReadonlyArray<unknown>, depth: number): void {
    this.byte(EMPTY_LIST)
    this.byte(MARK)
    this.items(items, depth)
    this.byte(APPENDS)
  }

  private tuple(items: ReadonlyArray<unknown>, depth: number): void {
    const marked = items.length > TUPLE3 - TUPLE1 + 1
    if (marked) this.byte(MARK)
    this.items(items, depth)
    this.byte(items.length === 0 ? EMPTY_TUPLE : marked ? TUPLE : TUPLE1 + items.length - 1)
  }

  private dict(dict: Readonly<Record<string, unknown>>, depth: number): void {
    this.byte(EMPTY_DICT)
    this.byte(MARK)
    for (const key of Object.keys(dict)) {
      checkKey(key)
      this.census.value(depth)
      this.text(key)
      this.value(dict[key], depth + 1)
    }
    this.byte(SETITEMS)
  }

  /** What Python calls with the arguments to get the object back, and the instruction that calls it. */
  private made(module: string, name: string, args: ReadonlyArray<unknown>, by: number, depth: number): void {
    this.text(module)
    this.text(name)
    this.byte(STACK_GLOBAL)
    this.tuple(args, depth)
    this.byte(by)
  }

  private instance({ args, module, name, state }: Instance, depth: number): void {
    this.made(module, name, args, NEWOBJ, depth)
    if (state === undefined) return
    this.value(state, depth + 1)
    this.byte(BUILD)
  }

  private object(value: object, depth: number): void {
    if (value instanceof Tuple) this.tuple(value, depth)
    else if (Array.isArray(value)) this.list(value, depth)
    else if (value instanceof Uint8Array) this.bytes(value)
    else if (value instanceof Instance) this.instance(value, depth)
    else if (value instanceof NaiveDateTime.NaiveDateTime) {
      this.made("datetime", "datetime", [NaiveDateTime.pack(value)], REDUCE, depth)
    } else if (value instanceof TimeDelta) {
      this.made("datetime", "timedelta", [value.days, value.seconds, value.microseconds], REDUCE, depth)
    } else if (isPlain(value)) this.dict(value, depth)
    else throw new HueyError({ reason: "Forbidden", detail: "an object of a class cannot be an argument" })
  }

  value(value: unknown, depth: number): void {
    this.census.value(depth)
    if (typeof value === "string") this.text(value)
    else if (typeof value === "number") this.number(value)
    else if (value === null || value === undefined) this.byte(NONE)
    else if (typeof value === "boolean") this.byte(value ? NEWTRUE : NEWFALSE)
    else if (typeof value === "object") this.object(value, depth)
    else if (typeof value === "bigint") this.integer(value)
    else throw new HueyError({ reason: "Forbidden", detail: `a ${typeof value} cannot be an argument` })
  }
}

/**
 * The pickle of a value: what `PickleReader.read` answers with, or JSON's values; `undefined` becomes None. Throws a
 * HueyError for anything else, and for what exceeds `limits`: shared values are written out wherever they stand.
 */
export const write = (value: unknown): Buffer => {
  const writer = new Writer()
  writer.byte(PROTO)
  writer.byte(protocol)
  writer.value(value, 0)
  writer.byte(STOP)
  return writer.result()
}
