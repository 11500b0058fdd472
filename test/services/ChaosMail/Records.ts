/**
 * What the chaotic mail server writes down, each mail before it is answered.
 */
import * as fates from "./fates.ts"

/** Foreign mails are told, but not all of a thousand. */
const maxForeign = 20

/** Counters while it runs. */
export interface Stats {
  readonly connections: number
  /** RCPT commands. */
  readonly tries: number
  /** Mails kept, duplicates included. */
  readonly mails: number
  /** Jobs that were kept or refused for good at least once. */
  readonly ended: number
}

/** All that it knows at the end. Arrays are by job number; a count stops at 255. */
export interface Report extends Stats {
  readonly delivered: Uint8Array
  /** How often 550 was answered. */
  readonly refused: Uint8Array
  /** Mails kept whose answer was never sent. */
  readonly unknown: number
  /** Mails that no job of this run asked for: what was wrong with them. */
  readonly foreign: ReadonlyArray<string>
  /** Jobs whose mails came under more than one Message-ID. */
  readonly renamed: ReadonlyArray<number>
}

const increment = (counts: Uint8Array, job: number) => {
  counts[job] = Math.min(255, (counts[job] ?? 0) + 1)
  return counts[job] ?? 0
}

export class Records {
  connections = 0
  private tries = 0
  private mails = 0
  private ended = 0
  private unknown = 0
  private readonly triesOf: Uint8Array
  private readonly delivered: Uint8Array
  private readonly refused: Uint8Array
  private readonly messageIds = new Map<number, string>()
  private readonly renamed = new Set<number>()
  private readonly foreign: Array<string> = []
  private readonly seed: number
  private readonly capacity: number

  /** Job numbers are below `capacity`. */
  constructor(seed: number, capacity: number) {
    this.seed = seed
    this.capacity = capacity
    this.triesOf = new Uint8Array(capacity)
    this.delivered = new Uint8Array(capacity)
    this.refused = new Uint8Array(capacity)
  }

  /** The job that a recipient names, and what becomes of this try of it. */
  begin(address: string): { readonly job: number; readonly fate: fates.Fate } | undefined {
    const job = fates.jobOfRecipient(this.seed, address)
    if (job === undefined || job >= this.capacity) {
      this.strange(`a mail to ${address}`)
      return undefined
    }
    this.tries += 1
    const fate = fates.fate(this.seed, job, increment(this.triesOf, job))
    if (fate === "Refuse" && increment(this.refused, job) === 1 && !this.delivered[job]) this.ended += 1
    return { job, fate }
  }

  /** Keeps a mail; `answered` says whether its sender will be told. */
  keep(job: number, header: string, answered: boolean): void {
    const [, subject = ""] = /^subject: *(.*)$/im.exec(header) ?? []
    const [, messageId] = /^message-id: *(\S+)/im.exec(header) ?? []
    if (fates.jobOfSubject(this.seed, subject.trim()) !== job || messageId === undefined) {
      this.strange(`a mail to job ${job} with the subject ${subject} and the Message-ID ${messageId}`)
      return
    }
    const before = this.messageIds.get(job)
    if (before === undefined) this.messageIds.set(job, messageId)
    else if (before !== messageId) this.renamed.add(job)
    this.mails += 1
    if (!answered) this.unknown += 1
    if (increment(this.delivered, job) === 1 && !this.refused[job]) this.ended += 1
  }

  strange(what: string): void {
    if (this.foreign.length < maxForeign) this.foreign.push(what)
  }

  stats(): Stats {
    const { connections, ended, mails, tries } = this
    return { connections, ended, mails, tries }
  }

  report(): Report {
    const { delivered, foreign, refused, renamed, unknown } = this
    return { ...this.stats(), delivered, foreign, refused, renamed: [...renamed], unknown }
  }
}
