/**
 * The store that EDUMFA_JOB_QUEUE_CLASS chooses, for a worker; there is none without a queue.
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as QueueClass from "../EdumfaConfig/QueueClass.ts"
import { EdumfaConfig, type EdumfaConfigError, noFile } from "../EdumfaConfig.ts"
import { type JobStore, NoQueue } from "../JobStore.ts"
import * as Redis from "../Redis.ts"
import * as RedisStore from "./Redis.ts"

/** All that the store on Redis reads. */
const redisConfig = Config.all({
  options: RedisStore.config,
  // EDUMFA_QUEUE_WORKER_REDIS_URL goes before the server's own keys.
  redis: Redis.workerConfig
})

/** What a class needs of the configuration, read at once, so that whatever is wrong shows before anything is opened. */
const stores = {
  None: Effect.flatMap(EdumfaConfig, ({ get, nameOf, notes, product, source }) =>
    Effect.flatMap(get(QueueClass.remedy(product, nameOf)), (line) => {
      const place = source === noFile ? "a file that --config names, for none was found" : source
      return new NoQueue({ source: place, line, notes })
    })
  ),
  Redis: Effect.gen(function* () {
    const { get } = yield* EdumfaConfig
    const { options, redis } = yield* get(redisConfig)
    return Layer.provide(RedisStore.layer(options), Layer.succeed(Redis.Redis, redis))
  })
}

/** The layer, with its whole configuration read. */
export const choose: Effect.Effect<Layer.Layer<JobStore>, EdumfaConfigError | NoQueue, EdumfaConfig> = Effect.flatMap(
  Effect.flatMap(EdumfaConfig, ({ get }) => get(QueueClass.config)),
  (chosen): Effect.Effect<Layer.Layer<JobStore>, EdumfaConfigError | NoQueue, EdumfaConfig> => stores[chosen]
)

/** Everything that is wrong with what the chosen store reads. */
export const check: Effect.Effect<ReadonlyArray<EdumfaConfigError>, never, EdumfaConfig> = Effect.flatMap(
  EdumfaConfig,
  ({ check, get }) =>
    Effect.matchEffect(get(QueueClass.config), {
      onFailure: (error) => Effect.succeed([error]),
      onSuccess: (chosen) => (chosen === "Redis" ? check(redisConfig) : Effect.succeed([]))
    })
)

/** Fails with NoQueue when the configuration chooses none. */
export const layer: Layer.Layer<JobStore, EdumfaConfigError | NoQueue, EdumfaConfig> = Layer.unwrapEffect(choose)
