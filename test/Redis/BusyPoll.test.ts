import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { vi } from "vitest"
import * as EventLoop from "../../src/EventLoop.ts"
import { BusyPoll } from "../../src/Redis/BusyPoll.ts"
import * as Connection from "../../src/Redis/Connection.ts"
import * as RedisServer from "../services/RedisServer.ts"

/** Waits until it sleeps. */
const asleep = (poll: BusyPoll) => EventLoop.turns(Number.POSITIVE_INFINITY, () => !poll.isAwake)

/** Waits in vain, so often. */
const inVain = Effect.fnUntraced(function* (poll: BusyPoll, times: number) {
  for (let time = 0; time < times; time++) {
    poll.sent(performance.now())
    expect(poll.isAwake).toBe(true)
    yield* asleep(poll)
  }
})

/** Whether it would stay awake for an answer now. */
const rests = (poll: BusyPoll) => {
  poll.sent(performance.now())
  return !poll.isAwake
}

describe("Redis.BusyPoll", () => {
  it.live("stays awake until nothing is due", () =>
    Effect.gen(function* () {
      let due = true
      const poll = new BusyPoll(() => due)
      // As if it were sent in a minute: on a busy machine the turns of the event loop take long.
      poll.sent(performance.now() + 60_000)
      yield* EventLoop.turns(100, () => false)
      expect(poll.isAwake).toBe(true)
      due = false
      poll.answered()
      yield* EventLoop.turns(2, () => false)
      expect(poll.isAwake).toBe(false)
    })
  )

  it.live("gives each answer as long", () =>
    Effect.gen(function* () {
      const poll = new BusyPoll(() => true)
      for (let answer = 0; answer < 3; answer++) {
        const sent = performance.now()
        poll.sent(sent)
        poll.answered()
        yield* asleep(poll)
        expect(performance.now() - sent).toBeGreaterThanOrEqual(0.1)
      }
    })
  )

  it.live("sleeps at once for a second after many answers that were late, and then after fewer", () =>
    Effect.gen(function* () {
      const poll = new BusyPoll(() => true)
      yield* inVain(poll, 25)
      expect(rests(poll)).toBe(true)
      yield* Effect.sleep("1100 millis")
      yield* inVain(poll, 5)
      expect(rests(poll)).toBe(true)
    })
  )

  it.live("bears a late answer for each ten that are not", () =>
    Effect.gen(function* () {
      let due = true
      const poll = new BusyPoll(() => due)
      for (let round = 0; round < 60; round++) {
        due = true
        yield* inVain(poll, 1)
        due = false
        for (let answer = 0; answer < 11; answer++) {
          poll.sent(performance.now())
          poll.answered()
          yield* asleep(poll)
        }
      }
      expect(rests(poll)).toBe(false)
    })
  )

  it.scopedLive("keeps a producer awake, and neither a worker nor what waits for arrivals", () =>
    Effect.gen(function* () {
      const { port } = yield* RedisServer.make()
      const immediates = vi.spyOn(globalThis, "setImmediate")
      const turns: Record<Connection.Profile, number> = { producer: 0, worker: 0, blocking: 0 }
      for (const profile of ["producer", "worker", "blocking"] as const) {
        const connection = yield* Connection.connect({ host: "127.0.0.1", port, db: 0 }, profile)
        immediates.mockClear()
        yield* connection.use((client) => client.ping())
        turns[profile] = immediates.mock.calls.length
      }
      immediates.mockRestore()
      expect(turns).toEqual({ producer: expect.any(Number), worker: 0, blocking: 0 })
      expect(turns.producer).toBeGreaterThan(0)
    })
  )
})
