/**
 * A connection that cannot get stuck: it keeps one link to Redis open, and opens another whenever that ends or falls
 * silent. Every use of it is an Effect that fails with a RedisError and leaves nothing behind.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as FiberSet from "effect/FiberSet"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { Redis as IORedis } from "ioredis"
import type { RedisAddress } from "./Address.ts"
import * as Link from "./Link.ts"
import * as Ready from "./Ready.ts"
import { fromCause, RedisError } from "./RedisError.ts"
import type { Argument, Script } from "./Script.ts"

/**
 * How a connection is used. `producer`: a web request waits for it, so it fails fast; `worker`: commands and scripts of
 * the take loop; `blocking`: nothing but the call that waits for an arrival, and the exchange behind it.
 */
export type Profile = "producer" | "worker" | "blocking"

/**
 * A command in front of a script that runs as soon as it has its reply; both must be there within `silence`. The text of a script
 * that Redis does not have is sent when that is known, and has as long as without a command in front.
 */
export interface Wait {
  readonly command: (client: IORedis) => Promise<unknown>
  /** Milliseconds. */
  readonly silence: number
}

/** One connection. */
export interface RedisConnection {
  /** A link that carries no reply for `silence` milliseconds is replaced; the default is the profile's. */
  readonly use: <A>(f: (client: IORedis) => Promise<A>, silence?: number) => Effect.Effect<A, RedisError>
  /**
   * Runs a script by its hash, and by its text when Redis does not have it, which is a command of its own; `wait` stands in
   * front of the first, in one go.
   */
  readonly run: <Key extends string, Arg extends string, Reply>(
    script: Script<Key, Arg, Reply>,
    keys: Readonly<Record<Key, string>>,
    args: Readonly<Record<Arg, Argument>>,
    rest?: ReadonlyArray<Argument>,
    wait?: Wait
  ) => Effect.Effect<Reply, RedisError>
  /** Whether a command waits for its reply, or there is no link. */
  readonly isBusy: () => boolean
  /** Throws the link away, with the driver's client, and opens another; commands in hand fail with reason Connection. */
  readonly replace: Effect.Effect<void>
  /** Fails with reason Reply and throws the link away: what came may be the reply to another command, then all that follow are. */
  readonly mistrust: (detail: string) => Effect.Effect<never, RedisError>
}

/**
 * Milliseconds that a command waits for a link, and then for its reply, after which the link is taken for dead: the only
 * cure of one that is open at our end alone.
 */
const silences: Readonly<Record<Profile, number>> = { producer: 3_000, worker: 5_000, blocking: 5_000 }

/** A try to open a link may take so long, with its handshake and a PING: a slow Redis is reached as well. Milliseconds. */
const patience = 5_000

/**
 * A try that is not done after so long gets another at its side, and the first that is open is taken. What a network
 * has swallowed never arrives, so only a try begun after that is over can be answered: this, not the patience, is how
 * soon. No more than patience / stagger are under way at a time: five, or ten where the URL asks for more patience.
 * Milliseconds.
 */
const stagger = 1_000

/** Milliseconds between tries that fail: 50, 100, 200, 400, 800, then 1000. */
const pause = (failures: number) => Math.min(50 * 2 ** Math.min(failures, 5), 1_000)

/** Both replies are there when it settles: what comes later would be unasked. */
const behind = (first: Promise<unknown>, second: Promise<unknown>): Promise<unknown> =>
  // Not by async and await: each promise in between costs what waits for the replies a turn of its own.
  new Promise((resolve, reject) => {
    second.then(
      (reply) => first.then(() => resolve(reply), reject),
      (cause) => first.then(() => reject(cause), reject)
    )
    // It may be refused long before the second has its reply, which is when that is looked at above.
    first.catch(() => undefined)
  })

/** Redis does not have a script, or no longer. */
const isUnknown = ({ cause }: RedisError) => cause instanceof Error && cause.message.startsWith("NOSCRIPT")

const replaced = new RedisError({ reason: "Connection", detail: "the connection to Redis was replaced" })

