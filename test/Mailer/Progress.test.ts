import { once } from "node:events"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Progress from "../../src/Mailer/Progress.ts"

const message = Buffer.alloc(100_000, "x")

describe("stream", () => {
  it.live("notes the first and the last octet taken, and says when the dot is due", () =>
    Effect.gen(function* () {
      const progress = Progress.unsafeMake()
      const stages: Array<string> = []
      const stream = Progress.stream(message, progress, {
        mayBegin: () => true,
        onDot: () => stages.push(`dot in ${progress.stage}`)
      })
      expect(progress.stage).toBe("Connect")
      let octets = 0
      stream.on("data", (chunk: Buffer) => {
        octets += chunk.length
        if (stages.length === 0) stages.push(progress.stage)
      })
      yield* Effect.promise(() => once(stream, "end"))
      expect(octets).toBe(100_000)
      expect(stages).toEqual(["Body", "dot in Dot"])
      expect(Progress.abandon(progress)).toBe(false)
    })
  )

  it("never ends once the mail was abandoned", () => {
    const progress = Progress.unsafeMake()
    const stream = Progress.stream(message, progress, {
      mayBegin: () => true,
      onDot: () => expect.fail("the dot was handed over")
    })
    expect(Buffer.isBuffer(stream.read(10))).toBe(true)
    expect(progress.stage).toBe("Body")
    expect(Progress.abandon(progress)).toBe(true)
    while (stream.read() !== null);
    stream.read(0)
    expect(progress.stage).toBe("Body")
    expect(stream.readableEnded).toBe(false)
  })

  it("hands nothing over where the server did not ask for it", () => {
    const progress = Progress.unsafeMake()
    const stream = Progress.stream(message, progress, {
      mayBegin: () => false,
      onDot: () => expect.fail("the dot was handed over")
    })
    expect(stream.read(10)).toBe(null)
    expect(progress.stage).toBe("Connect")
  })
})
