/**
 * What comes before the first take: the store's leave, the burial of an old backlog, and what an operator should mend.
 */
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Huey from "../Huey.ts"
import { type BacklogDecision, type DeadLetter, type JobStore, type JobStoreError, OldBacklog } from "../JobStore.ts"
import * as Monotonic from "../Monotonic.ts"
import type { Outage } from "./Outage.ts"
import type { StoreTime } from "./StoreTime.ts"

export interface Options {
  readonly store: Context.Tag.Service<JobStore>
  readonly storeTime: StoreTime
  readonly outage: Outage
  readonly codec: Huey.Codec
  /** So many messages of an old backlog are taken unasked; 0: any number. */
  readonly limit: number
  readonly decision: BacklogDecision | undefined
}

/** Between two lines that tell how far a burial is. */
const progress = Duration.toMillis("2 seconds")

const letter =
  (codec: Huey.Codec, now: number) =>
  (bytes: Uint8Array): DeadLetter => {
    const known = Either.match(codec.decode(bytes), {
      onLeft: () => ({ jobId: undefined, job: undefined }),
      onRight: ({ id, name }) => ({ jobId: id, job: name })
    })
    const detail = "it waited since before the first start"
    return { ...known, reason: "Backlog", detail, attempts: 0, deliveries: 0, firstTakenAt: now }
  }

const buryAll = Effect.fnUntraced(function* ({ codec, outage, store, storeTime }: Options, all: number) {
  yield* Effect.logWarning(`burying ${all} messages that waited since before the first start`)
  let left = all
  let saidAt = yield* Monotonic.millis
  while (left > 0) {
    left = yield* outage.persist(store.buryBacklog(letter(codec, yield* storeTime.now)))
    const now = yield* Monotonic.millis
    if (left > 0 && now - saidAt < progress) continue
    saidAt = now
    yield* Effect.logInfo(`buried ${all - left} of ${all}`)
  }
})

/** Answers once this worker may take; fails where somebody has to decide first. */
export const pass = (options: Options): Effect.Effect<void, JobStoreError | OldBacklog> =>
  Effect.gen(function* () {
    const { decision, limit, outage, store } = options
    yield* Effect.forEach(store.notes, (line) => Effect.logInfo(line), { discard: true })
    const admission = yield* outage.persist(store.admit(limit, decision))
    if (admission._tag === "Undecided") return yield* new OldBacklog({ waiting: admission.waiting })
    if (admission._tag === "Burying") yield* buryAll(options, admission.left)
    const advice = yield* Effect.either(store.advice)
    // What cannot be asked now says nothing about what can be taken.
    if (Either.isLeft(advice)) return yield* Effect.logDebug(`no advice: ${advice.left.detail}`)
    yield* Effect.forEach(advice.right, (line) => Effect.logWarning(line), { discard: true })
  })
