/**
 * The queue of the demonstration: the Redis that is named, or one of its own where the machine has redis-server, or the
 * memory of the process.
 */
import { spawnSync } from "node:child_process"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Huey from "../../src/Huey.ts"
import * as JobId from "../../src/JobId.ts"
import * as RedisQueue from "../../src/JobQueue/Redis.ts"
import type { JobQueue } from "../../src/JobQueue.ts"
import * as RedisStore from "../../src/JobStore/Redis.ts"
import type { JobStore } from "../../src/JobStore.ts"
import * as Memory from "../../src/Memory.ts"
import * as Keys from "../../src/Redis/keys.ts"
import * as Url from "../../src/Redis/Url.ts"
import * as Redis from "../../src/Redis.ts"
import * as RedisServer from "../../test/services/RedisServer.ts"

/** What the command line asks for. */
export interface Wanted {
  readonly redis: string | undefined
  readonly memory: boolean
}

export interface Chosen {
  readonly name: string
  readonly layer: Layer.Layer<JobQueue | JobStore>
}

const memory: Chosen = {
  name: "the memory of this process; with redis-server on this machine, or -- --redis URL, a real Redis",
  layer: Memory.layer()
}

/** A queue of a name of its own, whose keys are gone when the scope is. */
const onRedis = Effect.fnUntraced(function* (address: Url.RedisAddress, whose: string) {
  const redis = Redis.make(address)
  const connection = yield* redis.connect("producer")
  const queueName = `demo_${(yield* JobId.make).replaceAll("-", "")}`
  yield* Effect.acquireRelease(
    connection.use((client) => client.ping()),
    () => Effect.ignoreLogged(connection.use((client) => client.del(...Object.values(Keys.make(queueName)))))
  )
  return {
    name: `${whose} at ${redis.name}`,
    layer: Layer.merge(
      RedisQueue.layer({ queueName, codec: Huey.make() }),
      RedisStore.layer({
        queueName,
        lease: Duration.seconds(30),
        scheduleOffset: () => 0,
        block: Option.some(5)
      })
    ).pipe(Layer.provide(Layer.succeed(Redis.Redis, redis)))
  } satisfies Chosen
})

const hasServer = Effect.sync(() => spawnSync("redis-server", ["--version"], { stdio: "ignore" }).status === 0)

/** Fails when the Redis that is named cannot be used. */
export const choose = Effect.fnUntraced(function* (wanted: Wanted) {
  if (wanted.redis !== undefined) return yield* onRedis((yield* Url.parse(wanted.redis)).address, "the Redis")
  if (wanted.memory || !(yield* hasServer)) return memory
  const { port } = yield* RedisServer.make()
  return yield* onRedis({ host: "127.0.0.1", port, db: 0 }, "a Redis of its own")
})
