/**
 * The breakers' states where the configured queue is: shared by its workers on Redis; in this process without a queue.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as QueueClass from "../../EdumfaConfig/QueueClass.ts"
import { EdumfaConfig, type EdumfaConfigError } from "../../EdumfaConfig.ts"
import * as Keys from "../../Redis/keys.ts"
import * as Redis from "../../Redis.ts"
import { type BreakerStore, layerMemory } from "./BreakerStore.ts"
import * as RedisBreakers from "./Redis.ts"

const stores = {
  None: Effect.succeed(layerMemory),
  Redis: Effect.gen(function* () {
    const { get } = yield* EdumfaConfig
    const redis = yield* get(Redis.workerConfig)
    return Layer.provide(RedisBreakers.layer(yield* get(Keys.nameConfig)), Layer.succeed(Redis.Redis, redis))
  })
}

/** The layer, with its whole configuration read. */
export const choose: Effect.Effect<Layer.Layer<BreakerStore>, EdumfaConfigError, EdumfaConfig> = Effect.flatMap(
  Effect.flatMap(EdumfaConfig, ({ get }) => get(QueueClass.config)),
  (chosen): Effect.Effect<Layer.Layer<BreakerStore>, EdumfaConfigError, EdumfaConfig> => stores[chosen]
)
