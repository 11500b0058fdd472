import { Writable } from "node:stream"
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Progress from "../../src/Mailer/Progress.ts"

/** Where a message goes: takes one chunk at a time when it is told to, and notes what comes. */
const destination = (highWaterMark = 1) => {
  const seen = { octets: 0, ended: Deferred.unsafeMake<void>(FiberId.none), release: () => {} }
  const stream = new Writable({
    highWaterMark,
    write: (chunk: Buffer, _, done) => {
      seen.octets += chunk.length
      seen.release = done
    },
    final: (done) => {
      Deferred.unsafeDone(seen.ended, Effect.void)
      done()
    }
  })
  return { seen, stream }
}

/** All that is due in the event loop has happened. */
const turns = Effect.promise(() => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve))))

const watcher = (events: Array<string>): Progress.Watcher => ({
  mayBegin: () => true,
  gather: () => events.push("gather"),
  onDot: () => events.push("dot")
})

const message = Buffer.alloc(100_000, "x")

describe("stream", () => {
  it.live("notes the first and the last octet taken, and says when the dot is due", () =>
    Effect.gen(function* () {
      const progress = Progress.unsafeMake()
      const events: Array<string> = []
      const { seen, stream } = destination()
      Progress.stream(message, progress, watcher(events)).pipe(stream)
      expect([progress.stage, seen.octets]).toEqual(["Body", 0])
      yield* turns
      expect([progress.stage, seen.octets]).toEqual(["Body", 65_536])
      seen.release()
      yield* turns
      expect([progress.stage, seen.octets]).toEqual(["Body", 100_000])
      seen.release()
      yield* turns
      expect(events).toEqual(["dot"])
      expect(progress.stage).toBe("Dot")
      expect(Progress.abandon(progress)).toBe(false)
      yield* Deferred.await(seen.ended)
    })
  )

  it.live("gathers a short message with its dot", () =>
    Effect.gen(function* () {
      const progress = Progress.unsafeMake()
      const events: Array<string> = []
      const { seen, stream } = destination(1_000)
      Progress.stream(Buffer.from("short"), progress, watcher(events)).pipe(stream)
      yield* turns
      seen.release()
      yield* Deferred.await(seen.ended)
      expect(events).toEqual(["gather", "dot"])
    })
  )

  it.live("never ends once the mail was abandoned, and hands nothing more over", () =>
    Effect.gen(function* () {
      const progress = Progress.unsafeMake()
      const events: Array<string> = []
      const { seen, stream } = destination()
      Progress.stream(message, progress, watcher(events)).pipe(stream)
      yield* turns
      expect(Progress.abandon(progress)).toBe(true)
      seen.release()
      yield* turns
      expect([events, progress.stage, seen.octets, stream.writableEnded]).toEqual([[], "Body", 65_536, false])
    })
  )

  it.live("hands nothing over that was abandoned before", () =>
    Effect.gen(function* () {
      const progress = Progress.unsafeMake()
      const events: Array<string> = []
      const { seen, stream } = destination()
      Progress.stream(message, progress, watcher(events)).pipe(stream)
      expect(Progress.abandon(progress)).toBe(true)
      yield* turns
      expect([events, seen.octets, stream.writableEnded]).toEqual([[], 0, false])
    })
  )

  it.live("hands nothing over once its connection has ended: no dot is due any more", () =>
    Effect.gen(function* () {
      for (const after of [0, 1]) {
        const progress = Progress.unsafeMake()
        const events: Array<string> = []
        const { seen, stream } = destination()
        const outgoing = Progress.stream(message, progress, watcher(events))
        outgoing.pipe(stream)
        if (after > 0) yield* turns
        outgoing.destroy()
        seen.release()
        yield* turns
        expect([events, progress.stage, seen.octets]).toEqual([[], "Body", after * 65_536])
      }
    })
  )

  it.live("hands nothing over where the server did not ask for it", () =>
    Effect.gen(function* () {
      const progress = Progress.unsafeMake()
      const events: Array<string> = []
      const { seen, stream } = destination()
      Progress.stream(message, progress, { ...watcher(events), mayBegin: () => false }).pipe(stream)
      yield* turns
      expect([events, progress.stage, seen.octets]).toEqual([[], "Connect", 0])
    })
  )
})
