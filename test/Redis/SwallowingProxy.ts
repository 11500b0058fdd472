/**
 * A TCP proxy that can swallow bytes, in either direction, of links that are open and of new ones, without closing any.
 */
import { createServer, connect as dial, type Socket } from "node:net"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** Which way bytes vanish. */
type Swallowed = "nothing" | "requests" | "replies" | "all"

export interface SwallowingProxy {
  readonly port: number
  readonly swallow: (what: Swallowed) => void
  /** Ends all links that are open. */
  readonly cut: () => void
  /** How many links were opened so far. */
  readonly accepted: () => number
}

/** Stands in front of a port of this machine until its scope closes. */
export const make = (target: number): Effect.Effect<SwallowingProxy, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<SwallowingProxy & { readonly close: () => void }>((resume) => {
      let swallowed: Swallowed = "nothing"
      let accepted = 0
      const sockets = new Set<Socket>()
      const pipe = (from: Socket, to: Socket, lost: Swallowed) => {
        sockets.add(from)
        from.on("data", (data) => swallowed === lost || swallowed === "all" || to.write(data))
        from.on("error", () => to.destroy())
        from.on("close", () => {
          sockets.delete(from)
          to.destroy()
        })
      }
      const proxy = createServer((client) => {
        accepted += 1
        const server = dial(target, "127.0.0.1")
        pipe(client, server, "requests")
        pipe(server, client, "replies")
      })
      const cut = () => {
        for (const socket of sockets) socket.destroy()
      }
      const close = () => {
        cut()
        proxy.close()
      }
      proxy.listen(0, "127.0.0.1", () => {
        const at = proxy.address()
        const port = typeof at === "object" && at !== null ? at.port : 0
        const swallow = (what: Swallowed) => {
          swallowed = what
        }
        resume(Effect.succeed({ port, swallow, cut, accepted: () => accepted, close }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )
