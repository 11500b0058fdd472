/**
 * What may happen to a queue, one thing at a time, in any order.
 */
import * as Effect from "effect/Effect"
import fc from "fast-check"
import type { Lease, Settlement } from "../../../src/JobStore.ts"
import { letter } from "../contract.ts"
import * as Model from "./Model.ts"
import type { Real, Way } from "./Real.ts"

/** A command that does its part on both sides; all that Redis holds is compared after each. */
const command = (
  name: string,
  act: (model: Model.Model, real: Real) => Effect.Effect<void, unknown>
): fc.AsyncCommand<Model.Model, Real> => ({
  check: () => true,
  run: (model, real) =>
    Effect.runPromise(
      Effect.zipRight(
        act(model, real),
        Effect.map(real.held, (held) => Model.compare(model, held))
      )
    ),
  toString: () => name
})

/** No retry comes due by itself. */
const delay = 3_600_000

const settlement = (kind: number, lease: Lease, bytes: string): Settlement =>
  kind === 0
    ? { _tag: "Done", lease }
    : kind === 1
      ? { _tag: "Dead", lease, letter }
      : kind === 2
        ? { _tag: "Released", lease }
        : kind === 3
          ? { _tag: "Retry", lease, delay, counted: true, detail: "why" }
          : { _tag: "Retry", lease, delay, counted: false, bytes: Buffer.from(bytes) }

const pick = <A>(items: ReadonlyArray<A>, index: number): A | undefined => items[index % Math.max(1, items.length)]

const push = fc.integer({ min: 1, max: 4 }).map((count) =>
  command(`push ${count}`, (model, { keys, use }) => {
    const fresh = Array.from({ length: count }, () => `message ${++model.messages}`)
    for (const bytes of fresh) model.state.waiting.unshift(bytes)
    return Effect.asVoid(use((client) => client.lpush(keys.queue, ...fresh)))
  })
)

const resend = fc.nat().map((index) =>
  command(`resend ${index}`, (model, { keys, use }) => {
    if (model.messages === 0) return Effect.void
    const bytes = `message ${1 + (index % model.messages)}`
    model.state.waiting.unshift(bytes)
    return Effect.asVoid(use((client) => client.lpush(keys.queue, bytes)))
  })
)

const park = fc.constant(
  command("park", (model, { keys, use }) => {
    const bytes = model.state.waiting.pop()
    if (bytes !== undefined) model.state.arrived.unshift(bytes)
    return Effect.asVoid(use((client) => client.lmove(keys.queue, keys.arrived, "RIGHT", "LEFT")))
  })
)

const exchange = fc
  .record({
    worker: fc.nat({ max: 2 }),
    settlements: fc.array(fc.tuple(fc.nat(), fc.nat({ max: 4 })), { maxLength: 4 }),
    free: fc.nat({ max: 4 }),
    way: fc.constantFrom<Way>("Once", "Once", "Once", "Twice", "Lost")
  })
  .map(({ free, settlements, way, worker }) =>
    command(`exchange ${worker} ${JSON.stringify(settlements)} ${free} ${way}`, (model, real) => {
      const client = model.clients[worker]
      // Also of what it lost, settled or never heard of: any grant that there was.
      const told = settlements.flatMap(([index, kind]) => {
        const lease = pick(client?.grants ?? [], index)
        return lease === undefined ? [] : [settlement(kind, lease, `rest ${index}`)]
      })
      return Effect.map(real.exchange(worker, told, free, way), (replies) => {
        for (const reply of replies) {
          Model.exchange(model, { worker, settlements: told, free, reply, lost: way === "Lost" })
        }
      })
    })
  )

