/**
 * What a check found, as text and as an object.
 */
import type { Answer } from "./mailServers.ts"
import type { Waiting } from "./waiting.ts"

export interface Report {
  /** The file that was read. */
  readonly configuration: string
  /** Undefined: nobody knows where it is. */
  readonly isKeyFileUsable: boolean | undefined
  /** Undefined: the queue could not be looked at. */
  readonly waiting: Waiting | undefined
  readonly mailServers: ReadonlyArray<Answer>
  readonly notes: ReadonlyArray<string>
  /** All that is wrong, one line each, with what to do. */
  readonly problems: ReadonlyArray<string>
}

/** Where not even the configuration could be read. */
export const unreadable = (problem: string): Report => ({
  configuration: "none",
  isKeyFileUsable: undefined,
  waiting: undefined,
  mailServers: [],
  notes: [],
  problems: [problem]
})

const total = ({ counts }: Waiting) => counts.waiting + counts.scheduled + counts.inHand + counts.retrying

const seconds = (millis: number) => Math.round(millis / 1_000)

/** Wide enough for the longest word in front. */
const column = 16

const queueLines = (waiting: Waiting): ReadonlyArray<readonly [string, string]> => {
  const { counts, oldest, queue, workers } = waiting
  const age = oldest === undefined || counts.waiting === 0 ? "" : `, the oldest for ${seconds(oldest)} s`
  return [
    ["queue", queue],
    ["waiting", `${counts.waiting}${age}`],
    ["scheduled", `${counts.scheduled} in huey's schedule`],
    ["retrying", String(counts.retrying)],
    ["in hand", `${counts.inHand}, ${workers} ${workers === 1 ? "worker" : "workers"} alive`],
    ["dead letters", String(counts.dead)],
    ["messages", `${waiting.lookedAt} of ${total(waiting)} looked at`]
  ]
}

const describe = ({ detail, login, mails, server, state, tls }: Answer): string => {
  const how = [
    tls === "none" ? "no TLS asked for" : tls,
    ...(login === undefined ? [] : [`as ${login}`]),
    ...(mails === 0 ? [] : [`${mails} ${mails === 1 ? "mail" : "mails"}`])
  ]
  return `${server} (${how.join(", ")}): ${state === "works" ? `works, ${detail}` : state}`
}

/** For people: what there is; what is wrong is said elsewhere. */
export const lines = (report: Report): ReadonlyArray<string> => {
  const rows: ReadonlyArray<readonly [string, string]> = [
    ["configuration", report.configuration],
    [
      "key file",
      report.isKeyFileUsable === undefined ? "?" : report.isKeyFileUsable ? "can be used" : "cannot be used"
    ],
    ...(report.waiting === undefined ? [["queue", "could not be looked at"] as const] : queueLines(report.waiting)),
    ...report.mailServers.map((answer) => ["mail server", describe(answer)] as const),
    ...report.notes.map((note) => ["note", note] as const),
    ["result", report.problems.length === 0 ? "nothing is wrong" : `wrong: ${report.problems.length}`]
  ]
  return rows.map(([word, text]) => `${word.padEnd(column)}${text}`)
}

/** For scripts. */
export const object = (report: Report) => ({
  ok: report.problems.length === 0,
  configuration: report.configuration,
  keyFile: report.isKeyFileUsable ?? null,
  queue:
    report.waiting === undefined
      ? null
      : {
          name: report.waiting.queue,
          ...report.waiting.counts,
          workers: report.waiting.workers,
          oldestSeconds: report.waiting.oldest === undefined ? null : seconds(report.waiting.oldest),
          lookedAt: report.waiting.lookedAt,
          total: total(report.waiting)
        },
  mailServers: report.mailServers,
  notes: report.notes,
  problems: report.problems
})
