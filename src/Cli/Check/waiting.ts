/**
 * What waits: how much of it, and the mail servers that some of it names.
 */

import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Huey from "../../Huey.ts"
import type * as Job from "../../Job.ts"
import { type Counts, JobStore, type JobStoreError, type Place } from "../../JobStore.ts"
import { key } from "../../Mailer/ServerOptions.ts"
import * as SendEmail from "../../SendEmail.ts"
import type { SmtpServer } from "../../SmtpServer.ts"
import * as Summary from "../../Worker/Summary.ts"

/** So many messages of each place are looked at: enough to meet each mail server of a site. */
const perPlace = 200

/** So many reasons are told, of the most messages first: whoever writes jobs could make any number. */
const maxReasons = 5

const dead = "they end as dead letters"

/** A mail server as some of the mails define it. */
export interface Definition {
  readonly server: SmtpServer
  /** How many mails, of those that were looked at. */
  readonly mails: number
}

export interface Waiting {
  /** What the store calls itself. */
  readonly queue: string
  readonly counts: Counts
  readonly workers: number
  /** Why a worker could not write; none: it could. */
  readonly unwritable: Option.Option<JobStoreError>
  /** Milliseconds; undefined: it is not known, as of Python's ids. */
  readonly oldest: number | undefined
  readonly lookedAt: number
  /** Those of the most mails first. */
  readonly definitions: ReadonlyArray<Definition>
  /** What an operator should know, one line each. */
  readonly notes: ReadonlyArray<string>
  /** What will become of no mail, one line each. */
  readonly problems: ReadonlyArray<string>
}

const places: ReadonlyArray<Place> = ["waiting", "retrying", "scheduled", "inHand"]

/** What counts as one definition. */
const idOf = (server: SmtpServer) =>
  JSON.stringify([key(server), server.tls, server.username, server.password && Redacted.value(server.password)])

/** Counts what is the same. */
class Tally<A> {
  readonly items = new Map<string, { readonly item: A; count: number }>()

  add(id: string, item: A) {
    const found = this.items.get(id)
    if (found === undefined) this.items.set(id, { item, count: 1 })
    else found.count += 1
  }

  get sorted() {
    return [...this.items.values()].sort((a, b) => b.count - a.count)
  }
}

const sort = (messages: ReadonlyArray<Uint8Array>, codec: Huey.Codec, jobs: Job.Jobs<unknown>) => {
  const definitions = new Tally<SmtpServer>()
  const faults = new Tally<string>()
  const fault = (text: string, end = dead) => faults.add(text, `${text}; ${end}`)
  for (const bytes of messages) {
    const message = codec.decode(bytes)
    if (Either.isLeft(message)) fault(`cannot be read: ${message.left.message}`)
    else if (!jobs.has(message.right.name)) fault("are of a job that this worker does not know")
    else {
      const server = SendEmail.serverOf(message.right.call)
      if (Either.isLeft(server)) {
        const { detail, verdict } = server.left
        fault(
          `name a mail server that cannot be used: ${detail}`,
          verdict === "Permanent" ? dead : "they wait until it is mended"
        )
      } else definitions.add(idOf(server.right), server.right)
    }
  }
  const told = faults.sorted.slice(0, maxReasons)
  const more = faults.sorted.slice(maxReasons)
  const count = more.reduce((sum, it) => sum + it.count, 0)
  return {
    definitions: definitions.sorted.map(({ item, count }) => ({ server: item, mails: count })),
    problems: [
      ...told.map(({ count, item }) => `${count} of the messages ${item}`),
      ...(count > 0 ? [`${count} of the messages cannot be mailed for ${more.length} more reasons`] : [])
    ]
  }
}

/** Looks at the queue, and takes nothing from it. */
export const look = (
  codec: Huey.Codec,
  jobs: Job.Jobs<unknown>,
  firstBacklog: number
): Effect.Effect<Waiting, JobStoreError, JobStore> =>
  Effect.gen(function* () {
    const store = yield* JobStore
    const counts = yield* store.counts
    const found = yield* Effect.forEach(places, (place) => store.peek(place, perPlace))
    const messages = found.flat()
    const oldest = found[0]?.[0]
    const now = yield* Clock.currentTimeMillis
    const old = firstBacklog > 0 && counts.waiting > firstBacklog
    return {
      queue: store.name,
      counts,
      workers: yield* store.workers,
      unwritable: Either.getLeft(yield* Effect.either(store.writable)),
      oldest: oldest === undefined ? undefined : Option.getOrUndefined(Summary.age(codec, oldest, now)),
      lookedAt: messages.length,
      ...sort(messages, codec, jobs),
      notes: [
        ...store.notes,
        ...(yield* store.advice),
        ...(old
          ? [
              `more than ${firstBacklog} messages wait: a worker that never served this queue starts with --backlog send or --backlog bury only`
            ]
          : [])
      ]
    }
  })
