/**
 * Workers of ours beside much that waits: the rate while the queue is kept at its length (the first
 * jobs warm up and do not count), and memory after many jobs.
 */
import * as Effect from "effect/Effect"
import * as Draining from "../Draining.ts"
import * as Payload from "../Payload.ts"
import * as Proc from "../Proc.ts"
import { compare, type Row, type Side } from "../Row.ts"
import * as Stage from "../Stage.ts"
import * as Waiting from "../Waiting.ts"
import { start } from "./NoOp.ts"

interface Options {
  readonly waiting: Readonly<Record<Stage.Size, number>>
  readonly delayed: Readonly<Record<Stage.Size, number>>
}

const args = Payload.args(10_025)

/** A day, milliseconds: none is due during the run. */
const day = 86_400_000

const side = (name: string, counts: Options): Side => ({
  name,
  run: Effect.gen(function* () {
    const redis = yield* Stage.redis()
    const queue = Waiting.ours(redis)
    const jobs = yield* Stage.count({ Full: 30_000, Quick: 6_000, Tiny: 150 })
    const waiting = yield* Stage.count(counts.waiting)
    const delayed = yield* Stage.count(counts.delayed)
    const { whileAlive } = yield* start("ours-worker", redis, 50)
    // It takes them and puts them aside, as it does with all that servers enqueue with a delay.
    yield* queue.fill(delayed, args, { eta: Date.now() + day })
    yield* whileAlive(Draining.until(Waiting.delayed(redis), (count) => count >= delayed))
    const look = yield* Draining.keep(queue, waiting, args)
    const until = (jobs: number) => whileAlive(Effect.repeat(look, { until: ({ ended }) => ended >= jobs }))
    const begin = yield* until(jobs / 3)
    const end = yield* until(begin.ended + jobs)
    return { rate: (1_000 * (end.ended - begin.ended)) / (end.at - begin.at) }
  })
})

const none = { Full: 0, Quick: 0, Tiny: 0 }
const thousand = { Full: 1_000, Quick: 1_000, Tiny: 1_000 }
const million = { Full: 1_000_000, Quick: 200_000, Tiny: 5_000 }
const hundredThousand = { Full: 100_000, Quick: 10_000, Tiny: 100 }

/** Memory is looked at around both ends, for garbage comes and goes: in this share of the jobs before the first end. */
const around = 0.2

const mean = (values: ReadonlyArray<number>) => values.reduce((sum, value) => sum + value, 0) / values.length

const memory: Side = {
  name: "ours",
  run: Effect.gen(function* () {
    const redis = yield* Stage.redis()
    const early = yield* Stage.count({ Full: 100_000, Quick: 10_000, Tiny: 100 })
    const worker = yield* start("ours-worker", redis, 50)
    const look = yield* Draining.keep(Waiting.ours(redis), 1_000, args)
    /** The mean of what it has until so many jobs have ended. */
    const rss = Effect.fnUntraced(function* (count: number) {
      yield* Effect.repeat(look, { until: ({ ended }) => ended >= count - around * early })
      const seen: Array<number> = []
      const note = Effect.tap(look, () => Effect.map(Proc.rss(worker.pid), (rss) => seen.push(rss)))
      yield* Effect.repeat(note, { until: ({ ended }) => ended >= count })
      return mean(seen)
    })
    return { early: yield* worker.whileAlive(rss(early)), late: yield* worker.whileAlive(rss(10 * early)) }
  })
}

export const rows: ReadonlyArray<Row> = [
  {
    name: "backlog",
    title: "no-op jobs beside a backlog, 50 slots",
    sides: [
      side("1 000 waiting", { waiting: thousand, delayed: none }),
      side("1 000 000 waiting", { waiting: million, delayed: none }),
      side("100 000 delayed", { waiting: thousand, delayed: hundredThousand })
    ],
    comparisons: [
      compare("throughput", "rate", ["1 000 000 waiting", "1 000 waiting"], { better: "higher", bar: 0.9, aim: 1 }),
      compare("throughput", "rate", ["100 000 delayed", "1 000 waiting"], { better: "higher", bar: 0.9, aim: 1 })
    ]
  },
  {
    name: "memory",
    title: "memory of a worker after 100 000 and after 1 000 000 no-op jobs",
    // A run takes minutes, and its own beginning is what it is compared with.
    repetitions: 1,
    sides: [memory],
    comparisons: [
      {
        title: "resident memory, late / early",
        of: { side: "ours", figure: "late" },
        against: { side: "ours", figure: "early" },
        better: "lower",
        // What V8 gives back or not at its whim is about a twentieth.
        bar: 1.05
      }
    ]
  }
]
