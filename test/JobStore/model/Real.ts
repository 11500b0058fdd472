/**
 * A store on a real Redis, several workers of it, and a look at all that Redis holds in one call.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as RedisStore from "../../../src/JobStore/Redis.ts"
import type { Grant, Settlement } from "../../../src/JobStore.ts"
import type { RedisConnection } from "../../../src/Redis/Connection.ts"
import * as Keys from "../../../src/Redis/keys.ts"
import { RedisError } from "../../../src/Redis/RedisError.ts"
import * as Redis from "../../../src/Redis.ts"
import * as RedisServer from "../../services/RedisServer.ts"

/** How an exchange reaches Redis: once; twice, as from a driver that sends again; or with its answer lost. */
export type Way = "Once" | "Twice" | "Lost"

const keys = Keys.make("huey")

/** All that Redis holds: lists from left to right, custody by id. */
export interface Held {
  readonly waiting: ReadonlyArray<string>
  readonly arrived: ReadonlyArray<string>
  readonly job: ReadonlyArray<string>
  readonly meta: ReadonlyArray<string>
  readonly history: ReadonlyArray<string>
  readonly inflight: ReadonlyArray<string>
  readonly delayed: ReadonlyArray<string>
  readonly scheduled: ReadonlyArray<string>
  readonly dead: number
}

/** What the script of an exchange answered, whether or not that reached the worker. */
const Reply = Schema.Struct({
  settled: Schema.Array(Schema.Boolean),
  grants: Schema.Array(
    Schema.Struct({
      lease: Schema.Struct({ id: Schema.String, token: Schema.String }),
      deliveries: Schema.Number,
      attempts: Schema.Number,
      firstTakenAt: Schema.Number,
      bytes: Schema.Uint8ArrayFromSelf
    })
  ),
  buried: Schema.Array(Schema.Unknown),
  duplicates: Schema.Number
})

const look = `
local function all(name, ...) return redis.call(name, KEYS[tonumber(({ ... })[1])], 0, -1) end
return { all('LRANGE', 1), all('LRANGE', 2), redis.call('HGETALL', KEYS[3]), redis.call('HGETALL', KEYS[4]),
  redis.call('HKEYS', KEYS[5]), all('ZRANGE', 6), all('ZRANGE', 7), redis.call('XLEN', KEYS[8]), all('ZRANGE', 9) }
`

const texts = (value: unknown): ReadonlyArray<string> => (Array.isArray(value) ? value.map(String) : [])

/** Makes the workers; nothing else may use the server's database 0. */
export const make = Effect.fnUntraced(function* (workers: number) {
  const server = yield* RedisServer.make()
  const { use } = server.connection
  const redis = Redis.make({ host: "127.0.0.1", port: server.port, db: 0 })
  const state: { way: Way; replies: Array<typeof Reply.Type> } = { way: "Once", replies: [] }
  const wrapped = {
    ...redis,
    connect: (profile: Parameters<typeof redis.connect>[0]) =>
      Effect.map(
        redis.connect(profile),
        (connection): RedisConnection => ({
          ...connection,
          run: (script, ...rest) => {
            if (script.name !== "exchange") return connection.run(script, ...rest)
            const once = Effect.tap(connection.run(script, ...rest), (reply) => {
              state.replies.push(Schema.decodeUnknownSync(Reply)(reply))
            })
            const lost = new RedisError({ reason: "Connection", detail: "lost" })
            return state.way === "Once"
              ? once
              : state.way === "Twice"
                ? Effect.zipRight(once, once)
                : Effect.zipRight(once, Effect.fail(lost))
          }
        })
      )
  }
  const options = {
    queueName: "huey",
    // No lease ends and no retry comes due by itself, however slow the machine is.
    lease: Duration.hours(1),
    scheduleOffset: () => 0,
    block: Option.none()
  }
  const stores = yield* Effect.replicateEffect(
    Effect.provideService(RedisStore.make(options), Redis.Redis, wrapped),
    workers
  )
  const store = (worker: number) => stores[worker % stores.length] ?? stores[0]

  return {
    use,
    keys,
    extend: (worker: number, leases: ReadonlyArray<Grant["lease"]>) =>
      Effect.fromNullable(store(worker)).pipe(Effect.flatMap((it) => it.extend(leases))),
    drain: Effect.flatMap(Effect.fromNullable(stores[0]), (it) => it.drain({ force: true })),
    /** What the script answered each time it was executed, also where that got lost. */
    exchange: (worker: number, settlements: ReadonlyArray<Settlement>, free: number, way: Way) =>
      Effect.gen(function* () {
        const { exchange } = yield* Effect.fromNullable(store(worker))
        state.way = way
        state.replies = []
        const exit = yield* Effect.exit(exchange(settlements, free))
        state.way = "Once"
        if (Exit.isSuccess(exit) === (way === "Lost")) return yield* Effect.dieMessage(String(exit))
        return state.replies
      }),
    held: Effect.map(
      use((client) =>
        client.eval(
          look,
          9,
          keys.queue,
          keys.arrived,
          keys.job,
          keys.meta,
          keys.history,
          keys.inflight,
          keys.delayed,
          keys.dead,
          keys.schedule
        )
      ),
      (reply): Held => {
        const [waiting, arrived, job, meta, history, inflight, delayed, dead, scheduled] = Array.isArray(reply)
          ? reply
          : []
        return {
          waiting: texts(waiting),
          arrived: texts(arrived),
          job: texts(job),
          meta: texts(meta),
          history: texts(history),
          inflight: texts(inflight),
          delayed: texts(delayed),
          scheduled: texts(scheduled),
          dead: Number(dead)
        }
      }
    ),
    /** Empties Redis, and the workers' memory of answers that got lost. */
    reset: Effect.zipRight(
      use((client) => client.flushdb()),
      Effect.forEach(stores, (it) => it.exchange([], 0), { discard: true })
    ),
    /** All keys as they are now, to go back to. */
    snapshot: use(async (client) => {
      const names = await client.keys("*")
      return Promise.all(names.map(async (name) => [name, await client.dumpBuffer(name)] as const))
    }),
    restore: (dump: ReadonlyArray<readonly [string, Buffer]>) =>
      use(async (client) => {
        await client.flushdb()
        await Promise.all(dump.map(([name, bytes]) => client.restore(name, 0, bytes)))
      })
  }
})

export type Real = Effect.Effect.Success<ReturnType<typeof make>>
