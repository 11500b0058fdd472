/**
 * A mail server on loopback that is slow with every reply, and refuses some recipients for a while or for good.
 */
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import { SMTPServer } from "smtp-server"

/** An answer to RCPT, or a mail that was taken. */
export interface Event {
  readonly recipient: string
  /** 250: the mail is taken. */
  readonly code: 250 | 451 | 550
}

/** What the demonstration scripts. */
export interface Options {
  /** Before every reply, in milliseconds. */
  readonly delay: number
  /** How often each of these is refused for now before it is accepted. */
  readonly busy: Readonly<Record<string, number>>
  readonly gone: ReadonlyArray<string>
}

const listen = (server: Server): Effect.Effect<number> =>
  Effect.async((resume) => {
    server.listen(0, "127.0.0.1", () => resume(Effect.succeed((server.address() as AddressInfo).port)))
  })

const close = (server: { readonly close: (done: () => void) => unknown }): Effect.Effect<void> =>
  Effect.async((resume) => {
    server.close(() => resume(Effect.void))
  })

/** Passes on what the client says at once, and what the server says late. */
const slowly = (delay: number, target: number) => (client: Socket) => {
  const server = connect(target, "127.0.0.1")
  const later = (act: () => void) => {
    setTimeout(act, delay)
  }
  client.on("data", (data) => server.write(data))
  client.on("close", () => server.destroy())
  client.on("error", () => server.destroy())
  server.on("data", (data) => later(() => client.write(data)))
  server.on("close", () => later(() => client.destroy()))
  server.on("error", () => client.destroy())
}

const refusal = (code: number, text: string) => Object.assign(new Error(text), { responseCode: code })

/** Starts it; `events` is what happened so far. */
export const make = Effect.fnUntraced(function* (options: Options) {
  const events = yield* Ref.make<ReadonlyArray<Event>>([])
  const note = (event: Event) => Effect.runSync(Ref.update(events, (all) => [...all, event]))
  const refused = new Map<string, number>()
  const smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ["STARTTLS", "AUTH"],
    onRcptTo: ({ address }, _session, done) => {
      const so = refused.get(address) ?? 0
      if (options.gone.includes(address)) {
        note({ recipient: address, code: 550 })
        done(refusal(550, "5.1.1 no such user"))
      } else if (so < (options.busy[address] ?? 0)) {
        refused.set(address, so + 1)
        note({ recipient: address, code: 451 })
        done(refusal(451, "4.7.1 greylisted, come back later"))
      } else done()
    },
    onData: (stream, session, done) => {
      stream.resume()
      stream.on("end", () => {
        for (const { address } of session.envelope.rcptTo) note({ recipient: address, code: 250 })
        done()
      })
    }
  })
  yield* Effect.acquireRelease(Effect.succeed(smtp), close)
  const hidden = yield* listen(smtp.server)
  const proxy = createServer(slowly(options.delay, hidden))
  yield* Effect.acquireRelease(Effect.succeed(proxy), (server) => Effect.asVoid(Effect.sync(() => server.close())))
  const port = yield* listen(proxy)
  return { port, events: Ref.get(events) }
})
