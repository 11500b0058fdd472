/**
 * What a job costs of Redis' memory: while it waits, and while a worker has it in hand.
 */
import * as Effect from "effect/Effect"
import type { Server } from "../../services/RedisServer.ts"
import * as Draining from "../Draining.ts"
import * as Payload from "../Payload.ts"
import { compare, type Row, type Side } from "../Row.ts"
import * as Stage from "../Stage.ts"
import { bullmq, ours, type Peer, start } from "./NoOp.ts"

/** Bytes, without the buffers of connections. */
const used = ({ connection }: Server) =>
  Effect.map(Effect.orDie(connection.use((client) => client.info("memory"))), (text) => {
    const field = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, "m").exec(text)?.[1])
    return field("used_memory") - field("mem_clients_normal")
  })

const side = (name: string, peer: Peer): Side => ({
  name,
  run: Effect.gen(function* () {
    const redis = yield* Stage.redis()
    const count = yield* Stage.count({ Full: 5_000, Quick: 1_000, Tiny: 100 })
    const queue = peer.waiting(redis)
    const empty = yield* used(redis)
    yield* queue.fill(count, Payload.args(10_025))
    const waiting = ((yield* used(redis)) - empty) / count
    const { whileAlive } = yield* start(peer.program, redis, count, { job: "Hang" })
    yield* whileAlive(Draining.until(queue.inHand, (inHand) => inHand === count))
    return { waiting, inHand: ((yield* used(redis)) - empty) / count }
  })
})

export const row: Row = {
  name: "redis-memory",
  title: "Redis' memory a job, waiting and in hand",
  sides: [side("ours", ours), side("BullMQ", bullmq)],
  comparisons: [
    compare("waiting", "waiting", ["ours", "BullMQ"], { better: "lower" }),
    compare("in hand", "inHand", ["ours", "BullMQ"], { better: "lower" })
  ]
}
