/**
 * A socket to Redis, open when it is handed out and destroyed with its scope.
 */
import * as Net from "node:net"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { fromCause, type RedisError } from "./RedisError.ts"
import type { RedisAddress } from "./Url.ts"

/** A peer that is gone without a word is noticed even where nothing is in hand. Milliseconds. */
const keepAlive = 30_000

/** Connects. The caller limits how long that may take. */
export const open = (address: RedisAddress): Effect.Effect<Net.Socket, RedisError, Scope.Scope> =>
  Effect.gen(function* () {
    const socket = yield* Effect.acquireRelease(
      Effect.sync(() =>
        Net.connect({
          host: address.host,
          port: address.port,
          noDelay: true,
          keepAlive: true,
          keepAliveInitialDelay: keepAlive
        })
      ),
      (socket) => Effect.sync(() => socket.destroy())
    )
    yield* Effect.async<void, RedisError>((resume) => {
      // Stays for the socket's life: an error that nobody listens to would end the process.
      socket.on("error", (cause) => resume(Effect.fail(fromCause(cause))))
      socket.once("connect", () => resume(Effect.void))
    })
    return socket
  })
