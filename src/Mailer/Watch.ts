/**
 * Ends a mail that is told to stop or takes too long: before its final dot at once, after it never, for its connection
 * has a limit for the reply. One fiber watches the time of all mails, for most of them end long before.
 */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { MailerError } from "../Mailer.ts"
import * as Monotonic from "../Monotonic.ts"
import type { StopSignal } from "../StopSignal.ts"
import * as Progress from "./Progress.ts"

/** A mail on its way. */
interface Watched {
  readonly progress: Progress.Progress
  readonly stop: StopSignal
  /** Milliseconds that the SMTP server may take for a reply. */
  readonly timeout: number
  /** Is handed what gives the mail up, which does nothing once its final dot was handed over. */
  readonly begun?: (giveUp: (error: MailerError) => void) => void
  /** Is told that the mail's time is over, whoever set it: the mail server kept it waiting. */
  readonly overdue?: () => void
}

export interface Watch {
  /** Does `work` to its end, or until the mail is given up. */
  readonly over: <A>(work: Effect.Effect<A, MailerError>, mail: Watched) => Effect.Effect<A, MailerError>
}

/** Replies a mail may wait for before its final dot, all of them as late as they may come; then it is given up. */
const maxReplies = 12

/** How exact the time is kept: attempts last seconds. */
const interval = Duration.millis(250)

interface Entry {
  /** Monotonic milliseconds. */
  readonly deadline: number
  readonly overdue: () => void
}

const failure = (reason: "Stopped" | "Timeout", detail: string) =>
  new MailerError({ reason, verdict: "Transient", detail })

/** The watch ends with its scope; mails under way then have no limit but their connection's. */
export const make: Effect.Effect<Watch, never, Scope.Scope> = Effect.gen(function* () {
  const scope = yield* Effect.scope
  const entries = new Set<Entry>()
  const look = Effect.map(Monotonic.millis, (now) => {
    for (const entry of entries) if (entry.deadline <= now) entry.overdue()
  })
  let isSweeping = false
  // Runs only while there is something to watch.
  const sweep = Effect.whileLoop({
    while: () => {
      isSweeping = entries.size > 0
      return isSweeping
    },
    body: () => Effect.zipRight(Effect.sleep(interval), look),
    step: () => {}
  })

  const over = <A>(work: Effect.Effect<A, MailerError>, { begun, overdue, progress, stop, timeout }: Watched) =>
    Effect.gen(function* () {
      const now = yield* Monotonic.millis
      const fiber = yield* work.pipe(
        // Its failure is told where it is awaited.
        Effect.withUnhandledErrorLogLevel(Option.none()),
        Effect.interruptible,
        Effect.forkDaemon
      )
      // Nobody waits for the end of what was given up: it gets no dot any more, but a pool lets nobody go who waits for a
      // connection, and that may take as long as the server likes.
      const ended = yield* Deferred.make<A, MailerError>()
      const giveUp = (error: MailerError) => {
        fiber.unsafeInterruptAsFork(FiberId.none)
        Deferred.unsafeDone(ended, error)
      }
      begun?.((error) => {
        if (Progress.abandon(progress)) giveUp(error)
      })
      const limit = maxReplies * timeout
      const entry: Entry = {
        deadline: now + limit,
        overdue: () => {
          if (Progress.abandon(progress)) {
            overdue?.()
            giveUp(failure("Timeout", `the mail server took more than ${limit} ms`))
          }
        }
      }
      entries.add(entry)
      if (!isSweeping) {
        isSweeping = true
        yield* Effect.forkIn(Effect.interruptible(sweep), scope)
      }
      const forget = stop.unsafeListen((why) => {
        if (!Progress.abandon(progress)) return
        if (why !== "Deadline") return giveUp(failure("Stopped", `stopped before the final dot: ${why}`))
        overdue?.()
        giveUp(failure("Timeout", "the attempt took too long"))
      })
      fiber.addObserver((exit) => Deferred.unsafeDone(ended, exit))
      const exit = yield* Effect.exit(Deferred.await(ended))
      forget()
      entries.delete(entry)
      return yield* exit
    })

  return { over }
})
