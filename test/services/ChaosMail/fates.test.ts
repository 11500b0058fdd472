/**
 * The fates are as often what the script says, and end every job.
 */
import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as fates from "./fates.ts"

const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 })
const jobs = fc.integer({ min: 0, max: 10 ** 9 - 1 })

const share = (holds: (job: number) => boolean) => {
  const all = 20_000
  let count = 0
  for (let job = 0; job < all; job++) if (holds(job)) count += 1
  return (100 * count) / all
}

describe("the fates", () => {
  it("are the same for the same seed, job and try, and others for another seed", () => {
    const of = (seed: number) => Array.from({ length: 1_000 }, (_, job) => fates.fate(seed, job, 1))
    expect(of(1)).toEqual(of(1))
    expect(of(1)).not.toEqual(of(2))
  })

  it("refuse 1 % of the jobs; defer 5 %, cut 2 % and hang 1 % of the first tries", () => {
    for (const seed of [0, 1, 77, 2 ** 31 - 1]) {
      const first = (wanted: string) => share((job) => fates.fate(seed, job, 1).startsWith(wanted))
      expect(first("Refuse")).toBeCloseTo(1, 0)
      expect(first("Defer")).toBeCloseTo(5, 0)
      expect(first("Cut")).toBeCloseTo(2, 0)
      expect(first("Hang")).toBeCloseTo(1, 0)
      expect(first("Accept")).toBeCloseTo(91, -1)
    }
  })

  it("refuse a job at every try or at none, defer it at most twice, hang at most once, and accept from the third try on", () => {
    fc.assert(
      fc.property(seeds, jobs, (seed, job) => {
        const tries = Array.from({ length: 6 }, (_, index) => fates.fate(seed, job, index + 1))
        if (fates.isRefused(seed, job)) {
          expect(new Set(tries)).toEqual(new Set(["Refuse"]))
        } else {
          expect(tries).not.toContain("Refuse")
          expect(tries.filter((it) => it.startsWith("Hang")).length).toBeLessThan(2)
          expect(new Set(tries.slice(2))).toEqual(new Set(["Accept"]))
        }
      }),
      { numRuns: 5_000 }
    )
  })

  it("name a job in address and subject, and know those of another run for foreign", () => {
    fc.assert(
      fc.property(seeds, jobs, (seed, job) => {
        expect(fates.jobOfRecipient(seed, fates.recipient(seed, job))).toBe(job)
        expect(fates.jobOfSubject(seed, fates.subject(seed, job))).toBe(job)
        expect(fates.jobOfRecipient(seed + 1, fates.recipient(seed, job))).toBeUndefined()
        expect(fates.jobOfSubject(seed + 1, fates.subject(seed, job))).toBeUndefined()
      })
    )
  })
})
