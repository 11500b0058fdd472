/**
 * Ends a mail that is told to stop or takes too long: before its final dot at once, after it never, for its connection
 * has a limit for the reply. One fiber watches the time of all mails, for most of them end long before.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
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
  /** Does `work` to its end, which comes soon once the mail is abandoned. */
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

  const begin = Effect.suspend(() => {
    isSweeping = true
    return Effect.forkIn(Effect.interruptible(sweep), scope)
  })

  const over = <A>(work: Effect.Effect<A, MailerError>, { begun, overdue, progress, stop, timeout }: Watched) =>
    Effect.clockWith((clock) => {
      const limit = maxReplies * timeout
      let givenUp: MailerError | undefined
      /** False: its final dot was handed over. */
      const giveUp = (error: MailerError): boolean => {
        if (progress.stage === "Dot") return false
        givenUp ??= error
        return Progress.abandon(progress)
      }
      begun?.(giveUp)
      const entry: Entry = {
        deadline: Monotonic.unsafeMillis(clock) + limit,
        overdue: () => {
          if (giveUp(failure("Timeout", `the mail server took more than ${limit} ms`))) overdue?.()
        }
      }
      entries.add(entry)
      const forget = stop.unsafeListen((why) => {
        if (why !== "Deadline") giveUp(failure("Stopped", `stopped before the final dot: ${why}`))
        else if (giveUp(failure("Timeout", "the attempt took too long"))) overdue?.()
      })
      const end = () => {
        forget()
        entries.delete(entry)
      }
      const watched = Effect.matchCauseEffect(work, {
        onSuccess: (answer) => {
          end()
          return Effect.succeed(answer)
        },
        // What ends it makes its work fail, one way or another: this is why.
        onFailure: (cause) => {
          end()
          return givenUp === undefined ? Effect.failCause(cause) : Effect.fail(givenUp)
        }
      })
      return isSweeping ? watched : Effect.zipRight(begin, watched)
    })

  return { over }
})