const extend = fc.tuple(fc.nat({ max: 2 }), fc.array(fc.nat(), { maxLength: 3 })).map(([worker, indices]) =>
  command(`extend ${worker} ${indices}`, (model, real) => {
    const leases = indices.flatMap((index) => pick(model.clients[worker]?.grants ?? [], index) ?? [])
    const wanted = leases.map(({ id, token }) => {
      const held = model.state.custody.get(id)
      if (held?.token !== token) return false
      held.over = false
      return true
    })
    return Effect.flatMap(real.extend(worker, leases), (got) =>
      String(got) === String(wanted) ? Effect.void : Effect.dieMessage(`extended ${got}, expected ${wanted}`)
    )
  })
)

const leaseEnds = fc.nat().map((index) =>
  command(`lease ends ${index}`, (model, { keys, use }) => {
    const found = pick(
      [...model.state.custody].filter(([, { token }]) => token !== undefined),
      index
    )
    if (found === undefined) return Effect.void
    const [id, held] = found
    held.over = true
    return Effect.asVoid(use((client) => client.zadd(keys.inflight, "XX", 1, id)))
  })
)

/** A message that kills its workers: every lease ends, again and again. */
const deaths = fc.integer({ min: 1, max: 7 }).map((times) =>
  command(`${times} deaths`, (model, real) =>
    Effect.gen(function* () {
      for (let time = 0; time < times; time++) {
        for (const reply of yield* real.exchange(0, [], 4, "Once")) {
          Model.exchange(model, { worker: 0, settlements: [], free: 4, reply, lost: false })
        }
        Model.letGo(model)
        const { inflight } = yield* real.held
        yield* real.use((client) => client.zadd(real.keys.inflight, "XX", ...inflight.flatMap((id) => [1, id]), 1, ""))
      }
    })
  )
)

const comesDue = fc.nat().map((index) =>
  command(`comes due ${index}`, (model, { keys, use }) => {
    const found = pick(
      [...model.state.custody].filter(([, { token, due }]) => token === undefined && !due),
      index
    )
    if (found === undefined) return Effect.void
    const [id, held] = found
    held.due = true
    return Effect.asVoid(use((client) => client.zadd(keys.delayed, "XX", 1, id)))
  })
)

const drain = fc.constant(
  command("drain", (model, real) => {
    const { state } = model
    const custody = [...state.custody].sort(([a], [b]) => Number.parseInt(b, 10) - Number.parseInt(a, 10))
    const isLater = ({ due, token }: (typeof custody)[number][1]) => token === undefined && !due
    const later = custody.flatMap(([, held]) => (isLater(held) ? held.bytes : []))
    const now = custody.flatMap(([, held]) => (isLater(held) ? [] : held.bytes))
    const moved = [state.arrived.length, now.length, later.length]
    state.waiting = [...state.waiting, ...state.arrived, ...now]
    for (const bytes of later) state.scheduled.add(bytes)
    state.arrived = []
    for (const [, { bytes }] of custody) state.seen.delete(bytes)
    state.custody.clear()
    return Effect.flatMap(real.drain, ({ arrived, due, inHand, later }) =>
      String([arrived, inHand + due, later]) === String(moved)
        ? Effect.void
        : Effect.dieMessage(`drained ${[arrived, inHand + due, later]}, expected ${moved}`)
    )
  })
)

/** Redis falls back to what it held before, as after a failover; the workers know what they know. */
const rollback = fc.constant(
  command("rollback", (model, real) =>
    Effect.gen(function* () {
      const before = yield* real.snapshot
      const state = Model.copy(model.state)
      for (let time = 0; time < 2; time++) {
        for (const [worker] of model.clients.entries()) {
          for (const reply of yield* real.exchange(worker, [], 2, "Once")) {
            Model.exchange(model, { worker, settlements: [], free: 2, reply, lost: false })
          }
        }
      }
      yield* real.restore(before)
      model.state = state
    })
  )
)

export const commands: fc.Arbitrary<Iterable<fc.AsyncCommand<Model.Model, Real>>> = fc.commands(
  [push, exchange, exchange, exchange, leaseEnds, deaths, comesDue, resend, park, extend, drain, rollback],
  { maxCommands: 16, size: "+1" }
)
