/**
 * Which mail servers got a password from this queue before: whoever writes a job chooses where its password goes, so a
 * server that is new is worth a line in the log.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { BreakerStore } from "./Breaker/BreakerStore.ts"

/** More are forgotten, oldest first: a site has a few mail servers, and a job may name any. */
const maxServers = 1_000

/** Remembers for the life of the process. */
const unsafeMakeMemory = () => {
  const servers = new Set<string>()
  return {
    isNew: (hostPort: string): Effect.Effect<boolean> =>
      Effect.sync(() => {
        if (servers.has(hostPort)) return false
        if (servers.size >= maxServers) for (const oldest of [...servers].slice(0, 1)) servers.delete(oldest)
        servers.add(hostPort)
        return true
      })
  }
}

/** The mail servers that are known; in the memory of the process unless a layer says otherwise. */
export class Known extends Context.Reference<Known>()("edumfa-queue/Mailer/Known", {
  defaultValue: (): {
    /** Whether `host:port` is asked about for the first time; it is known from then on. */
    readonly isNew: (hostPort: string) => Effect.Effect<boolean>
  } => unsafeMakeMemory()
}) {}

/** The mail servers that any worker of the queue knows, over restarts; a store that does not answer knows none. */
export const layerShared: Layer.Layer<Known, never, BreakerStore> = Layer.effect(
  Known,
  Effect.map(BreakerStore, ({ exchange }) => {
    const memory = unsafeMakeMemory()
    const isNewToAll = Effect.fnUntraced(function* (hostPort: string) {
      const name = `password ${hostPort}`
      const { now, stored } = yield* exchange(name)
      // Written anew at each start, lest one that is in use is taken for forgotten.
      yield* exchange(name, { expected: stored, next: `${now}|known` })
      return stored === ""
    })
    return {
      isNew: (hostPort) =>
        Effect.flatMap(memory.isNew(hostPort), (isNew) =>
          isNew
            ? Effect.catchTag(isNewToAll(hostPort), "BreakerStoreError", (error) =>
                Effect.as(Effect.logDebug(`who got a password before is not known: ${error.detail}`), true)
              )
            : Effect.succeed(false)
        )
    }
  })
)
