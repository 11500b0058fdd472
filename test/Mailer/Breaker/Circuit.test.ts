import { describe, expect, it } from "@effect/vitest"
import * as Circuit from "../../../src/Mailer/Breaker/Circuit.ts"

const { ask, failed, released, standard, succeeded } = Circuit

const now = 1_800_000_000_000
const s = 1_000

type State = Circuit.Circuit
const closed = (failures: number, provenAt = 0, failedAt = 0) =>
  ({ _tag: "Closed", failures, provenAt, failedAt }) as const
const open = (fault: Circuit.Fault, step: number, until: number) => ({ _tag: "Open", fault, step, until }) as const
const probing = (before: ReturnType<typeof closed> | ReturnType<typeof open>, until: number): State => ({
  _tag: "Probing",
  before,
  until
})

describe("a circuit that is asked", () => {
  const question = { now, needsProof: false, patience: 30 * s }
  const pass = { _tag: "Pass", next: undefined }

  it.each<readonly [string, State, boolean, unknown]>([
    ["closed lets all pass", closed(0), false, pass],
    ["closed after four silences lets all pass", closed(4), false, pass],
    [
      "closed, what was never proven is tried by one",
      closed(0),
      true,
      { _tag: "Pass", next: probing(closed(0), now + 30 * s) }
    ],
    ["closed, what worked 59 seconds ago is proven", closed(0, now - 59 * s), true, pass],
    [
      "closed, what worked a minute ago is tried by one",
      closed(2, now - 60 * s),
      true,
      { _tag: "Pass", next: probing(closed(2, now - 60 * s), now + 30 * s) }
    ],
    [
      "open lets nobody pass before its time",
      open("Configuration", 1, now + 1),
      false,
      { _tag: "Wait", why: "Open", rest: 1 }
    ],
    [
      "open lets one pass at its time",
      open("Silence", 3, now),
      false,
      { _tag: "Pass", next: probing(open("Silence", 3, now), now + 30 * s) }
    ],
    [
      "with a probe lets nobody pass for a second",
      probing(open("Silence", 3, now), now + 30 * s),
      false,
      { _tag: "Wait", why: "Probe", rest: s }
    ],
    [
      "with a first try lets nobody pass for a second",
      probing(closed(0), now + 30 * s),
      true,
      { _tag: "Wait", why: "Proof", rest: s }
    ],
    [
      "with a probe that is nearly over waits no longer than that",
      probing(open("Silence", 3, 0), now + 10),
      false,
      { _tag: "Wait", why: "Probe", rest: 10 }
    ],
    [
      "with a probe that never reported lets the next one pass",
      probing(open("Silence", 3, 0), now),
      false,
      { _tag: "Pass", next: probing(open("Silence", 3, 0), now + 30 * s) }
    ]
  ])("%s", (_, circuit, needsProof, answer) => {
    expect(ask(standard, circuit, { ...question, needsProof })).toEqual(answer)
  })
})

describe("a circuit that hears of a success", () => {
  it.each<readonly [string, State, boolean, State | undefined]>([
    ["closed has nothing to note", closed(0), false, undefined],
    ["closed leaves one silence to whoever meets the next", closed(1), false, undefined],
    ["closed forgets two silences", closed(2), false, closed(0, now)],
    ["closed forgets its silences", closed(4), false, closed(0, now)],
    ["closed notes the first proof", closed(0), true, closed(0, now)],
    ["closed has nothing to note of one soon after another", closed(0, now - 29 * s), true, undefined],
    ["closed renews a proof before it is over", closed(0, now - 30 * s), true, closed(0, now)],
    ["open closes", open("Silence", 2, now + s), false, closed(0, now)],
    ["closes after a probe", probing(open("Configuration", 7, 0), now + s), true, closed(0, now)],
    ["closes after a first try", probing(closed(3), now + s), true, closed(0, now)]
  ])("%s", (_, circuit, needsProof, after) => {
    expect(succeeded(standard, circuit, { now, needsProof })).toEqual(after)
  })
})

