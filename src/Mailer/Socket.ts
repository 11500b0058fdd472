/**
 * The TCP connection under an SMTP connection.
 */
import * as net from "node:net"
import * as Effect from "effect/Effect"

/** What is connected to. */
export interface Peer {
  readonly host: string
  readonly port: number
  /** Milliseconds for connecting. */
  readonly timeout: number
}

/** What an address of a host gets before the next one is tried; RFC 8305 asks for 250 ms or more. */
const addressShare = (timeout: number): number => Math.max(250, Math.floor(timeout / 4))

/**
 * Opens the connection as the system names hosts (/etc/hosts, nsswitch), trying the addresses in turn. Nothing is read
 * from it before somebody listens; it may have ended by then, for which whoever gets it has to look.
 */
export const connect = ({ host, port, timeout }: Peer): Effect.Effect<net.Socket, NodeJS.ErrnoException> =>
  Effect.async((resume) => {
    const socket = net.connect({
      host,
      port,
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: addressShare(timeout)
    })
    const fail = (error: NodeJS.ErrnoException) => {
      socket.destroy()
      resume(Effect.fail(error))
    }
    socket.on("error", fail)
    socket.setTimeout(timeout, () => fail(Object.assign(new Error("no connection"), { code: "ETIMEDOUT" })))
    socket.once("connect", () => {
      socket.setTimeout(0)
      socket.removeAllListeners("timeout")
      resume(Effect.succeed(socket))
    })
    return Effect.sync(() => socket.destroy())
  })
