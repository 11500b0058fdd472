/**
 * Which queue EDUMFA_JOB_QUEUE_CLASS chooses: the one place where a class of Python stands for a layer of ours.
 */
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Either from "effect/Either"
import type { Product } from "./keys.ts"

export type QueueClass = "None" | "Redis"

const key = "EDUMFA_JOB_QUEUE_CLASS"

/** The accepted values. */
const classes: ReadonlyMap<string, QueueClass> = new Map([
  ["", "None"],
  ["edumfa.lib.queues.huey_queue.HueyQueue", "Redis"],
  ["privacyidea.lib.queues.huey_queue.HueyQueue", "Redis"]
])

/** The line that chooses Redis, for a product and its names of keys. */
export const line = (product: Product, nameOf: (key: string) => string): string =>
  `${nameOf(key)} = '${product.toLowerCase()}.lib.queues.huey_queue.HueyQueue'`

const accepted = [...classes.keys()].map((name) => `'${name}'`).join(", ")

const chosen = Config.string(key).pipe(
  Config.withDefault(""),
  Config.mapOrFail((name) =>
    Either.fromNullable(classes.get(name), () =>
      ConfigError.InvalidData([key], `is no queue we know; write one of ${accepted}`)
    )
  )
)

/** The class; EDUMFA_JOB_QUEUE_IMMEDIATE = True is none, as huey performs immediate jobs where they are enqueued. */
export const config: Config.Config<QueueClass> = Config.all({
  chosen,
  immediate: Config.withDefault(Config.boolean("EDUMFA_JOB_QUEUE_IMMEDIATE"), false)
}).pipe(Config.map(({ chosen, immediate }) => (immediate ? "None" : chosen)))
