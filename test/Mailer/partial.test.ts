/**
 * A mail to three recipients that a server takes, refuses for now or refuses for good, and the attempts after that: who
 * has it does not get it again, who was refused for good is not asked again.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import { EncKey } from "../../src/EdumfaConfig/EncKey.ts"
import type { Call } from "../../src/Job.ts"
import * as Smtp from "../../src/Mailer/Smtp.ts"
import * as SendEmail from "../../src/SendEmail.ts"
import * as SmtpServer from "../../src/SmtpServer.ts"
import * as StopSignal from "../../src/StopSignal.ts"
import * as Scripted from "../services/ScriptedSmtp.ts"
import * as TestWorker from "../services/TestWorker.ts"

type Answer = "ok" | "4xx" | "5xx"

const answers = ["ok", "4xx", "5xx"] as const
const mixes = answers.flatMap((ada) => answers.flatMap((bob) => answers.map((eve) => [ada, bob, eve] as const)))

const replies: Readonly<Record<Answer, string | undefined>> = {
  ok: undefined,
  "4xx": "450 4.2.1 busy",
  "5xx": "550 5.1.1 no such mailbox"
}

const recipients: ReadonlyArray<string> = ["ada@example.org", "bob@example.org", "eve@example.org"]

const layer = Smtp.layerOptions({ ehlo: "client.example.org" }).pipe(
  Layer.provide(Layer.succeed(EncKey, { decrypt: Effect.succeed }))
)

/** One attempt at a job: done, or what it says is left of it. */
const attempt = (call: Call, number: number) =>
  Effect.gen(function* () {
    const prepared = yield* Effect.orDie(SendEmail.job.prepare(call))
    const stop = StopSignal.never
    const done = yield* Effect.either(
      prepared.perform({ jobId: "job-1", number, firstTakenAt: 1_800_000_000_000, expiresAt: undefined, stop })
    )
    return Either.match(done, {
      onLeft: ({ remaining, verdict }) => ({ verdict, next: remaining ?? call }),
      onRight: () => ({ verdict: "Done" as const, next: undefined })
    })
  })

/** How often each recipient has the mail. */
const copies = (server: Scripted.ScriptedSmtp, isKept: boolean) =>
  recipients.map(
    (recipient) => server.mails().filter((mail) => mail.kept === isKept && mail.recipients.includes(recipient)).length
  )

const withoutTo = (raw: string) => raw.replace(/^To: .*\r\n/m, "")

/** A first round with this mix, and a second one in which nothing goes wrong. */
const rounds = (mix: ReadonlyArray<Answer>, options: Omit<Scripted.Options, "recipient">) =>
  Effect.gen(function* () {
    let round = 1
    const asked: Array<string> = []
    const server = yield* Scripted.make({
      ...options,
      recipient: (address) => {
        const answer = mix[recipients.indexOf(address)]
        if (round === 2) asked.push(address)
        return round === 1 && answer !== undefined ? replies[answer] : undefined
      }
    })
    const { lines, layer: logged } = TestWorker.logging()
    const config = SmtpServer.toRow(server.definition)
    // One of them in a list, as a realm with several administrators has it, and one with a name.
    const call = {
      args: [config, [`Ada <${recipients[0]}>, ${recipients[1]}`, [recipients[2]]], "s", "Code"],
      kwargs: {}
    }
    const first = yield* Effect.provide(attempt(call, 1), logged)
    const goesOn = first.next !== undefined && (first.verdict === "Transient" || first.verdict === "Unknown")
    round = 2
    const second = goesOn ? yield* attempt(first.next, 2) : undefined
    return { server, asked, lines, first: first.verdict, second: second?.verdict }
  }).pipe(Effect.provide(layer))

describe.concurrent("a mail to three recipients", () => {
  it("is refused in 27 ways", () => {
    expect(new Set(mixes.map(String)).size).toBe(27)
  })

  it.scopedLive.each(mixes.flatMap((mix) => [false, true].map((pipelining) => [...mix, pipelining] as const)))(
    "that are %s, %s and %s, is with each of them once at the end, or not at all (pipelining: %s)",
    ([ada, bob, eve, pipelining]) =>
      Effect.gen(function* () {
        const mix = [ada, bob, eve]
        const { asked, first, lines, second, server } = yield* rounds(mix, { pipelining })
        const isRetried = mix.includes("4xx")
        expect(first).toBe(isRetried ? "Transient" : mix.includes("5xx") ? "Permanent" : "Done")
        expect(second).toBe(isRetried ? "Done" : undefined)
        expect(copies(server, true)).toEqual(mix.map((answer) => (answer === "5xx" ? 0 : 1)))
        expect(asked).toEqual(recipients.filter((_, index) => mix[index] === "4xx"))
        // Who is dead while the job goes on is named by the log alone.
        const dead = lines.filter((line) => line.startsWith("ERROR refused for good: "))
        expect(dead).toHaveLength(isRetried ? mix.filter((answer) => answer === "5xx").length : 0)
        // The same mail, but for whom it names as its recipients.
        const [one, ...others] = server.mails().map(({ raw }) => withoutTo(raw))
        for (const other of others) expect(other).toBe(one)
      })
  )

  it.scopedLive.each(mixes.flatMap((mix) => [false, true].map((pipelining) => [...mix, pipelining] as const)))(
    "that are %s, %s and %s, and a connection that ends after the dot, never reaches who was refused (pipelining: %s)",
    ([ada, bob, eve, pipelining]) =>
      Effect.gen(function* () {
        const mix = [ada, bob, eve]
        const { asked, first, second, server } = yield* rounds(mix, { pipelining, stage: "dot", fault: "FIN" })
        if (!mix.includes("ok")) {
          // Without a recipient there is no dot.
          expect(first).toBe(mix.includes("4xx") ? "Transient" : "Permanent")
          return
        }
        expect(first).toBe("Unknown")
        expect(second).toBe("Done")
        expect(asked).toEqual(recipients.filter((_, index) => mix[index] !== "5xx"))
        // Twice only where nobody knows; so the server can tell by the Message-ID.
        expect(copies(server, true)).toEqual(mix.map((answer) => ({ ok: 2, "4xx": 1, "5xx": 0 })[answer]))
        const ids = server.mails().map(({ raw }) => /^Message-ID: (.*)\r\n/m.exec(raw)?.[1])
        expect(new Set(ids).size).toBe(1)
      })
  )

  it.scopedLive("that are ok and 5xx, and a message refused for now, asks only the first again", () =>
    Effect.gen(function* () {
      const mix = ["ok", "5xx", "ok"] as const
      const { asked, first, lines, second, server } = yield* rounds(mix, { stage: "dot", fault: "4yz" })
      expect([first, second]).toEqual(["Transient", "Done"])
      expect(asked).toEqual([recipients[0], recipients[2]])
      expect(copies(server, true)).toEqual([1, 0, 1])
      expect(lines).toEqual([
        `WARN 127.0.0.1:${server.definition.port} gets a password from this queue for the first time`,
        "ERROR refused for good: b***@example.org: 550 5.1.1 no such mailbox"
      ])
    })
  )
})
