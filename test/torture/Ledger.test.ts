/**
 * The ledger sees what it is there to see.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Ledger from "./Ledger.ts"

const refusal = (job: number): Ledger.Dead => ({ job, reason: "Failed", detail: "550 5.1.1 nobody here" })

/** Jobs 1 to 4: 2 was refused, 4 was perhaps enqueued and delivered. One worker of two slots was killed. */
const sound: Ledger.Observed = {
  accepted: new Set([1, 2, 3]),
  maybe: new Set([4, 5]),
  delivered: new Map([
    [1, 1],
    [3, 2],
    [4, 1]
  ]),
  refused: new Set([2]),
  unknown: 1,
  foreign: [],
  renamed: [],
  dead: [refusal(2)],
  left: { waiting: 0, arrived: 0, scheduled: 0, inHand: 0, retrying: 0, bodies: 0 },
  kills: 1,
  freezes: 0,
  redisKills: 0,
  slots: 2,
  ended: [],
  seconds: 10
}

const brokenBy = (change: Partial<Ledger.Observed>, seconds?: number) =>
  Ledger.make({ ...sound, ...change }, { seconds }).broken

describe("the ledger", () => {
  it("finds nothing wrong where every job ended as it should", () => {
    const ledger = Ledger.make(sound, { seconds: 10 })
    expect(ledger.broken).toEqual([])
    expect(ledger.duplicates).toBe(1)
    expect(ledger.bound).toBe(3)
    expect(Ledger.show(ledger)).toContain("All promises were kept.")
  })

  it("finds a lost job", () => {
    expect(brokenBy({ accepted: new Set([1, 2, 3, 6, 7]) })).toEqual([
      "lost: accepted, and neither delivered nor dead: 2 (6, 7)"
    ])
  })

  it("does not miss a job that was only perhaps enqueued", () => {
    expect(brokenBy({ maybe: new Set([4, 5, 6]) })).toEqual([])
  })

  it("finds a mail that nobody enqueued", () => {
    expect(brokenBy({ delivered: new Map([...sound.delivered, [9, 1]]) })).toEqual([
      "delivered, though nobody enqueued it: 1 (9)"
    ])
    expect(brokenBy({ foreign: ["a mail to eve@example.org"] })).toEqual([
      "mails of no job of this run: 1 (a mail to eve@example.org)"
    ])
  })

  it("finds more duplicates than unknown outcomes, kills and freezes explain", () => {
    const delivered = (mails: number) => new Map([...sound.delivered, [1, mails]])
    expect(brokenBy({ delivered: delivered(3) })).toEqual([])
    expect(brokenBy({ delivered: delivered(4) })).toEqual(["more duplicates than can be explained: 4 of at most 3"])
    expect(brokenBy({ delivered: delivered(4), freezes: 1 })).toEqual([])
  })

  it("finds a mail that changed its Message-ID", () => {
    expect(brokenBy({ renamed: [3] })).toEqual(["mailed under more than one Message-ID: 1 (3)"])
  })

  it("finds dead jobs that nobody refused, and refused jobs that are not dead", () => {
    expect(brokenBy({ dead: [refusal(2), refusal(4)] })).toEqual([
      "dead, though the mail server never refused it: 1 (4)",
      "both delivered and dead: 1 (4)"
    ])
    expect(brokenBy({ dead: [] })).toEqual([
      "lost: accepted, and neither delivered nor dead: 1 (2)",
      "refused for good, and not dead: 1 (2)"
    ])
  })

  it("finds a job that died twice", () => {
    expect(brokenBy({ dead: [refusal(2), refusal(2)] })).toEqual(["dead more than once: 1 (2)"])
  })

  it("finds poison and letters of unknown jobs", () => {
    const poison: Ledger.Dead = { job: undefined, reason: "Poison", detail: "granted too often" }
    expect(brokenBy({ dead: [refusal(2), poison] })).toEqual([
      "dead letters that are no refusal: 1 (Poison of job ?: granted too often)"
    ])
  })

  it("finds what is left in Redis", () => {
    expect(brokenBy({ left: { ...sound.left, inHand: 2, bodies: 1 } })).toEqual([
      "left in Redis: 2 (inHand 2, bodies 1)"
    ])
  })

  it("finds workers that ended by themselves", () => {
    expect(brokenBy({ ended: ["worker 1: exit code 1"] })).toEqual([
      "workers that ended by themselves, or badly: 1 (worker 1: exit code 1)"
    ])
  })

  it("finds a run that took too long, where that is limited", () => {
    expect(brokenBy({}, 9)).toEqual(["took 10.0 s of at most 9 s"])
    expect(brokenBy({})).toEqual([])
  })
})
