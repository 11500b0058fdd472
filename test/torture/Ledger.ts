/**
 * The account of a run: what went in, what came out, and which promises that breaks. Pure.
 */

/** A dead letter that Redis holds. */
export interface Dead {
  /** The job's number; absent: its id is of no job that was ever enqueued. */
  readonly job: number | undefined
  readonly reason: string
  readonly detail: string
}

/** What Redis still holds when all should be over. */
export interface Left {
  readonly waiting: number
  readonly arrived: number
  readonly scheduled: number
  readonly inHand: number
  readonly retrying: number
  /** Message bytes that no other key names any more. */
  readonly bodies: number
}

/** What was seen of a run. Jobs are numbers. */
export interface Observed {
  /** `enqueue` succeeded. */
  readonly accepted: ReadonlySet<number>
  /** `enqueue` failed: the job may be on the queue or not. */
  readonly maybe: ReadonlySet<number>
  /** How many mails of each job were kept. */
  readonly delivered: ReadonlyMap<number, number>
  /** Jobs that the mail server answered 550. */
  readonly refused: ReadonlySet<number>
  /** Mails kept without an answer. */
  readonly unknown: number
  /** Mails of no job. */
  readonly foreign: ReadonlyArray<string>
  /** Jobs whose mails had different Message-IDs. */
  readonly renamed: ReadonlyArray<number>
  readonly dead: ReadonlyArray<Dead>
  readonly left: Left
  readonly kills: number
  readonly freezes: number
  readonly redisKills: number
  /** Jobs a worker has in hand at most. */
  readonly slots: number
  /** How workers ended that nobody killed, other than by a clean stop at the end. */
  readonly ended: ReadonlyArray<string>
  readonly seconds: number
}

/** What a run must not exceed. */
export interface Limits {
  /** Seconds from the first enqueued job to the last that ended; absent: as long as it takes. */
  readonly seconds: number | undefined
}

export interface Ledger {
  /** Rows for a reader. */
  readonly rows: ReadonlyArray<readonly [what: string, count: number]>
  readonly lost: ReadonlyArray<number>
  readonly duplicates: number
  /** More duplicates than this cannot be explained. */
  readonly bound: number
  /** What was promised and not kept, a sentence each; none: all is well. */
  readonly broken: ReadonlyArray<string>
}

/** Enough to look for in a log. */
const shown = 10

const list = (items: Iterable<number | string>): string => {
  const all = [...items]
  return `${all.slice(0, shown).join(", ")}${all.length > shown ? ` and ${all.length - shown} more` : ""}`
}

const count = (items: ReadonlyArray<unknown> | ReadonlySet<unknown>): number =>
  "size" in items ? items.size : items.length

/** Balances the account. */
export const make = (seen: Observed, limits: Limits): Ledger => {
  const broken: Array<string> = []
  const demand = <A extends number | string>(sentence: string, offenders: ReadonlyArray<A>) => {
    if (offenders.length > 0) broken.push(`${sentence}: ${offenders.length} (${list(offenders)})`)
  }
  const numbersOf = (dead: ReadonlyArray<Dead>) => dead.flatMap(({ job }) => (job === undefined ? [] : [job]))
  const dead = new Set(numbersOf(seen.dead))
  const lost = [...seen.accepted].filter((job) => !seen.delivered.has(job) && !dead.has(job))
  const delivered = [...seen.delivered.keys()]
  const mails = [...seen.delivered.values()].reduce((sum, each) => sum + each, 0)
  const duplicates = mails - delivered.length
  const bound = seen.unknown + (seen.kills + seen.freezes) * seen.slots

  demand("lost: accepted, and neither delivered nor dead", lost)
  demand(
    "delivered, though nobody enqueued it",
    delivered.filter((job) => !seen.accepted.has(job) && !seen.maybe.has(job))
  )
  demand("mails of no job of this run", seen.foreign)
  demand("mailed under more than one Message-ID", seen.renamed)
  demand(
    "refused for good, and not dead",
    [...seen.refused].filter((job) => !dead.has(job))
  )
  demand(
    "dead, though the mail server never refused it",
    [...dead].filter((job) => !seen.refused.has(job))
  )
  demand(
    "dead more than once",
    numbersOf(seen.dead).filter((job, index, all) => all.indexOf(job) !== index)
  )
  demand(
    "both delivered and dead",
    delivered.filter((job) => dead.has(job))
  )
  demand(
    "dead letters that are no refusal",
    seen.dead
      .filter(({ job, reason }) => job === undefined || reason !== "Failed")
      .map(({ detail, job, reason }) => `${reason} of job ${job ?? "?"}: ${detail}`)
  )
  if (duplicates > bound) broken.push(`more duplicates than can be explained: ${duplicates} of at most ${bound}`)
  demand(
    "left in Redis",
    Object.entries(seen.left)
      .filter(([, each]) => each > 0)
      .map(([what, each]) => `${what} ${each}`)
  )
  demand("workers that ended by themselves, or badly", seen.ended)
  if (limits.seconds !== undefined && seen.seconds > limits.seconds) {
    broken.push(`took ${seen.seconds.toFixed(1)} s of at most ${limits.seconds} s`)
  }
  return {
    rows: [
      ["accepted", count(seen.accepted)],
      ["maybe (enqueue failed)", count(seen.maybe)],
      ["delivered, each once", delivered.length],
      ["  of them maybe", delivered.filter((job) => seen.maybe.has(job)).length],
      ["refused by the script", count(seen.refused)],
      ["dead", count(seen.dead)],
      ["  of them poison", seen.dead.filter(({ reason }) => reason === "Poison").length],
      ["left in Redis", Object.values(seen.left).reduce((sum: number, each: number) => sum + each, 0)],
      ["lost", lost.length],
      ["duplicates", duplicates],
      ["  explicable at most", bound],
      ["  unknown outcomes", seen.unknown],
      ["workers killed", seen.kills],
      ["workers frozen", seen.freezes],
      ["Redis killed", seen.redisKills]
    ],
    lost,
    duplicates,
    bound,
    broken
  }
}

/** The account for a reader. */
export const show = ({ rows, broken }: Ledger): string => {
  const width = Math.max(...rows.map(([what]) => what.length))
  const table = rows.map(([what, each]) => `${what.padEnd(width)}  ${String(each).padStart(9)}`)
  return [
    ...table,
    "",
    ...(broken.length === 0 ? ["All promises were kept."] : broken.map((it) => `BROKEN: ${it}`))
  ].join("\n")
}
