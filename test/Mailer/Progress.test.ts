import { Writable } from "node:stream"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import * as Progress from "../../src/Mailer/Progress.ts"

/** Where a message goes: takes one chunk at a time when it is told to, and keeps what comes. */
const destination = (highWaterMark = 1) => {
  const seen = { chunks: [] as Buffer[], release: () => {} }
  const stream = new Writable({
    highWaterMark,
    write: (chunk: Buffer, _, done) => {
      seen.chunks.push(chunk)
      seen.release = done
    }
  })
  return { seen, stream, octets: () => seen.chunks.reduce((sum, { length }) => sum + length, 0) }
}

/** All that is due in the event loop has happened. */
const turns = Effect.promise(() => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve))))

const message = Buffer.alloc(100_000, "x")

describe("transfer", () => {
  it.live("takes the step to the final dot when the message has gone, and not before", () =>
    Effect.gen(function* () {
      const progress = Progress.unsafeMake()
      const { octets, seen, stream } = destination()
      const dots: Array<number> = []
      Progress.transfer(message, progress, stream, () => dots.push(octets()))
      expect([progress.stage, octets()]).toEqual(["Body", 65_536])
      seen.release()
      yield* turns
      expect([progress.stage, octets(), dots]).toEqual(["Body", 100_000, []])
      seen.release()
      yield* turns
      expect([progress.stage, octets(), dots]).toEqual(["Dot", 100_003, [100_000]])
      expect(seen.chunks.at(-1)?.toString()).toBe(".\r\n")
      expect(Progress.abandon(progress)).toBe(false)
    })
  )

  it("hands a short message over with its dot, in one piece", () => {
    const progress = Progress.unsafeMake()
    const { seen, stream } = destination()
    Progress.transfer(Buffer.from("short\r\n"), progress, stream, () => {})
    expect(progress.stage).toBe("Dot")
    expect(seen.chunks.map(String)).toEqual(["short\r\n.\r\n"])
  })

  it.live("never ends once the mail was abandoned, and hands nothing more over", () =>
    Effect.gen(function* () {
      const progress = Progress.unsafeMake()
      const { octets, seen, stream } = destination()
      Progress.transfer(message, progress, stream, () => {})
      expect(Progress.abandon(progress)).toBe(true)
      seen.release()
      yield* turns
      expect([progress.stage, octets()]).toEqual(["Body", 65_536])
    })
  )

  it("hands nothing over that was abandoned before", () => {
    const progress = Progress.unsafeMake()
    const { octets, stream } = destination()
    expect(Progress.abandon(progress)).toBe(true)
    Progress.transfer(message, progress, stream, () => {})
    expect([progress.stage, octets()]).toEqual(["Body", 0])
  })

  it.live("hands nothing over once its connection has ended: no dot is due any more", () =>
    Effect.gen(function* () {
      const progress = Progress.unsafeMake()
      const { octets, seen, stream } = destination()
      Progress.transfer(message, progress, stream, () => {})
      stream.destroy()
      seen.release()
      yield* turns
      expect([progress.stage, octets()]).toEqual(["Body", 65_536])
    })
  )

  it("doubles the dot that begins a line, and no other", () => {
    const text = fc.array(fc.constantFrom(".", "..", "a.", ". ", "", ".\u00e9"), { maxLength: 8 })
    fc.assert(
      fc.property(text, (lines) => {
        const { seen, stream } = destination()
        const sent = lines.map((line) => `${line}\r\n`).join("")
        Progress.transfer(Buffer.from(sent), Progress.unsafeMake(), stream, () => {})
        const received = Buffer.concat(seen.chunks).toString().split("\r\n").slice(0, -2)
        expect(received.every((line) => line !== ".")).toBe(true)
        expect(received.map((line) => line.replace(/^\./, ""))).toEqual(lines)
      })
    )
  })
})
