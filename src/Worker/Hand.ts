/**
 * One job that a worker has in hand.
 */
import * as Duration from "effect/Duration"
import type * as Fiber from "effect/Fiber"
import { type Grant, type Lease, suspectFrom } from "../JobStore.ts"
import * as StopSignal from "../StopSignal.ts"

/** What an attempt has to do with the hand that holds it. */
export interface Handle {
  readonly stop: StopSignal.StopSignal
  /** Tells which job it is, and what an attempt at it may take where the job says so. */
  readonly known: (job: Known, timeout: Duration.Duration | undefined) => void
}

/** What tells a job from others in the log. */
export interface Known {
  readonly jobId: string
  /** Its name on the wire. */
  readonly job: string
}

/** A job under its lease. */
export class Hand implements Handle {
  readonly grant: Grant
  readonly stop = StopSignal.unsafeMake()
  /** Monotonic milliseconds. */
  private readonly begunAt: number
  /** Monotonic milliseconds. */
  deadline: number
  job: Known | undefined = undefined
  fiber: Fiber.RuntimeFiber<unknown> | undefined = undefined
  interrupted = false

  constructor(grant: Grant, begunAt: number, timeout: number) {
    this.grant = grant
    this.begunAt = begunAt
    this.deadline = begunAt + timeout
  }

  get lease(): Lease {
    return this.grant.lease
  }

  /** It is under suspicion of killing its workers. */
  get isSuspect(): boolean {
    return this.grant.deliveries >= suspectFrom
  }

  known(job: Known, own: Duration.Duration | undefined): void {
    this.job = job
    if (own !== undefined) this.deadline = this.begunAt + Duration.toMillis(own)
  }
}
