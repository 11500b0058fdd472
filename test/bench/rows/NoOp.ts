/**
 * Workers on jobs that do nothing: the rate at which a queue that was filled before empties, by what Redis holds.
 */
import * as Effect from "effect/Effect"
import * as Command from "../../services/Command.ts"
import type { Server } from "../../services/RedisServer.ts"
import * as Draining from "../Draining.ts"
import * as Payload from "../Payload.ts"
import type { WorkerOptions } from "../programs/Program.ts"
import { compare, type Row, type Side } from "../Row.ts"
import * as Stage from "../Stage.ts"
import * as Waiting from "../Waiting.ts"

export interface Peer {
  readonly program: "ours-worker" | "bullmq-worker" | "bare-worker"
  readonly waiting: (redis: Server) => Waiting.Waiting
}

export const ours: Peer = { program: "ours-worker", waiting: Waiting.ours }
export const bullmq: Peer = { program: "bullmq-worker", waiting: Waiting.bullmq }
const bare: Peer = { program: "bare-worker", waiting: Waiting.bare }

/** Starts a worker; `more`: on other jobs than those that do nothing. */
export const start = Effect.fnUntraced(function* (
  program: Peer["program"],
  redis: Server,
  slots: number,
  more: Partial<WorkerOptions> = {}
) {
  const directory = yield* Command.directory()
  const options: WorkerOptions = {
    redisPort: redis.port,
    slots,
    directory,
    job: "NoOp",
    count: 0,
    warmup: 0,
    ...more
  }
  return yield* Stage.program(program, options)
})

interface Options {
  readonly slots: number
  /** Jobs, in thousands, so many that a process is not measured while it compiles. Default 100. */
  readonly thousands?: number
  /** Default 1. */
  readonly processes?: number
  /** On a Redis that keeps a file. Default: as the others. */
  readonly aof?: boolean
  /** One message of so many is one that nobody can read; 0: none, the default. */
  readonly poisonEvery?: number
}

/** Empties a queue. */
export const side = (
  name: string,
  peer: Peer,
  { aof = false, poisonEvery = 0, processes = 1, slots, thousands = 100 }: Options
): Side => ({
  name,
  run: Effect.gen(function* () {
    const redis = yield* Stage.redis(aof)
    const count = thousands * (yield* Stage.count({ Full: 1_000, Quick: 250, Tiny: 5 }))
    const waiting = peer.waiting(redis)
    yield* waiting.fill(count, Payload.args(10_025), { poisonEvery })
    const workers = yield* Effect.replicateEffect(start(peer.program, redis, slots), processes)
    const poison = poisonEvery === 0 ? 0 : Math.floor(count / poisonEvery)
    const all = workers.reduce((measured, { whileAlive }) => whileAlive(measured), Draining.drained(waiting, poison))
    const figures = yield* all
    // A clean end is what a profile is written at.
    if (peer === ours) yield* Effect.forEach(workers, ({ stop }) => stop, { discard: true })
    return figures
  })
})

const higher = { better: "higher" } as const

export const rows: ReadonlyArray<Row> = [
  {
    name: "no-op-8",
    title: "no-op jobs, 8 slots",
    sides: [side("ours", ours, { slots: 8 }), side("BullMQ c8", bullmq, { slots: 8 })],
    comparisons: [compare("throughput", "rate", ["ours", "BullMQ c8"], { ...higher, bar: 1, aim: 1.3 })]
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
      compare("throughput", "rate", ["ours", "BullMQ c50"], { ...higher, bar: 1.2, aim: 2 }),
      compare("throughput", "rate", ["ours", "bare Lua loop of 32"], { ...higher, bar: 0.2, aim: 0.4 })
    ]
  }
]

/** Reported without a bar. */
export const moreRows: ReadonlyArray<Row> = [
  {
    name: "no-op-1",
    title: "no-op jobs, 1 slot",
    sides: [side("ours", ours, { slots: 1, thousands: 10 }), side("BullMQ c1", bullmq, { slots: 1, thousands: 10 })],
    comparisons: [compare("throughput", "rate", ["ours", "BullMQ c1"], higher)]
  },
  {
    name: "processes",
    title: "no-op jobs, 50 slots in each of 1, 2 and 4 processes",
    sides: [
      side("1 process", ours, { slots: 50 }),
      side("2 processes", ours, { slots: 50, processes: 2 }),
      side("4 processes", ours, { slots: 50, processes: 4 })
    ],
    comparisons: [
      compare("throughput", "rate", ["2 processes", "1 process"], higher),
      compare("throughput", "rate", ["4 processes", "1 process"], higher)
    ]
  },
  {
    name: "poison",
    title: "no-op jobs, 50 slots, one message in 100 that nobody can read",
    sides: [side("no poison", ours, { slots: 50 }), side("1 in 100", ours, { slots: 50, poisonEvery: 100 })],
    comparisons: [compare("throughput", "rate", ["1 in 100", "no poison"], higher)]
  }
]
