/**
 * Damages messages at random, by a seed: bits, bytes, instructions, pieces, lengths.
 */

/** A stream of numbers from 0 to 1, below 1; the same for the same seed (mulberry32). */
const randomOf = (seed: number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Every instruction that Python knows, those that are refused among them. */
const opcodes = Buffer.from("().0125BCFGIJKLMNPQRSTUVX]abcdeghijloprstqu}", "latin1")
const newerOpcodes = Buffer.from(Array.from({ length: 0x99 - 0x80 }, (_, index) => 0x80 + index))

/** Instructions that claim a length, or an entry of the memo, with so many bytes for it. */
const claims: ReadonlyArray<readonly [opcode: number, size: 1 | 4 | 8]> = [
  [0x58, 4],
  [0x42, 4],
  [0x54, 4],
  [0x8b, 4],
  [0x72, 4],
  [0x6a, 4],
  [0x8d, 8],
  [0x8e, 8],
  [0x95, 8],
  [0x96, 8],
  [0x8c, 1],
  [0x43, 1],
  [0x8a, 1],
  [0x71, 1],
  [0x68, 1]
]

const telling = [0, 1, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0xffff, 0x10000, 0xffffff, 0x7fffffff, 0x80000000, 0xffffffff]

/** No message is so long that the test would be about copying. */
const maxLength = 256 * 1024

/** Answers with one damaged sample after the other. */
export const make = (seed: number, samples: ReadonlyArray<Buffer>): (() => Buffer) => {
  const random = randomOf(seed)
  const below = (limit: number) => Math.floor(random() * limit)
  const one = <A>(items: ArrayLike<A>): A => {
    const item = items[below(items.length)]
    if (item === undefined) throw new Error("nothing to choose from")
    return item
  }
  const opcode = () => (below(2) === 0 ? one(opcodes) : one(newerOpcodes))
  const number = () => (below(3) === 0 ? below(2 ** 32) : one(telling))

  const put = (bytes: Buffer, at: number, inserted: Buffer, removed = 0) =>
    Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at + removed)])
  const changed = (bytes: Buffer, at: number, value: number) => {
    const copy = Buffer.from(bytes)
    copy[at] = value
    return copy
  }
  const piece = (bytes: Buffer) => {
    const start = below(bytes.length)
    return bytes.subarray(start, start + 1 + below(below(4) === 0 ? 2_000 : 64))
  }
  const claim = () => {
    const [code, size] = one(claims)
    const bytes = Buffer.alloc(1 + size)
    bytes[0] = code
    if (size === 1) bytes[1] = below(256)
    else bytes.writeUInt32LE(number(), 1)
    if (size === 8 && below(2) === 0) bytes.writeUInt32LE(number(), 5)
    return bytes
  }

  const damages: ReadonlyArray<(bytes: Buffer) => Buffer> = [
    // A bit.
    (bytes) => {
      const at = below(bytes.length)
      return changed(bytes, at, (bytes[at] ?? 0) ^ (1 << below(8)))
    },
    // A byte.
    (bytes) => changed(bytes, below(bytes.length), below(256)),
    // An instruction instead of another one, as far as the byte is one.
    (bytes) => {
      for (let count = 0; count < 16; count++) {
        const at = below(bytes.length)
        const code = bytes[at] ?? 0
        if (opcodes.includes(code) || newerOpcodes.includes(code)) return changed(bytes, at, opcode())
      }
      return bytes
    },
    // An instruction more.
    (bytes) => put(bytes, below(bytes.length), Buffer.of(opcode())),
    // One end is lost, or a piece.
    (bytes) => bytes.subarray(0, below(bytes.length)),
    (bytes) => bytes.subarray(below(bytes.length)),
    (bytes) => put(bytes, below(bytes.length), Buffer.alloc(0), 1 + below(64)),
    // The head of one message and the tail of another, or a piece of it.
    (bytes) => {
      const other = one(samples)
      return Buffer.concat([bytes.subarray(0, below(bytes.length)), other.subarray(below(other.length))])
    },
    (bytes) => put(bytes, below(bytes.length), piece(one(samples)), below(2) === 0 ? 0 : below(64)),
    // A piece twice, or very often.
    (bytes) => put(bytes, below(bytes.length), piece(bytes)),
    (bytes) => {
      const part = piece(bytes)
      const times = 1 + below(Math.min(2_000, maxLength / part.length))
      return put(bytes, below(bytes.length), Buffer.concat(new Array<Buffer>(times).fill(part)))
    },
    // A length that is claimed, before what there is or instead of it.
    (bytes) => put(bytes, below(bytes.length), claim(), below(2) === 0 ? 0 : below(10)),
    (bytes) => {
      const at = below(bytes.length)
      const four = Buffer.alloc(4)
      four.writeUInt32LE(number())
      return put(bytes, at, four, 4)
    }
  ]

  return () => {
    let bytes = one(samples)
    for (let count = below(2) === 0 ? 1 : 1 + below(4); count > 0 && bytes.length > 0; count--) {
      bytes = one(damages)(bytes).subarray(0, maxLength)
    }
    return bytes
  }
}
