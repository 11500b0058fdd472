import { readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import { type Place, type Row, rows, type Sign } from "../../src/Mailer/outcomes.ts"

const places: Readonly<Record<Place, string>> = {
  Connect: "connecting, greeting, EHLO",
  StartTls: "STARTTLS, handshake",
  Login: "AUTH",
  Envelope: "MAIL, DATA",
  Recipient: "RCPT",
  Body: "the message",
  Dot: "after the final dot"
}

const signs: Readonly<Partial<Record<Sign, string>>> = {
  Unreadable: "no reply that can be read",
  Silence: "no reply in time",
  Ended: "the connection ends",
  NoTls: "TLS fails: certificate, handshake",
  NoLogin: "no way to log in",
  TooLarge: "the mail is larger than it takes"
}

const verdicts: Readonly<Record<Row["verdict"], string>> = {
  Transient: "tried again",
  Permanent: "dead",
  Configuration: "free, tried until it is mended",
  Unknown: "tried again, may come twice"
}

/** A row as the README shows it. */
const line = ({ at, reason, signs: came, source, verdict }: Row): string =>
  `| ${[
    at === undefined ? "anywhere" : at.map((place) => places[place]).join(", "),
    came
      .map((sign) => signs[sign] ?? sign)
      .join(", ")
      .replace("2yz, 3yz", "2yz or 3yz out of place"),
    verdicts[verdict],
    reason,
    source
  ].join(" | ")} |`

const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8")

describe("the table of outcomes", () => {
  it("is the one that operators read, row by row", () => {
    const header = "| at | the mail server says | the job is | in the log | by |\n|---|---|---|---|---|\n"
    const shown = readme.slice(readme.indexOf(header) + header.length).split("\n")
    const end = shown.findIndex((text) => !text.startsWith("|"))
    expect(shown.slice(0, end)).toEqual(rows.map(line))
  })

  it("has no row that another one before it makes void", () => {
    const covers = (first: Row, later: Row) =>
      (first.at === undefined || later.at?.every((place) => first.at?.includes(place)) === true) &&
      later.signs.every((sign) =>
        first.signs.some(
          (other) => other === sign || (other.endsWith("yz") && /^\d\d\d$/.test(sign) && other[0] === sign[0])
        )
      )
    for (const [index, later] of rows.entries()) {
      expect(rows.slice(0, index).filter((first) => covers(first, later))).toEqual([])
    }
  })

  it("says nothing is unknown before the final dot, and all is where no reply came after it", () => {
    for (const { at, signs: came, verdict } of rows) {
      if (verdict === "Unknown") expect(at).toEqual(["Dot"])
      else if (at === undefined || at.includes("Dot")) {
        // What would double or lose a mail: a reply that says nothing, taken for one that does.
        const silent = came.filter((sign) => ["2yz", "3yz", "Unreadable", "Silence", "Ended", "NoTls"].includes(sign))
        const unknown = rows.filter((row) => row.verdict === "Unknown").flatMap((row) => row.signs)
        for (const sign of silent) expect(unknown).toContain(sign)
      }
    }
  })
})