/** Keeps a link open in the background, and hands it out. */
const keep = Effect.fnUntraced(function* (address: RedisAddress, profile: Profile) {
  let link: Link.Link | undefined
  let next = Deferred.unsafeMake<Link.Link, RedisError>(FiberId.none)
  const alive = () => (link?.alive() ? link : undefined)
  const announce = (outcome: Effect.Effect<Link.Link, RedisError>) => {
    const awaited = next
    next = Deferred.unsafeMake(FiberId.none)
    Deferred.unsafeDone(awaited, outcome)
  }
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      announce(Effect.fail(Link.closed))
      Deferred.unsafeDone(next, Effect.fail(Link.closed))
    })
  )

  let failures = 0
  /** Opens a link and lives as long as it does. */
  const attempt = Link.open(address, profile === "producer").pipe(
    // Whoever waits has a limit of its own, and the next try may be answered: one without an answer tells nobody.
    Effect.timeoutOption(address.connectTimeout ?? patience),
    Effect.flatMap((opened) => {
      if (Option.isNone(opened) || alive() !== undefined) return Effect.void
      link = opened.value
      failures = 0
      announce(Effect.succeed(link))
      return link.ended
    }),
    Effect.scoped,
    Effect.catchAllCause((cause) =>
      Effect.sync(() => {
        if (!Cause.isInterruptedOnly(cause)) announce(Effect.fail(fromCause(Cause.squash(cause))))
      })
    )
  )

  const tries = yield* FiberSet.make<void>()
  yield* FiberSet.run(tries, attempt).pipe(
    Effect.flatMap((fiber) => Effect.timeoutOption(Fiber.await(fiber), stagger)),
    Effect.flatMap((ended) => {
      const open = alive()
      if (open !== undefined) return open.ended
      // Refused, or ended soon after it was open.
      return Option.isSome(ended) ? Effect.sleep(pause(failures++)) : Effect.void
    }),
    Effect.forever,
    Effect.forkScoped
  )
  return { alive, next: Effect.suspend(() => Deferred.await(next)) }
})

/** Opens a connection in the background; commands wait for the first try to connect, no longer. */
export const connect = (address: RedisAddress, profile: Profile): Effect.Effect<RedisConnection, never, Scope.Scope> =>
  Effect.map(keep(address, profile), (links) => {
    const guess = "tls" in address && address.tls !== undefined ? "; does it speak TLS on that port?" : ""
    const limit = address.replyTimeout ?? silences[profile]
    const use: RedisConnection["use"] = (f, silence = limit) =>
      Effect.suspend(() => {
        const open = links.alive()
        if (open !== undefined) return open.call(f, silence)
        return links.next.pipe(
          Effect.timeoutFail({ duration: limit, onTimeout: () => Link.silent(limit, guess) }),
          Effect.flatMap((opened) => opened.call(f, silence))
        )
      })
    const replaceBy = (error: RedisError) => Effect.sync(() => links.alive()?.end(error))
    const mistrust = (detail: string) => {
      const error = new RedisError({ reason: "Reply", detail })
      return Effect.zipRight(replaceBy(error), Effect.fail(error))
    }
    /** What the calls of a script begin with, that of the keys of its last call. */
    const begun = new WeakMap<object, { readonly keys: object; readonly text: string }>()
    const run: RedisConnection["run"] = (script, keys, args, rest = [], wait) => {
      let begin = begun.get(script)
      if (begin?.keys !== keys) {
        const names = script.keys.map((key) => Ready.part(keys[key])).join("")
        begin = { keys, text: `${Ready.part(script.keys.length)}${names}` }
        begun.set(script, begin)
      }
      const values: Array<Argument> = []
      for (const arg of script.args) values.push(args[arg])
      for (const value of rest) values.push(value)
      const { text } = begin
      const send = (client: IORedis, name: string, code: string) =>
        Ready.send(client, name, `${Ready.part(name)}${Ready.part(code)}${text}`, 3 + script.keys.length, values)
      const decoded = (reply: unknown) => {
        const value = script.decode(reply)
        return Either.isRight(value)
          ? Effect.succeed(value.right)
          : mistrust(`unexpected reply of ${script.name}: ${value.left}`)
      }
      const byHash = use((client) => {
        if (wait === undefined) return send(client, "EVALSHA", script.sha1)
        Ready.gather(client)
        return behind(wait.command(client), send(client, "EVALSHA", script.sha1))
      }, wait?.silence)
      return Effect.matchEffect(byHash, {
        onSuccess: decoded,
        onFailure: (error) =>
          isUnknown(error)
            ? Effect.flatMap(
                use((client) => send(client, "EVAL", script.lua)),
                decoded
              )
            : Effect.fail(error)
      })
    }
    return { use, run, isBusy: () => links.alive()?.busy() ?? true, replace: replaceBy(replaced), mistrust }
  })
