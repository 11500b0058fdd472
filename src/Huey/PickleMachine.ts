/**
 * The stack machine that a pickle is a program for: its bytes, its stack with marks, its memo; nothing else can be reached.
 */
import { HueyError, type HueyReason } from "./HueyError.ts"
import { limits } from "./limits.ts"
import * as Text from "./PythonText.ts"
import * as Words from "./Words.ts"

const newline = 0x0a

const tooShort = "the pickle ends too early, or claims more bytes than it has"

/** The state of one reading. Whatever does not fit throws a HueyError. */
export class PickleMachine {
  private readonly bytes: Buffer
  /** What lies above `height` is gone: to shorten an array costs more than all else that is done to it. */
  private readonly stack: Array<unknown> = []
  private height = 0
  private readonly marks: Array<number> = []
  private readonly memo: Array<unknown> = []
  private remembered = 0
  /** Where the stack may not be popped any further: the last mark. */
  private fence = 0
  private frameEnd = 0
  private worked = 0
  position = 0

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  fail(reason: HueyReason, detail: string): never {
    throw new HueyError({ reason, detail: `${detail} (at byte ${this.position})` })
  }

  // The bytes

  /** Claims the next bytes and answers with their start. */
  private take(length: number): number {
    const start = this.position
    if (length > this.bytes.length - start) {
      this.fail("Malformed", tooShort)
    }
    this.position = start + length
    return start
  }

  /** Every instruction begins with one, so that it is read without Node's checks of what it is told. */
  uint8(): number {
    const byte = this.bytes[this.position]
    if (byte === undefined) this.fail("Malformed", tooShort)
    this.position += 1
    return byte
  }

  uint16(): number {
    return this.bytes.readUInt16LE(this.take(2))
  }

  int32(): number {
    return this.bytes.readInt32LE(this.take(4))
  }

  uint32(): number {
    return this.bytes.readUInt32LE(this.take(4))
  }

  /** A length of eight bytes; what needs more than six is longer than any message. */
  uint64(): number {
    const start = this.take(8)
    if (this.bytes.readUInt16LE(start + 6) !== 0) this.fail("Malformed", "a length beyond the message")
    return this.bytes.readUIntLE(start, 6)
  }

  float64(): number {
    return this.bytes.readDoubleBE(this.take(8))
  }

  /** Two's complement, least significant byte first; a number, or a bigint beyond the safe integers. */
  integer(length: number): number | bigint {
    if (length > limits.integer) this.fail("Limit", `an integer of more than ${limits.integer} bytes`)
    const start = this.take(length)
    if (length === 0) return 0
    if (length <= 6) return this.bytes.readIntLE(start, length)
    const digits = Buffer.from(this.bytes.subarray(start, this.position)).reverse().toString("hex")
    return Text.narrow(BigInt.asIntN(8 * length, BigInt(`0x${digits}`)))
  }

  /** Bytes of their own, so that the message need not be kept for them. */
  copy(length: number): Uint8Array {
    const start = this.take(length)
    return new Uint8Array(this.bytes.subarray(start, start + length))
  }

  text(length: number): string {
    const start = this.take(length)
    if (length === 0) return ""
    return (
      Words.find(this.bytes, start, this.position) ??
      Text.fromUtf8(this.bytes, start, this.position) ??
      this.fail("Malformed", "a text that is not UTF-8")
    )
  }

  /** The rest of the line without its end, one character for each byte. */
  line(): string {
    const start = this.position
    const end = this.bytes.indexOf(newline, start)
    if (end === -1) this.fail("Malformed", "a line without an end")
    if (end - start > limits.line) this.fail("Limit", `a line of more than ${limits.line} bytes`)
    this.position = end + 1
    return this.bytes.toString("latin1", start, end)
  }

  /** A number's line, which is never long. */
  digits(): string {
    const line = this.line()
    return line.length <= limits.digits ? line : this.fail("Limit", "a number of too many digits")
  }

  /** Frames are a hint for reading ahead; those that lie about what there is to read are refused. */
  frame(): void {
    const length = this.uint64()
    if (length > this.bytes.length - this.position) this.fail("Malformed", "a frame longer than the message")
    if (this.position < this.frameEnd) this.fail("Malformed", "a frame inside a frame")
    this.frameEnd = this.position + length
  }

  // The stack

  push(value: unknown): void {
    if (this.height >= limits.stack) this.fail("Limit", `more than ${limits.stack} items on the stack`)
    this.stack[this.height++] = value
  }

  pop(): unknown {
    if (this.height <= this.fence) this.fail("Malformed", "an empty stack")
    this.height -= 1
    return this.stack[this.height]
  }

  peek(): unknown {
    if (this.height <= this.fence) this.fail("Malformed", "an empty stack")
    return this.stack[this.height - 1]
  }

  mark(): void {
    this.marks.push(this.fence)
    this.fence = this.height
  }

  /** Takes everything above the last mark, and the mark. */
  popToMark(): Array<unknown> {
    const below = this.marks.pop()
    if (below === undefined) this.fail("Malformed", "no mark on the stack")
    const items = this.stack.slice(this.fence, this.height)
    this.height = this.fence
    this.fence = below
    return items
  }

  /** POP takes the mark away where nothing lies above it. */
  discard(): void {
    if (this.height === this.fence && this.marks.length > 0) this.popToMark()
    else this.pop()
  }

  /** What the program leaves behind: one value, and its last byte was the last of the message. */
  result(): unknown {
    if (this.height !== 1 || this.marks.length > 0) this.fail("Malformed", "STOP with other than one value")
    if (this.position !== this.bytes.length) this.fail("Malformed", "bytes after STOP")
    return this.stack[0]
  }

  // The memo

  put(index: number): void {
    if (index >= limits.memo) this.fail("Limit", `more than ${limits.memo} memo entries`)
    const value = this.peek()
    if (this.memo[index] === undefined) this.remembered += 1
    this.memo[index] = value
  }

  memoize(): void {
    this.put(this.remembered)
  }

  get(index: number): void {
    const value = this.memo[index]
    if (value === undefined) this.fail("Malformed", "a memo entry that was never made")
    this.push(value)
  }

  /** Counts work that grows with a shared argument, so that repeating it cannot outgrow the message. */
  work(units: number): void {
    this.worked += units
    if (this.worked > limits.bytes) this.fail("Limit", "constructors repeat more work than the message has bytes")
  }
}
