/**
 * What a drain is asked, and what it answers.
 */
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"

/** What a drain has put back so far, by where it was. */
export interface Drained {
  /** Moved by a wake-up call, and granted to nobody. */
  readonly arrived: number
  readonly inHand: number
  /** To be tried again by now. */
  readonly due: number
  /** To be tried again later: it stands in huey's schedule, at that time. */
  readonly later: number
}

export interface DrainOptions {
  /** Also while workers seem alive: what they have in hand is theirs no more. */
  readonly force: boolean
  /** Told after each step, with how many are left. */
  readonly onProgress?: (drained: Drained, left: number) => Effect.Effect<void>
}

/** Workers have given a sign of life that still counts, so that nothing is taken out of their hands. */
export class WorkersAlive extends Data.TaggedError("WorkersAlive")<{ readonly workers: number }> {
  override get message() {
    const [who, them] = this.workers === 1 ? ["1 worker seems", "it"] : [`${this.workers} workers seem`, "them"]
    return (
      `${who} to be alive: stop ${them} and try again; one that was killed seems so until its last lease ends, ` +
      "--force does not wait for that"
    )
  }
}
