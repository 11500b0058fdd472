/**
 * The connections to all SMTP servers: kept open between mails, so many to a server and no more.
 */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as FiberSet from "effect/FiberSet"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import { MailerError } from "../Mailer.ts"
import * as Monotonic from "../Monotonic.ts"
import type { Breaker } from "./Breaker.ts"
import type * as Connection from "./Connection.ts"
import * as Destination from "./Destination.ts"
import { type Kept, Pool, type Waiter } from "./Pool.ts"
import type * as Progress from "./Progress.ts"

export interface Connections {
  /**
   * Hands a connection to `send`, a kept one where there is one. Where that turns out to be dead before the mail has
   * begun, the next one is tried, until a new one fails: it costs the mail nothing that a server closed an idle connection.
   * Ends soon after the mail is abandoned, whatever it waits for. Not to be interrupted.
   */
  readonly use: <A>(
    destination: Destination.Destination,
    progress: Progress.Progress,
    send: (connection: Connection.Connection) => Effect.Effect<A, MailerError>
  ) => Effect.Effect<A, MailerError>
  /** Keeps none of the connections that there are: the next mail opens one, and asks the breaker. */
  readonly forget: (destination: Destination.Destination) => Effect.Effect<void>
}

/** As many connections to one server are polite; Postfix takes 50 from one client, others fewer. */
const defaultConnections = 10

/** So long is one kept that nobody uses, milliseconds; RFC 5321 4.5.3.2.7 lets a server wait five minutes. */
const idle = 30_000

/** Milliseconds between two looks for such. */
const sweepInterval = 5_000

const stopped = (detail: string) => new MailerError({ reason: "Stopped", verdict: "Transient", detail })

/** Opens none before it is used, and only where the breaker lets it; ends all with its scope. */
export const make = Effect.fnUntraced(function* (breaker: Breaker): Effect.fn.Return<Connections, never, Scope.Scope> {
  const pools = new Map<string, Pool>()
  const fibers = yield* FiberSet.make<void>()
  let ended: Cause.Cause<MailerError> | undefined
  // Ends before: then nothing more is opened, and what is being opened has nobody who waits for it.
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      ended = Cause.fail(stopped("the mailer ends"))
      for (const pool of pools.values()) pool.close(ended)
    })
  )

  /** On a fiber of its own, which tells in the log of whose mail: it may go, and then the connection serves the next. */
  const open =
    (destination: Destination.Destination, runtime: Runtime.Runtime<never>): Waiter["open"] =>
    (opened, failed) => {
      const { credentials, server } = destination
      const opening = Effect.gen(function* () {
        const scope = yield* Scope.make()
        const connecting = Scope.extend(Destination.open(destination), scope)
        const exit = yield* Effect.exit(Effect.interruptible(breaker.admit(server, credentials, connecting)))
        if (Exit.isFailure(exit)) {
          yield* Scope.close(scope, exit)
          return failed(exit.cause)
        }
        const close = () => {
          Runtime.runFork(runtime)(Scope.close(scope, Exit.void))
        }
        opened({ connection: exit.value, close }, yield* Monotonic.millis)
      })
      const fiber = Runtime.runFork(runtime)(Effect.uninterruptible(opening))
      FiberSet.unsafeAdd(fibers, fiber)
      return () => fiber.unsafeInterruptAsFork(FiberId.none)
    }

  let isSweeping = false
  /** Runs only while there is something to end. */
  const sweep = Effect.gen(function* () {
    while (pools.size > 0) {
      yield* Effect.sleep(sweepInterval)
      const now = yield* Monotonic.millis
      for (const [id, pool] of pools) {
        pool.sweep(now - idle)
        if (pool.isEmpty) pools.delete(id)
      }
    }
    isSweeping = false
  })

  const poolOf = (destination: Destination.Destination, id: string, runtime: Runtime.Runtime<never>): Pool => {
    const known = pools.get(id)
    if (known !== undefined) return known
    const pool = new Pool(destination.options.connections ?? defaultConnections)
    if (ended !== undefined) pool.close(ended)
    pools.set(id, pool)
    if (!isSweeping) {
      isSweeping = true
      FiberSet.unsafeAdd(fibers, Runtime.runFork(runtime)(Effect.interruptible(sweep)))
    }
    return pool
  }

  const wait = (destination: Destination.Destination, id: string, progress: Progress.Progress) =>
    Effect.flatMap(Effect.runtime(), (runtime) =>
      Effect.async<Kept, MailerError>((resume) => {
        const waiter = {
          open: open(destination, runtime),
          served: (kept: Kept) => resume(Effect.succeed(kept)),
          failed: (cause: Cause.Cause<MailerError>) => resume(Effect.failCause(cause))
        }
        // In one turn with the wait: nothing is dropped in between.
        poolOf(destination, id, runtime).wait(progress, waiter, () =>
          resume(Effect.fail(stopped("while waiting for a connection")))
        )
      })
    )

  return {
    forget: (destination) => Effect.sync(() => pools.get(Destination.idOf(destination))?.forget()),
    use: <A>(
      destination: Destination.Destination,
      progress: Progress.Progress,
      send: (connection: Connection.Connection) => Effect.Effect<A, MailerError>
    ) => {
      const id = Destination.idOf(destination)
      const look: Effect.Effect<A, MailerError> = Effect.clockWith((clock) => {
        progress.stage = "Connect"
        if (progress.abandoned) return stopped("before a connection")
        const free = pools.get(id)?.take()
        return free === undefined
          ? Effect.flatMap(wait(destination, id, progress), (kept) => over(kept, kept.connection.mails() > 0, clock))
          : over(free, true, clock)
      })
      const over = (kept: Kept, isKept: boolean, clock: Clock.Clock) => {
        const { connection } = kept
        progress.onAbandon = connection.cut
        progress.stage = "Envelope"
        const giveBack = () => {
          progress.onAbandon = () => {}
          pools.get(id)?.give(kept, Monotonic.unsafeMillis(clock))
        }
        return Effect.matchCauseEffect(progress.abandoned ? stopped("before the mail") : send(connection), {
          onSuccess: (answer) => {
            giveBack()
            return Effect.succeed(answer)
          },
          onFailure: (cause) => {
            giveBack()
            // In its envelope no part of the mail has left.
            const isUntouched = progress.stage === "Envelope"
            return isKept && !connection.isAlive() && isUntouched ? look : Effect.failCause(cause)
          }
        })
      }
      return look
    }
  }
})
