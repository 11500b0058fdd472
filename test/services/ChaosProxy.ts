/**
 * A TCP proxy on loopback that breaks links as networks do: held, silent, slow, reset, half closed, refused.
 */
import * as net from "node:net"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** Where bytes go: to the server behind the proxy, to its client, or either. */
export type Direction = "toServer" | "toClient" | "both"

/** All controls hold for the links that are open and for those to come, unless they say otherwise. */
export interface ChaosProxy {
  /** Where clients connect. */
  readonly port: number
  /** Holds what is sent, the end of a connection too; the sender is told nothing. Until {@link thaw}. */
  readonly freeze: (direction: Direction) => Effect.Effect<void>
  /** Loses what is sent, the end of a connection too; the sender is told nothing. Until {@link thaw}. */
  readonly swallow: (direction: Direction) => Effect.Effect<void>
  /** Ends freeze and swallow: what was held goes on, what was lost stays lost. */
  readonly thaw: Effect.Effect<void>
  /** Each piece arrives so much later, in order; zero ends it. */
  readonly delay: (time: Duration.DurationInput) => Effect.Effect<void>
  /** Resets the open links (RST) on both sides. */
  readonly reset: Effect.Effect<void>
  /** Ends the open links in one direction or both (FIN), and loses what comes later in it. */
  readonly halfClose: (direction: Direction) => Effect.Effect<void>
  /** Closes the open links on both sides. */
  readonly cut: Effect.Effect<void>
  /** New connections are refused by the system, until {@link accept}. Open links stay. */
  readonly refuse: Effect.Effect<void>
  readonly accept: Effect.Effect<void>
  /** Links that are open now. */
  readonly links: Effect.Effect<number>
}

export interface Options {
  readonly port: number
  /** Default: 127.0.0.1. */
  readonly host?: string
}

type Way = Exclude<Direction, "both">
type Mode = "flow" | "freeze" | "swallow"

/** What holds for all links. */
interface Weather {
  readonly modes: Record<Way, Mode>
  delay: number
}

/** One direction of a link. */
class Flow {
  private readonly source: net.Socket
  private readonly sink: net.Socket
  private readonly weather: Weather
  private readonly way: Way
  private readonly pending: Array<{ readonly at: number; readonly act: () => void }> = []
  private isEnded = false

  constructor(source: net.Socket, sink: net.Socket, weather: Weather, way: Way) {
    this.source = source
    this.sink = sink
    this.weather = weather
    this.way = way
    source.on("data", (chunk: Buffer) => this.forward(() => this.sink.write(chunk)))
    source.on("end", () => this.forward(() => this.sink.end()))
    this.adapt()
  }

  /** Does as the weather says now. */
  adapt(): void {
    // What is not read stays in the buffers of the system, as on a link that drops packets.
    if (this.isFrozen()) this.source.pause()
    else this.source.resume()
    this.drain()
  }

  end(): void {
    this.isEnded = true
    this.sink.end()
  }

  private isFrozen(): boolean {
    return this.weather.modes[this.way] === "freeze"
  }

  private forward(act: () => void): void {
    if (this.weather.modes[this.way] === "swallow") return
    this.pending.push({ at: Date.now() + this.weather.delay, act })
    this.drain()
  }

  /** In order, so that a shorter delay does not overtake a longer one. */
  private drain(): void {
    for (let next = this.pending[0]; next !== undefined && !this.isFrozen(); next = this.pending[0]) {
      const rest = next.at - Date.now()
      if (rest > 0) {
        setTimeout(() => this.drain(), rest)
        return
      }
      this.pending.shift()
      if (!this.isEnded && this.sink.writable) next.act()
    }
  }
}

/** A connection of a client and its own to the server. */
class Link {
  private readonly client: net.Socket
  private readonly server: net.Socket
  private readonly flows: Record<Way, Flow>
  private readonly weather: Weather
  private isBroken = false

  constructor(client: net.Socket, options: Options, weather: Weather, gone: (link: Link) => void) {
    const server = net.connect({ host: options.host ?? "127.0.0.1", port: options.port, allowHalfOpen: true })
    this.client = client
    this.server = server
    this.weather = weather
    client.setNoDelay(true)
    server.setNoDelay(true)
    this.flows = {
      toServer: new Flow(client, server, weather, "toServer"),
      toClient: new Flow(server, client, weather, "toClient")
    }
    const broken = () => {
      this.isBroken = true
      this.adapt()
    }
    for (const socket of [client, server]) {
      socket.on("error", broken)
      socket.once("close", () => {
        if (client.destroyed && server.destroyed) gone(this)
      })
    }
  }

  adapt(): void {
    const { modes } = this.weather
    // A broken side breaks the other, but while nothing gets through nobody learns of it.
    if (this.isBroken && modes.toServer === "flow" && modes.toClient === "flow") {
      this.reset()
    } else {
      this.flows.toServer.adapt()
      this.flows.toClient.adapt()
    }
  }

  halfClose(way: Way): void {
    this.flows[way].end()
  }

  reset(): void {
    this.client.resetAndDestroy()
    this.server.resetAndDestroy()
  }

  cut(): void {
    this.client.destroy()
    this.server.destroy()
  }
}

const waysOf = (direction: Direction): ReadonlyArray<Way> =>
  direction === "both" ? ["toServer", "toClient"] : [direction]

const listen = (server: net.Server, port: number) =>
  Effect.async<number>((resume) => {
    server.once("error", (error) => resume(Effect.die(error)))
    server.listen(port, "127.0.0.1", () => {
      const address = server.address()
      resume(
        typeof address === "object" && address !== null
          ? Effect.succeed(address.port)
          : Effect.dieMessage("the proxy has no port")
      )
    })
  })

/** Starts a proxy in front of a port; it and its links end with its scope. */
export const make = (options: Options): Effect.Effect<ChaosProxy, never, Scope.Scope> =>
  Effect.gen(function* () {
    const weather: Weather = { modes: { toServer: "flow", toClient: "flow" }, delay: 0 }
    const links = new Set<Link>()
    const create = () =>
      net.createServer({ allowHalfOpen: true }, (client) => {
        links.add(new Link(client, options, weather, (link) => links.delete(link)))
      })
    let server: net.Server | undefined = create()
    const each = (act: (link: Link) => void) =>
      Effect.sync(() => {
        for (const link of [...links]) act(link)
      })
    const change = (alter: () => void) =>
      Effect.zipRight(
        Effect.sync(alter),
        each((link) => link.adapt())
      )
    const set = (mode: Mode) => (direction: Direction) =>
      change(() => {
        for (const way of waysOf(direction)) weather.modes[way] = mode
      })
    const refuse = Effect.sync(() => {
      server?.close()
      server = undefined
    })
    yield* Effect.addFinalizer(() =>
      Effect.zipRight(
        refuse,
        each((link) => link.cut())
      )
    )
    const port = yield* listen(server, 0)
    return {
      port,
      freeze: set("freeze"),
      swallow: set("swallow"),
      thaw: set("flow")("both"),
      delay: (time) =>
        Effect.sync(() => {
          weather.delay = Duration.toMillis(time)
        }),
      reset: each((link) => link.reset()),
      halfClose: (direction) =>
        each((link) => {
          for (const way of waysOf(direction)) link.halfClose(way)
        }),
      cut: each((link) => link.cut()),
      refuse,
      accept: Effect.suspend(() => {
        if (server !== undefined) return Effect.void
        server = create()
        return Effect.asVoid(listen(server, port))
      }),
      links: Effect.sync(() => links.size)
    }
  })
