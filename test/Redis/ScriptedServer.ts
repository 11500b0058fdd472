/**
 * A TCP server that answers what a test says, whatever it is asked, and keeps what it was sent.
 */
import { createServer, type Socket } from "node:net"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

export interface ScriptedServer {
  readonly port: number
  /** All that was sent, in the order of its arrival. */
  readonly received: () => string
  /** How many links are open. */
  readonly open: () => number
  /** Writes to all links that are open. */
  readonly write: (text: string) => void
}

/** `answer` gets a chunk and the number of its link, counted from 1; undefined is no answer. */
export const make = (
  answer: (request: string, link: number) => string | undefined
): Effect.Effect<ScriptedServer, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<ScriptedServer & { readonly close: () => void }>((resume) => {
      let links = 0
      let received = ""
      const sockets = new Set<Socket>()
      const server = createServer((socket) => {
        const link = ++links
        sockets.add(socket)
        socket.on("error", () => socket.destroy())
        socket.on("close", () => sockets.delete(socket))
        socket.on("data", (data) => {
          received += data.toString()
          const text = answer(data.toString(), link)
          if (text !== undefined) socket.write(text)
        })
      })
      const close = () => {
        for (const socket of sockets) socket.destroy()
        server.close()
      }
      const write = (text: string) => {
        for (const socket of sockets) socket.write(text)
      }
      server.listen(0, "127.0.0.1", () => {
        const at = server.address()
        const port = typeof at === "object" && at !== null ? at.port : 0
        resume(Effect.succeed({ port, received: () => received, open: () => sockets.size, write, close }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )

/** The replies of a Redis to a handshake, and to every other command the same reply. */
export const polite =
  (reply: string) =>
  (request: string): string => {
    const nonce = /\r\nPING\r\n\$\d+\r\n(\d+)\r\n/i.exec(request)?.[1]
    return nonce === undefined ? reply : `$${nonce.length}\r\n${nonce}\r\n`
  }
