/**
 * Every counter, gauge and histogram.
 */
import * as Metric from "effect/Metric"
import * as MetricBoundaries from "effect/MetricBoundaries"
import * as MetricKey from "effect/MetricKey"
import * as MetricLabel from "effect/MetricLabel"

/** With its tag in its key: a tag that is added to a metric is looked up each time. */
const attempts = (outcome: string) =>
  Metric.fromMetricKey(
    MetricKey.taggedWithLabels(
      MetricKey.counter("edumfa_queue_attempts_total", {
        description: "Attempts at jobs, by outcome",
        incremental: true
      }),
      [MetricLabel.make("outcome", outcome)]
    )
  )

const byOutcome = {
  Done: attempts("done"),
  Retry: attempts("retry"),
  Dead: attempts("dead"),
  Expired: attempts("expired"),
  Released: attempts("released"),
  LostLease: attempts("lost_lease")
} as const

const duration = Metric.histogram(
  "edumfa_queue_attempt_milliseconds",
  // From a mail server on the same machine to one that answers at the edge of its time-out.
  MetricBoundaries.fromIterable([5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000]),
  "Duration of an attempt"
)

/** Counts an attempt and its duration in milliseconds; without the labels of a fiber, which would cost more than it. */
export const unsafeAttempt = (outcome: keyof typeof byOutcome, millis: number): void => {
  byOutcome[outcome].unsafeUpdate(1, [])
  duration.unsafeUpdate(millis, [])
}

const inHand = Metric.gauge("edumfa_queue_in_hand", { description: "Jobs in hand of this worker" })

/** When the take loop last came round, Unix seconds: the sign of life. */
const lastExchange = Metric.gauge("edumfa_queue_last_exchange_seconds", {
  description: "When the take loop last came round, Unix seconds"
})

/** Notes a turn of the take loop: how many jobs are in hand, and the store's time in milliseconds. */
export const unsafeTurn = (jobs: number, now: number): void => {
  inHand.unsafeUpdate(jobs, [])
  lastExchange.unsafeUpdate(now / 1_000, [])
}
