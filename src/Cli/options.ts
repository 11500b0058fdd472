/**
 * The options of the worker: names, values, help, and what they do here. The one table of them.
 */

import { backlogDecisions } from "../JobStore.ts"
import { config, integerThat, isText, numberThat, type Option } from "./Option.ts"

/** The values of `--worker-type`. */
const workerTypes = ["thread", "greenlet", "process"] as const

const positive = numberThat((value) => value > 0)

/** The log of a command that is given none, in the directory where it was started: as its Python namesake has it. */
export const logOf = (command: string): string => command.replace(/-huey$/, ".log")

/** Ordered as the help shows them. Defaults are huey's 3.3, but for the number of slots. */
export const options = [
  {
    long: "logfile",
    short: "l",
    kind: "text",
    placeholder: "FILE",
    default: logOf("edumfa-queue-huey"),
    needs: "a file name",
    accepts: isText,
    help: "log to FILE; - logs to stdout",
    group: "Logging",
    effect: "works",
    source: "huey"
  },
  {
    long: "workers",
    short: "w",
    kind: "integer",
    placeholder: "N",
    // huey's is 1. A slot is a fiber, and one that waits for a mail server costs nothing.
    default: 8,
    needs: "an integer from 1 to 1000",
    accepts: integerThat((value) => value >= 1 && value <= 1_000),
    help: "jobs in hand at the same time",
    group: "Workers",
    effect: "works",
    source: "huey"
  },
  {
    long: "worker-type",
    short: "k",
    kind: "choice",
    placeholder: "TYPE",
    default: "thread",
    needs: "one of thread, greenlet, process",
    accepts: (value) => workerTypes.some((type) => type === value),
    help: "thread, greenlet or process",
    group: "Workers",
    effect: "without effect here: slots are fibers in one process",
    source: "huey"
  },
  {
    long: "delay",
    short: "d",
    kind: "number",
    placeholder: "SECONDS",
    default: 0.1,
    needs: "a number above 0",
    accepts: positive,
    help: "least time between two looks at an empty queue",
    group: "Workers",
    effect: "without effect here: a fresh job wakes the worker at once",
    source: "huey"
  },
  {
    long: "max-delay",
    short: "m",
    kind: "number",
    placeholder: "SECONDS",
    default: 10,
    needs: "a number above 0",
    accepts: positive,
    help: "most time between two looks at an empty queue",
    group: "Workers",
    effect: "without effect here: a fresh job wakes the worker at once",
    source: "huey"
  },
  {
    long: "backoff",
    short: "b",
    kind: "number",
    placeholder: "FACTOR",
    default: 1.15,
    needs: "a number of at least 1",
    accepts: numberThat((value) => value >= 1),
    help: "by which the time between two looks at an empty queue grows",
    group: "Workers",
    effect: "without effect here: a fresh job wakes the worker at once",
    source: "huey"
  },
  {
    long: "health-check-interval",
    short: "c",
    kind: "number",
    placeholder: "SECONDS",
    default: 10,
    needs: "a number above 0",
    accepts: positive,
    help: "time between two looks whether all workers live",
    group: "Workers",
    effect: "without effect here: the worker watches its own take loop",
    source: "huey"
  },
  {
    long: "disable-health-check",
    short: "C",
    kind: "flag",
    help: "do not look whether all workers live",
    group: "Workers",
    effect: "without effect here: the worker watches its own take loop",
    source: "huey"
  },
  {
    long: "flush-locks",
    short: "f",
    kind: "flag",
    help: "drop all locks at the start",
    group: "Workers",
    effect: "without effect here: no locks are kept",
    source: "huey"
  },
  {
    long: "extra-locks",
    short: "L",
    kind: "text",
    placeholder: "NAMES",
    default: undefined,
    needs: "names separated by commas",
    accepts: isText,
    help: "more locks to drop at the start",
    group: "Workers",
    effect: "without effect here: no locks are kept",
    source: "huey"
  },
  {
    long: "max-tasks",
    short: "M",
    kind: "integer",
    placeholder: "COUNT",
    default: undefined,
    needs: "an integer of at least 1",
    accepts: integerThat((value) => value >= 1),
    help: "replace a worker after COUNT jobs",
    group: "Workers",
    effect: "without effect here: slots are not replaced",
    source: "huey"
  },
  {
    long: "scheduler-interval",
    short: "s",
    kind: "integer",
    placeholder: "SECONDS",
    default: 1,
    needs: "an integer from 1 to 60 that divides 60",
    accepts: integerThat((value) => value >= 1 && value <= 60 && 60 % value === 0),
    help: "time between two looks at the schedule",
    group: "Scheduler",
    effect: "without effect here: Redis says when the next job is due",
    source: "huey"
  },
  {
    long: "no-periodic",
    short: "n",
    kind: "flag",
    help: "do not enqueue periodic jobs",
    group: "Scheduler",
    effect: "without effect here: there are no periodic jobs",
    source: "huey"
  },
  config,
  {
    long: "redis-wait",
    short: undefined,
    kind: "number",
    placeholder: "SECONDS",
    default: undefined,
    needs: "a number of at least 0",
    accepts: numberThat((value) => value >= 0),
    help: "give up after SECONDS without Redis at the start; waits for ever unless given",
    group: "Configuration",
    effect: "works",
    source: "ours"
  },
  {
    long: "backlog",
    short: undefined,
    kind: "choice",
    placeholder: "DECISION",
    default: undefined,
    needs: `one of ${backlogDecisions.join(", ")}`,
    accepts: (value) => backlogDecisions.some((decision) => decision === value),
    help: "at the first start on a queue with an old backlog: send mails it, bury makes dead letters of it",
    group: "Configuration",
    effect: "works",
    source: "ours"
  }
] as const satisfies ReadonlyArray<Option>

/** Says in one line what is wrong with the options that were given, by long name; none when they go together. */
export const conflicts = (given: ReadonlySet<string>): string | undefined =>
  // As in huey: what replaces a worker after so many jobs is the health check.
  given.has("disable-health-check") && given.has("max-tasks")
    ? "options --disable-health-check and --max-tasks cannot be used together"
    : undefined
