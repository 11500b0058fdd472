/**
 * One ioredis client on one socket, from its handshake to its only end. It never reconnects and never sends a command
 * twice; whatever is wrong ends it, and with it all commands in hand.
 */
import type { Socket } from "node:net"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { AbstractConnector, Redis as IORedis } from "ioredis"
import type { RedisAddress } from "./Address.ts"
import * as Alarm from "./Alarm.ts"
import { BusyPoll } from "./BusyPoll.ts"
import { fromCause, lost, nonsense, RedisError, unwrap } from "./RedisError.ts"
import { open as openSocket } from "./Socket.ts"

export interface Link {
  /** Whether commands can be sent. */
  readonly alive: () => boolean
  /** Whether a command waits for its reply. */
  readonly busy: () => boolean
  /**
   * Sends commands; the link ends if nothing comes back within `silence` milliseconds. The promise must not settle
   * before all replies are there: what comes later is unasked, and ends the link.
   */
  readonly call: <A>(f: (client: IORedis) => Promise<A>, silence: number) => Effect.Effect<A, RedisError>
  /** Ends the link; commands in hand fail with this error. */
  readonly end: (error: RedisError) => void
  /** Waits for the end. */
  readonly ended: Effect.Effect<void>
}

/** Nothing came back in time: the only sign of a link that is open at one end. */
export const silent = (silence: number, guess = ""): RedisError =>
  new RedisError({ reason: "Connection", detail: `Redis does not answer (no reply within ${silence} ms${guess})` })

/**
 * Milliseconds. A link that is used no more often has no timer while nothing waits: it would wake up an idle process, and to
 * clear it after each of many commands costs more.
 */
const rare = 1_000

/** A command that has no reply yet. */
interface InHand extends Alarm.Waiting {
  readonly silence: number
  readonly fail: (error: RedisError) => void
}

/** Nobody needs it any longer. */
export const closed = new RedisError({ reason: "Connection", detail: "the connection to Redis is closed" })

/** What a server says that has been demoted, is loading, or has lost its primary: another connection may reach a better one. */
const leaving = /^(READONLY|LOADING|MASTERDOWN)/

/** ioredis as a codec and a queue of replies: the socket, the handshake and the end are ours. */
const driver = (socket: Socket): IORedis =>
  new IORedis({
    Connector: class extends AbstractConnector {
      constructor() {
        super(0)
      }
      override connect() {
        return Promise.resolve(socket)
      }
      override disconnect() {
        socket.destroy()
      }
    },
    lazyConnect: true,
    // One client for one socket. Without a next one there is nothing to send again.
    retryStrategy: () => null,
    autoResendUnfulfilledCommands: false,
    // Our own handshake instead: the driver's prints to stderr where INFO is denied or a password is not needed, goes on
    // in database 0 where SELECT is refused, and waits without a limit while Redis loads.
    enableReadyCheck: false,
    // A reply to CLIENT SETINFO is an error before Redis 7.2, and denied by a minimal ACL.
    disableClientInfo: true
  })

/**
 * Puts a fence around the parser. It throws at some nonsense, and an exception of a listener would end the process; and
 * it gathers a reply without an end for ever, where no command waits whose silence would be noticed.
 */
const fence = (socket: Socket, isAsked: () => boolean, onThrow: (cause: unknown) => void) => {
  const listeners = socket.listeners("data")
  socket.removeAllListeners("data")
  socket.on("data", (data) => {
    try {
      if (!isAsked()) throw new Error("it says something unasked")
      for (const listener of listeners) Reflect.apply(listener, socket, [data])
    } catch (cause) {
      onThrow(cause)
    }
  })
}

/** The commands of the handshake, sent in one go; the first that is refused is the reason. */
const greet = async (client: IORedis, { username, password, db, clientName }: RedisAddress, nonce: string) => {
  const replies: Array<Promise<unknown>> = []
  if (username !== undefined || password !== undefined) {
    const user = username === undefined ? [] : [username]
    replies.push(client.call("AUTH", ...user, password === undefined ? "" : Redacted.value(password)))
  }
  if (db !== 0) replies.push(client.call("SELECT", String(db)))
  // A name is for people to read; where it is denied there is none.
  if (clientName !== undefined) replies.push(client.call("CLIENT", "SETNAME", clientName).catch(() => undefined))
  const echo = client.call("PING", nonce).catch((error: unknown) => {
    // An ACL that denies PING is as good a sign of life.
    if (error instanceof Error && error.message.startsWith("NOPERM")) return nonce
    throw error
  })
  await Promise.all([...replies, echo])
  if ((await echo) !== nonce) throw nonsense(new Error("PING has another answer"))
}

/**
 * Opens a link: connects, logs in, and has an answer to PING. The caller limits how long that may take. `polls`: replies are
 * waited for awake, see {@link BusyPoll}.
 */
export const open = (address: RedisAddress, polls: boolean): Effect.Effect<Link, RedisError, Scope.Scope> =>
  Effect.gen(function* () {
    const socket = yield* openSocket(address)
    const nonce = String(yield* Random.nextIntBetween(0, Number.MAX_SAFE_INTEGER))
    const over = yield* Deferred.make<void>()
    const inHand = new Set<InHand>()
    const alarm = new Alarm.Alarm(inHand, ({ silence }) => end(silent(silence)))
    const busy = () => inHand.size > 0
    const poll = polls ? new BusyPoll(busy) : undefined
    let calledAt = Number.NEGATIVE_INFINITY
    let failure: RedisError | undefined
    const client = driver(socket)
    const end = (error: RedisError) => {
      if (failure !== undefined) return
      failure = error
      client.disconnect()
      socket.destroy()
      alarm.clear()
      for (const { fail } of inHand) fail(error)
      Deferred.unsafeDone(over, Effect.void)
    }
    yield* Effect.addFinalizer(() => Effect.sync(() => end(closed)))
    client.on("error", (cause: unknown) => end(fromCause(cause)))
    let open = false
    client.on("connect", () =>
      fence(
        socket,
        () => !open || busy(),
        (cause) => end(nonsense(cause))
      )
    )
    socket.once("close", () => end(fromCause(lost)))

    const call: Link["call"] = (f, silence) =>
      Effect.async((resume) => {
        if (failure !== undefined) return resume(Effect.fail(failure))
        const reply = f(client)
        const now = performance.now()
        const waiting: InHand = {
          until: now + silence,
          silence,
          fail: (error) => {
            inHand.delete(waiting)
            resume(Effect.fail(error))
          }
        }
        inHand.add(waiting)
        alarm.set(waiting.until, now)
        const isRare = now - calledAt > rare
        calledAt = now
        poll?.sent(now)
        reply.then(
          (value) => {
            inHand.delete(waiting)
            poll?.answered()
            if (isRare && !busy()) alarm.clear()
            resume(Effect.succeed(value))
          },
          (cause: unknown) => {
            poll?.answered()
            const error = fromCause(cause)
            waiting.fail(error)
            if (cause instanceof Error && leaving.test(unwrap(cause.message))) end(error)
          }
        )
      })

    yield* Effect.tryPromise({
      try: () => client.connect().then(() => greet(client, address, nonce)),
      // What ended the link knows better than what the driver makes of its end.
      catch: (cause) => failure ?? fromCause(cause)
    })
    if (failure !== undefined) return yield* Effect.fail(failure)
    open = true
    return { alive: () => failure === undefined, busy, call, end, ended: Deferred.await(over) }
  })