describe("a circuit that hears of a failure", () => {
  it.each<readonly [string, State, Circuit.Fault, State | undefined]>([
    ["closed counts a silence", closed(0, 5), "Silence", closed(1, 5, now)],
    ["closed counts four silences", closed(3, 0, now - s), "Silence", closed(4, 0, now)],
    ["closed opens for five seconds at the fifth silence", closed(4), "Silence", open("Silence", 1, now + 5 * s)],
    [
      "closed opens for a minute at the first configuration fault",
      closed(0, now),
      "Configuration",
      open("Configuration", 1, now + 60 * s)
    ],
    ["open is kept by those that had begun before", open("Silence", 1, now + s), "Silence", undefined],
    ["open is kept by them after its time too", open("Silence", 1, now - s), "Configuration", undefined],
    [
      "opens after a first try with a wrong password",
      probing(closed(0), 0),
      "Configuration",
      open("Configuration", 1, now + 60 * s)
    ],
    ["goes on after a first try without an answer", probing(closed(0), 0), "Silence", closed(1, 0, now)],
    [
      "opens anew with the other's interval where the fault has changed",
      probing(open("Silence", 6, 0), 0),
      "Configuration",
      open("Configuration", 1, now + 60 * s)
    ]
  ])("%s", (_, circuit, fault, after) => {
    expect(failed(standard, circuit, fault, { now, workedAt: 0 })).toEqual(after)
  })

  it("begins to count anew where it worked since for whoever saw it fail", () => {
    const four = closed(4, 0, now - s)
    expect(failed(standard, four, "Silence", { now, workedAt: now - s + 1 })).toEqual(closed(1, 0, now))
    expect(failed(standard, four, "Silence", { now, workedAt: now - s })).toEqual(open("Silence", 1, now + 5 * s))
  })

  it.each<readonly [Circuit.Fault, ReadonlyArray<number>]>([
    ["Silence", [5, 10, 20, 40, 80, 160, 300, 300, 300]],
    ["Configuration", [60, 240, 300, 300, 300]]
  ])("after each probe in vain waits longer: %s", (fault, seconds) => {
    let state: State = closed(4)
    const waits: Array<number> = []
    for (let at = now; waits.length < seconds.length; ) {
      const after = failed(standard, state, fault, { now: at, workedAt: 0 })
      if (after?._tag !== "Open") throw new Error("not open")
      waits.push((after.until - at) / s)
      at = after.until
      const answer = ask(standard, after, { now: at, needsProof: true, patience: s })
      if (answer._tag !== "Pass" || answer.next === undefined) throw new Error("no probe")
      state = answer.next
    }
    expect(waits).toEqual(seconds)
  })
})

describe("a probe that comes to nothing", () => {
  it("leaves what was before, so that the next one may try at once", () => {
    expect(released(probing(open("Silence", 2, 7), now))).toEqual(open("Silence", 2, 7))
    expect(released(probing(closed(2), now))).toEqual(closed(2))
    expect(released(closed(2))).toBe(undefined)
    expect(released(open("Silence", 2, 7))).toBe(undefined)
  })
})

describe("a stored circuit", () => {
  it.each<readonly [State]>([
    [closed(2, now)],
    [open("Configuration", 4, now)],
    [probing(open("Silence", 2, now), now)],
    [probing(closed(0), now)],
    [closed(3, now, now - s)]
  ])("is read as it was written: %j", (circuit) => {
    const text = Circuit.encode(circuit, now, "mark")
    expect(text.startsWith(`${now}|mark|{`)).toBe(true)
    expect(Circuit.decode(text)).toEqual(circuit)
  })

  it("of a version that did not note when it failed is read", () => {
    expect(Circuit.decode(`${now}|mark|{"_tag":"Closed","failures":2,"provenAt":7}`)).toEqual(closed(2, 7))
  })

  it("that cannot be read counts as unknown", () => {
    for (const text of ["", "1|m|", "1|m|{}", '1|m|{"_tag":"Open"}', "x"]) {
      expect(Circuit.decode(text)).toEqual(Circuit.unknown)
    }
  })
})
