/**
 * Workers on jobs that do nothing: the rate at which a queue that was filled before empties, by what Redis holds.
 */
import * as Effect from "effect/Effect"
import * as Command from "../../services/Command.ts"
import type { Server } from "../../services/RedisServer.ts"
import * as Payload from "../Payload.ts"
import type { WorkerOptions } from "../programs/Program.ts"
import { compare, type Row, type Side } from "../Row.ts"
import * as Stage from "../Stage.ts"
import * as Waiting from "../Waiting.ts"

interface Peer {
  readonly program: string
  readonly waiting: (redis: Server) => Waiting.Waiting
}

const ours: Peer = { program: "ours-worker", waiting: Waiting.ours }
const bullmq: Peer = { program: "bullmq-worker", waiting: Waiting.bullmq }
const bare: Peer = { program: "bare-worker", waiting: Waiting.bare }

interface Options {
  readonly slots: number
  /** A thousandth of the jobs. */
  readonly thousands?: number
}

/** Empties a queue with one worker. */
const side = (name: string, peer: Peer, { slots, thousands = 30 }: Options): Side => ({
  name,
  run: Effect.gen(function* () {
    const redis = yield* Stage.redis()
    const share = yield* Stage.count({ Full: 1_000, Quick: 250, Tiny: 5 })
    const waiting = peer.waiting(redis)
    yield* waiting.fill(share * thousands, Payload.args(10_025))
    const options: WorkerOptions = {
      redisPort: redis.port,
      slots,
      directory: yield* Command.directory(),
      job: "NoOp",
      count: 0,
      warmup: 0
    }
    const worker = yield* Stage.program(peer.program, options)
    const figures = yield* worker.whileAlive(Waiting.drained(waiting))
    if (peer === ours) yield* worker.stop
    return figures
  })
})

export const rows: ReadonlyArray<Row> = [
  {
    name: "no-op-8",
    title: "no-op jobs, 8 slots",
    sides: [side("ours", ours, { slots: 8 }), side("BullMQ c8", bullmq, { slots: 8 })],
    comparisons: [compare("throughput", "rate", ["ours", "BullMQ c8"], { better: "higher", bar: 1, aim: 1.3 })]
  },
  {
    name: "no-op-50",
    title: "no-op jobs, 50 slots",
    sides: [
      side("ours", ours, { slots: 50 }),
      side("BullMQ c50", bullmq, { slots: 50 }),
      side("bare Lua loop of 32", bare, { slots: 32, thousands: 100 })
    ],
    comparisons: [
      compare("throughput", "rate", ["ours", "BullMQ c50"], { better: "higher", bar: 1.2, aim: 2 }),
      compare("throughput", "rate", ["ours", "bare Lua loop of 32"], { better: "higher", bar: 0.2, aim: 0.4 })
    ]
  },
  {
    name: "no-op-1",
    title: "no-op jobs, 1 slot",
    sides: [side("ours", ours, { slots: 1, thousands: 10 }), side("BullMQ c1", bullmq, { slots: 1, thousands: 10 })],
    comparisons: [compare("throughput", "rate", ["ours", "BullMQ c1"], { better: "higher" })]
  }
]
