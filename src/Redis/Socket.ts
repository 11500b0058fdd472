/**
 * A socket to Redis, open when it is handed out and destroyed with its scope.
 */
import * as Net from "node:net"
import * as NodeTls from "node:tls"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { RedisAddress } from "./Address.ts"
import { fromCause, type RedisError } from "./RedisError.ts"
import * as Tls from "./Tls.ts"

/** A peer that is gone without a word is noticed even where nothing is in hand. Milliseconds. */
const keepAlive = 30_000

/** How to begin to connect, and the event that says it is done. */
const dial = (address: RedisAddress): Effect.Effect<readonly [() => Net.Socket, string], RedisError> => {
  if ("path" in address) return Effect.succeed([() => Net.connect({ path: address.path }), "connect"])
  const { host, port, tls } = address
  if (tls === undefined) return Effect.succeed([() => Net.connect({ host, port }), "connect"])
  return Effect.map(Tls.options(address, tls), (options) => [
    () => NodeTls.connect({ ...options, host, port }),
    "secureConnect"
  ])
}

/** Connects. The caller limits how long that may take. */
export const open = (address: RedisAddress): Effect.Effect<Net.Socket, RedisError, Scope.Scope> =>
  Effect.gen(function* () {
    const [begin, done] = yield* dial(address)
    const socket = yield* Effect.acquireRelease(Effect.sync(begin), (socket) => Effect.sync(() => socket.destroy()))
    yield* Effect.async<void, RedisError>((resume) => {
      // Stays for the socket's life: an error that nobody listens to would end the process.
      socket.on("error", (cause) => resume(Effect.fail(fromCause(cause))))
      socket.once(done, () => resume(Effect.void))
    })
    socket.setNoDelay(true)
    if ("host" in address && address.keepAlive !== false) socket.setKeepAlive(true, keepAlive)
    return socket
  })
