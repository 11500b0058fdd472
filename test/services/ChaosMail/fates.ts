/**
 * What the chaotic mail server does with each try of each job: a pure function of seed, job and try, so that a run can
 * be repeated and everybody knows which jobs have to die.
 */

/**
 * `Accept` answers 250. `Defer` answers 451 and `Refuse` 550 at RCPT. `HangBefore` never answers RCPT. After the final dot
 * `Cut` keeps the mail and closes, `HangKept` keeps it and `HangLost` throws it away, both without an answer, then close.
 */
export type Fate = "Accept" | "Defer" | "Refuse" | "HangBefore" | "Cut" | "HangKept" | "HangLost"

/** Shares of all jobs (refused) and of all first and second tries (the others). */
const shares = { refuse: 0.01, defer: 0.05, cut: 0.02, hang: 0.01 }

/** From this try on a job that is not refused is accepted: its retries end within seconds. */
const lastFaultyTry = 2

/** The end of MurmurHash3, which spreads each bit over all of them. */
const spread = (value: number): number => {
  let it = value
  it = Math.imul(it ^ (it >>> 16), 0x85ebca6b)
  it = Math.imul(it ^ (it >>> 13), 0xc2b2ae35)
  return (it ^ (it >>> 16)) >>> 0
}

/** From 0 to less than 1. */
const draw = (seed: number, job: number, of: number): number =>
  spread(spread(spread(seed ^ 0x9e3779b9) + job) + Math.imul(of, 0x27d4eb2f)) / 2 ** 32

/** Whether the script refuses the job for good, at every try. */
export const isRefused = (seed: number, job: number): boolean => draw(seed, job, 0) < shares.refuse

const isHang = (fate: Fate) => fate === "HangBefore" || fate === "HangKept" || fate === "HangLost"

const drawn = (seed: number, job: number, number: number): Fate => {
  const value = draw(seed, job, number)
  const { cut, defer, hang } = shares
  if (value < defer) return "Defer"
  if (value < defer + cut) return "Cut"
  if (value >= defer + cut + hang) return "Accept"
  const kind = draw(seed, job, number + 100)
  return kind < 0.5 ? "HangBefore" : kind < 0.75 ? "HangKept" : "HangLost"
}

/** The fate of try `number` (from 1) of a job. A job hangs at most once. */
export const fate = (seed: number, job: number, number: number): Fate => {
  if (isRefused(seed, job)) return "Refuse"
  if (number > lastFaultyTry) return "Accept"
  const now = drawn(seed, job, number)
  return number > 1 && isHang(now) && isHang(drawn(seed, job, number - 1)) ? "Accept" : now
}

/** How a job's mail names it, so that the mail server knows whose it is and that it is of this run. */
export const recipient = (seed: number, job: number): string => `job-${job}@run-${seed}.example`
export const subject = (seed: number, job: number): string => `job ${job} of run ${seed}`

const numberOf = (pattern: RegExp, text: string, seed: number): number | undefined => {
  const [, job, run] = pattern.exec(text) ?? []
  return job !== undefined && run === String(seed) ? Number(job) : undefined
}

/** The job that is mailed there; none for an address that is not of this run. */
export const jobOfRecipient = (seed: number, address: string): number | undefined =>
  numberOf(/^job-(\d{1,9})@run-(\d+)\.example$/, address, seed)

/** The job that a subject names. */
export const jobOfSubject = (seed: number, text: string): number | undefined =>
  numberOf(/^job (\d{1,9}) of run (\d+)$/, text, seed)
