/**
 * What a Redis costs that keeps a file, synced each second, against one that keeps none.
 */
import { compare, type Row } from "../Row.ts"
import * as Enqueue from "./Enqueue.ts"
import * as NoOp from "./NoOp.ts"

const higher = { better: "higher" } as const

export const row: Row = {
  name: "aof",
  title: "Redis with appendfsync everysec",
  sides: [
    Enqueue.side("enqueue", "ours-enqueue"),
    Enqueue.side("enqueue, AOF", "ours-enqueue", true),
    NoOp.side("50 slots", NoOp.ours, { slots: 50 }),
    NoOp.side("50 slots, AOF", NoOp.ours, { slots: 50, aof: true })
  ],
  comparisons: [
    compare("throughput", "rate", ["enqueue, AOF", "enqueue"], higher),
    compare("throughput", "rate", ["50 slots, AOF", "50 slots"], higher)
  ]
}
