/**
 * A row of the table: sides that do the same work in turn, and what is compared of them.
 */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { BenchError } from "./BenchError.ts"
import type { Stage } from "./Stage.ts"

/** What one run of a side yields, by name. */
export type Figures = Readonly<Record<string, number>>

export interface Side {
  readonly name: string
  /** One run, with processes and a Redis of its own. */
  readonly run: Effect.Effect<Figures, BenchError, Stage | Scope.Scope>
}

/** One figure of one side. */
export interface Measured {
  readonly side: string
  readonly figure: string
}

/** A ratio of two medians, or a median alone where it is compared with nothing. */
export interface Comparison {
  readonly title: string
  readonly of: Measured
  readonly against: Measured | undefined
  readonly better: "higher" | "lower"
  /** What must be reached; absent: the figure is only told. */
  readonly bar?: number
  /** Where it should be. */
  readonly aim?: number
}

export interface Row {
  /** As it is named on the command line. */
  readonly name: string
  readonly title: string
  /** No more than so many; absent: as many as asked for. */
  readonly repetitions?: number
  readonly sides: ReadonlyArray<Side>
  readonly comparisons: ReadonlyArray<Comparison>
}

/** How figures are shown, by their name. */
export const units: Readonly<Record<string, string>> = {
  rate: "/s",
  p50: "ms",
  p99: "ms",
  start: "ms",
  rss: "MiB",
  cpu: "%",
  commands: "/s",
  early: "MiB",
  late: "MiB",
  waiting: "B",
  inHand: "B"
}

/** Compares the same figure of two sides. */
export const compare = (
  title: string,
  figure: string,
  [side, other]: readonly [side: string, other: string],
  rest: Omit<Comparison, "title" | "of" | "against">
): Comparison => ({ title, of: { side, figure }, against: { side: other, figure }, ...rest })
