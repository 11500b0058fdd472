import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { vi } from "vitest"
import * as EventLoop from "../../src/EventLoop.ts"
import { BusyPoll } from "../../src/Redis/BusyPoll.ts"
import * as Connection from "../../src/Redis/Connection.ts"
import * as RedisServer from "../services/RedisServer.ts"

/** One by a clock that is set by hand, for which an answer is due unless told otherwise. */
const make = () => {
  const at = { now: 0, isDue: true }
  const poll = new BusyPoll(
    () => at.isDue,
    () => at.now
  )
  /** The event loop comes round, so many milliseconds later. */
  const turn = (millis: number) =>
    Effect.suspend(() => {
      at.now += millis
      return EventLoop.nextTurn
    })
  const send = () => poll.sent(at.now)
  const miss = Effect.gen(function* () {
    send()
    expect(poll.isAwake).toBe(true)
    yield* turn(0)
    yield* turn(0.09)
    yield* turn(0.02)
    expect(poll.isAwake).toBe(false)
  })
  const answer = Effect.gen(function* () {
    at.isDue = true
    send()
    at.isDue = false
    poll.answered()
    yield* turn(0.01)
    expect(poll.isAwake).toBe(false)
    at.isDue = true
  })
  return { at, poll, turn, send, miss, answer }
}

const repeated = <E>(times: number, effect: Effect.Effect<void, E>) => Effect.repeatN(effect, times - 1)

/** Whether it would stay awake for an answer now. */
const rests = ({ poll, send }: ReturnType<typeof make>) => {
  send()
  return !poll.isAwake
}

describe("Redis.BusyPoll", () => {
  it.live("stays awake for a tenth of a millisecond without an answer", () =>
    Effect.gen(function* () {
      const { poll, send, turn } = make()
      send()
      yield* turn(0.05)
      yield* turn(0.09)
      expect(poll.isAwake).toBe(true)
      yield* turn(0.02)
      expect(poll.isAwake).toBe(false)
    })
  )

  it.live("stays awake for as long again after each answer, until nothing is due", () =>
    Effect.gen(function* () {
      const { at, poll, send, turn } = make()
      send()
      for (let answer = 0; answer < 10; answer++) {
        yield* turn(0.06)
        expect(poll.isAwake).toBe(true)
        poll.answered()
      }
      at.isDue = false
      yield* turn(0.01)
      expect(poll.isAwake).toBe(false)
    })
  )

  it.live("does not count as waiting what else the process does", () =>
    Effect.gen(function* () {
      const { poll, send, turn } = make()
      send()
      yield* turn(10)
      expect(poll.isAwake).toBe(true)
      yield* turn(0.05)
      yield* turn(10)
      expect(poll.isAwake).toBe(true)
      yield* turn(0.05)
      yield* turn(0.05)
      expect(poll.isAwake).toBe(false)
    })
  )

  it.live("takes no answer before the command for its own", () =>
    Effect.gen(function* () {
      const { poll, send, turn } = make()
      poll.answered()
      send()
      yield* turn(0)
      yield* turn(0.09)
      yield* turn(0.02)
      expect(poll.isAwake).toBe(false)
    })
  )

  it.live("sleeps at once for a while after many answers that were late, and then after fewer", () =>
    Effect.gen(function* () {
      const made = make()
      yield* repeated(50, made.miss)
      for (let rest = 0; rest < 3; rest++) {
        made.at.now += 99
        expect(rests(made)).toBe(true)
        made.at.now += 1
        yield* repeated(5, made.miss)
      }
      expect(rests(made)).toBe(true)
    })
  )

  it.live("bears a late answer for each ten that are not, and no more than it did at the beginning", () =>
    Effect.gen(function* () {
      const made = make()
      yield* repeated(49, made.miss)
      for (let round = 0; round < 30; round++) {
        yield* repeated(11, made.answer)
        yield* made.miss
      }
      yield* repeated(600, made.answer)
      yield* repeated(50, made.miss)
      expect(rests(made)).toBe(true)
    })
  )

  it.live("gives no more for an answer", () =>
    Effect.gen(function* () {
      const made = make()
      yield* repeated(49, made.miss)
      yield* repeated(9, made.answer)
      yield* made.miss
      expect(rests(made)).toBe(true)
    })
  )

  it.scopedLive("keeps a producer awake, and neither a worker nor what waits for arrivals", () =>
    Effect.gen(function* () {
      const { port } = yield* RedisServer.make()
      const immediates = yield* Effect.acquireRelease(
        Effect.sync(() => vi.spyOn(globalThis, "setImmediate")),
        (spy) => Effect.sync(() => spy.mockRestore())
      )
      const turns: Record<Connection.Profile, number> = { producer: 0, worker: 0, blocking: 0 }
      for (const profile of ["producer", "worker", "blocking"] as const) {
        const connection = yield* Connection.connect({ host: "127.0.0.1", port, db: 0 }, profile)
        const ping = connection.use((client) => client.ping())
        yield* ping
        // It is asleep by then.
        yield* EventLoop.turns(3, () => false)
        immediates.mockClear()
        yield* ping
        turns[profile] = immediates.mock.calls.length
      }
      expect(turns).toEqual({ producer: expect.any(Number), worker: 0, blocking: 0 })
      expect(turns.producer).toBeGreaterThan(0)
    })
  )
})
