import { describe, expect, it } from "@effect/vitest"
import { Denials } from "../../../src/Mailer/Breaker/Denials.ts"

const refused = (reason: string, ...recipients: ReadonlyArray<string>) => ({
  accepted: [],
  refused: recipients.map((recipient) => ({ recipient, verdict: "Permanent" as const, code: 550, reason }))
})

const denied = (...recipients: ReadonlyArray<string>) => refused("550 5.7.1 relay denied", ...recipients)

describe("Denials", () => {
  it("finds a server that denies five different recipients in a row", () => {
    const denials = new Denials()
    const noted = ["a", "b", "c", "d", "e", "a"].map((recipient) => denials.note("s", denied(recipient)))
    expect(noted).toEqual([false, false, false, false, true, true])
    expect(denials.note("other", denied("a"))).toBe(false)
  })

  it("takes one recipient as one, however often, and many of one mail as many", () => {
    const denials = new Denials()
    for (let time = 0; time < 9; time++) expect(denials.note("s", denied("a"))).toBe(false)
    expect(denials.note("s", denied("b", "c", "d"))).toBe(false)
    expect(denials.note("s", denied("e"))).toBe(true)
  })

  it("begins anew when a mail was taken, and counts no other refusal", () => {
    const denials = new Denials()
    for (const recipient of ["a", "b", "c", "d"]) denials.note("s", denied(recipient))
    expect(denials.note("s", { ...denied("e"), accepted: ["f"] })).toBe(false)
    expect(denials.note("s", denied("g"))).toBe(false)
    for (const reason of ["550 5.1.1 nobody", "550 relay denied", "450 4.7.1 later", "the address 550 5.7.1"]) {
      expect(denials.note("s", refused(reason, "h", "i", "j", "k", "l"))).toBe(false)
    }
  })
})
