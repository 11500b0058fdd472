/**
 * The proxy breaks links in the way it says.
 */
import * as net from "node:net"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as ChaosProxy from "./ChaosProxy.ts"

/** What one end of a connection has seen. */
interface End {
  readonly socket: net.Socket
  text: string
  /** `end`: FIN; `close`: gone without an error; else the code of the error. */
  seen: string
}

const watch = (socket: net.Socket): End => {
  const end: End = { socket, text: "", seen: "" }
  socket.on("data", (data: Buffer) => {
    end.text += data.toString()
  })
  socket.on("end", () => {
    end.seen ||= "end"
  })
  socket.on("error", (error) => {
    end.seen = "code" in error ? String(error.code) : error.message
  })
  socket.on("close", () => {
    end.seen ||= "close"
  })
  return end
}

/** A server that only listens, a proxy before it, and a way to connect. */
const setUp = Effect.gen(function* () {
  const accepted: Array<End> = []
  const port = yield* Effect.acquireRelease(
    Effect.async<{ readonly server: net.Server; readonly port: number }>((resume) => {
      const server = net.createServer({ allowHalfOpen: true }, (socket) => accepted.push(watch(socket)))
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        resume(Effect.succeed({ server, port: typeof address === "object" ? (address?.port ?? 0) : 0 }))
      })
    }),
    ({ server }) => Effect.sync(() => server.close())
  )
  const proxy = yield* ChaosProxy.make({ port: port.port })
  const connect = Effect.acquireRelease(
    Effect.sync(() => watch(net.connect({ host: "127.0.0.1", port: proxy.port, allowHalfOpen: true }))),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )
  const pair = Effect.gen(function* () {
    const before = accepted.length
    const client = yield* connect
    yield* until(() => accepted.length > before)
    const server = accepted[before]
    return server === undefined ? yield* Effect.dieMessage("no connection") : { client, server }
  })
  return { proxy, connect, pair }
})

const until = (holds: () => boolean) =>
  Effect.sync(holds).pipe(
    Effect.filterOrFail(
      (it) => it,
      () => new Error("did not come to hold")
    ),
    Effect.retry(Schedule.spaced("5 millis").pipe(Schedule.upTo("5 seconds"))),
    Effect.orDie
  )

/** Long enough for what is not held to arrive on loopback. */
const aWhile = Effect.sleep("50 millis")

describe("the chaos proxy", () => {
  it.scopedLive("passes bytes and ends on in both directions", () =>
    Effect.gen(function* () {
      const { pair, proxy } = yield* setUp
      const { client, server } = yield* pair
      client.socket.write("there")
      server.socket.write("back")
      yield* until(() => server.text === "there" && client.text === "back")
      client.socket.end()
      yield* until(() => server.seen === "end")
      server.socket.end("bye")
      yield* until(() => client.text === "backbye")
      while ((yield* proxy.links) > 0) yield* aWhile
    })
  )

  const directions: ReadonlyArray<ChaosProxy.Direction> = ["toServer", "toClient", "both"]
  for (const direction of directions) {
    const isHeld = (way: "toServer" | "toClient") => direction === "both" || direction === way

    it.scopedLive(`holds what goes ${direction} while frozen, and passes it on when thawed`, () =>
      Effect.gen(function* () {
        const { pair, proxy } = yield* setUp
        const { client, server } = yield* pair
        yield* proxy.freeze(direction)
        client.socket.write("there")
        server.socket.write("back")
        yield* until(() => isHeld("toServer") || server.text === "there")
        yield* until(() => isHeld("toClient") || client.text === "back")
        yield* aWhile
        expect([server.text, client.text]).toEqual([
          isHeld("toServer") ? "" : "there",
          isHeld("toClient") ? "" : "back"
        ])
        yield* proxy.thaw
        yield* until(() => server.text === "there" && client.text === "back")
      })
    )

    it.scopedLive(`loses what goes ${direction} while it swallows`, () =>
      Effect.gen(function* () {
        const { pair, proxy } = yield* setUp
        const { client, server } = yield* pair
        yield* proxy.swallow(direction)
        client.socket.write("lost")
        server.socket.write("lost")
        yield* aWhile
        yield* proxy.thaw
        client.socket.write("there")
        server.socket.write("back")
        yield* until(() => server.text.endsWith("there") && client.text.endsWith("back"))
        expect([server.text, client.text]).toEqual([
          isHeld("toServer") ? "there" : "lostthere",
          isHeld("toClient") ? "back" : "lostback"
        ])
      })
    )

    it.scopedLive(`ends a link ${direction} and no other way`, () =>
      Effect.gen(function* () {
        const { pair, proxy } = yield* setUp
        const { client, server } = yield* pair
        yield* proxy.halfClose(direction)
        client.socket.write("there")
        server.socket.write("back")
        yield* until(() => (isHeld("toServer") ? server.seen === "end" : server.text === "there"))
        yield* until(() => (isHeld("toClient") ? client.seen === "end" : client.text === "back"))
        expect([server.text, client.text]).toEqual([
          isHeld("toServer") ? "" : "there",
          isHeld("toClient") ? "" : "back"
        ])
      })
    )
  }

  it.scopedLive("lets nobody learn of an end while the link is frozen", () =>
    Effect.gen(function* () {
      const { pair, proxy } = yield* setUp
      const { client, server } = yield* pair
      yield* proxy.freeze("both")
      server.socket.resetAndDestroy()
      client.socket.write("anybody there?")
      yield* aWhile
      expect(client.seen).toBe("")
      yield* proxy.thaw
      yield* until(() => client.seen !== "")
    })
  )

  it.scopedLive("freezes connections that are opened later too", () =>
    Effect.gen(function* () {
      const { pair, proxy } = yield* setUp
      yield* proxy.freeze("toClient")
      const { client, server } = yield* pair
      server.socket.write("back")
      yield* aWhile
      expect(client.text).toBe("")
      yield* proxy.thaw
      yield* until(() => client.text === "back")
    })
  )

  it.scopedLive("delays, and keeps the order", () =>
    Effect.gen(function* () {
      const { pair, proxy } = yield* setUp
      const { client, server } = yield* pair
      yield* proxy.delay("200 millis")
      client.socket.write("first ")
      yield* aWhile
      expect(server.text).toBe("")
      yield* proxy.delay(0)
      client.socket.write("second")
      yield* until(() => server.text === "first second")
    })
  )

  it.scopedLive("resets and cuts on both sides", () =>
    Effect.gen(function* () {
      const { pair, proxy } = yield* setUp
      const first = yield* pair
      yield* proxy.reset
      yield* until(() => first.client.seen === "ECONNRESET" && first.server.seen === "ECONNRESET")
      const second = yield* pair
      yield* proxy.cut
      yield* until(() => second.client.seen === "end" && second.server.seen === "end")
    })
  )

  it.scopedLive("refuses new connections until it accepts again, on the same port", () =>
    Effect.gen(function* () {
      const { connect, pair, proxy } = yield* setUp
      const { client, server } = yield* pair
      yield* proxy.refuse
      const refused = yield* connect
      yield* until(() => refused.seen === "ECONNREFUSED")
      client.socket.write("still there")
      yield* until(() => server.text === "still there")
      yield* proxy.accept
      const again = yield* pair
      again.client.socket.write("there")
      yield* until(() => again.server.text === "there")
    })
  )
})
