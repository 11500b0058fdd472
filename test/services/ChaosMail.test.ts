/**
 * The chaotic mail server does as its script says, and writes down what it does.
 */
import * as net from "node:net"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fates from "./ChaosMail/fates.ts"
import * as ChaosMail from "./ChaosMail.ts"
import * as Command from "./Command.ts"

const seed = 5
const capacity = 5_000

const make = Effect.flatMap(Command.directory(), (directory) =>
  ChaosMail.make({ seed, capacity, hangMillis: 50, directory })
)

/** The first job whose first try has this fate. */
const jobWith = (fate: fates.Fate): number =>
  Array.from({ length: capacity }, (_, job) => job).find((job) => fates.fate(seed, job, 1) === fate) ?? -1

const mail = (job: number, options: { readonly subject?: string; readonly id?: string } = {}) =>
  [
    "MAIL FROM:<mfa@torture.example> BODY=8BITMIME",
    `RCPT TO:<${fates.recipient(seed, job)}>`,
    "DATA",
    `Subject: ${options.subject ?? fates.subject(seed, job)}`,
    `Message-ID: <${options.id ?? job}@torture.example>`,
    "",
    "Subject: of the body, which is not looked at",
    "..dots",
    "."
  ].join("\r\n")

/** Sends all at once, and answers with the codes of the replies once the server has closed. */
const talk = (port: number, text: string) =>
  Effect.async<ReadonlyArray<string>>((resume) => {
    let said = ""
    const socket = net.connect({ host: "127.0.0.1", port }, () => socket.write(`EHLO localhost\r\n${text}\r\n`))
    socket.on("data", (data: Buffer) => {
      said += data.toString()
    })
    socket.on("error", (error) => resume(Effect.die(error)))
    socket.on("close", () =>
      resume(
        Effect.succeed(
          said
            .split("\r\n")
            .filter((line) => /^\d{3} /.test(line))
            .map((line) => line.slice(0, 3))
        )
      )
    )
    return Effect.sync(() => socket.destroy())
  })

const greeting = ["220", "250"]

describe("the chaotic mail server", () => {
  it.scopedLive("keeps several mails of one connection, however they are cut into packets", () =>
    Effect.gen(function* () {
      const server = yield* make
      const [one, other] = [jobWith("Accept"), jobWith("Defer")]
      const text = [mail(one), "RSET", mail(other), "RSET", mail(other), "QUIT"].join("\r\n")
      const deferred = yield* talk(server.port, text)
      // What was to be the second mail is read as commands, for it has no recipient; then comes its second try.
      expect(deferred.slice(0, 9)).toEqual([...greeting, "250", "250", "354", "250", "250", "250", "451"])
      expect(deferred.at(-1)).toBe("221")
      const report = yield* server.report
      expect(report.delivered[one]).toBe(1)
      expect([report.foreign, report.renamed, report.unknown]).toEqual([[], [], 0])
      expect(report.connections).toBe(1)
    })
  )

  it.scopedLive("refuses for good, and cuts and hangs after the dot, with and without the mail", () =>
    Effect.gen(function* () {
      const server = yield* make
      const [refused, cut, kept, lost] = [jobWith("Refuse"), jobWith("Cut"), jobWith("HangKept"), jobWith("HangLost")]
      expect((yield* talk(server.port, `${mail(refused)}\r\nQUIT`)).slice(0, 4)).toEqual([...greeting, "250", "550"])
      for (const job of [cut, kept, lost]) {
        expect(yield* talk(server.port, mail(job))).toEqual([...greeting, "250", "250", "354"])
      }
      const { delivered, ended, mails, refused: refusals, tries, unknown } = yield* server.report
      expect([delivered[refused], delivered[cut], delivered[kept], delivered[lost]]).toEqual([0, 1, 1, 0])
      expect(refusals[refused]).toBe(1)
      expect({ ended, mails, tries, unknown }).toEqual({ ended: 3, mails: 2, tries: 4, unknown: 2 })
    })
  )

  it.scopedLive("never answers where it hangs before the dot, and keeps nothing", () =>
    Effect.gen(function* () {
      const server = yield* make
      const job = jobWith("HangBefore")
      const answered = yield* Effect.timeoutOption(talk(server.port, mail(job)), "300 millis")
      expect(answered._tag).toBe("None")
      const { delivered, tries } = yield* server.report
      expect([delivered[job], tries]).toEqual([0, 1])
    })
  )

  it.scopedLive("tells of foreign mails, and of jobs that change their Message-ID", () =>
    Effect.gen(function* () {
      const server = yield* make
      const job = jobWith("Accept")
      yield* talk(server.port, [mail(job), mail(job, { id: "another" }), "QUIT"].join("\r\n"))
      yield* talk(server.port, `${mail(job, { subject: "Hello" })}\r\nQUIT`)
      yield* talk(server.port, "MAIL FROM:<a@b.example>\r\nRCPT TO:<eve@example.org>\r\nQUIT")
      const { delivered, foreign, renamed } = yield* server.report
      expect([delivered[job], renamed]).toEqual([2, [job]])
      expect(foreign).toEqual([
        `a mail to job ${job} with the subject Hello and the Message-ID <${job}@torture.example>`,
        "a mail to eve@example.org"
      ])
    })
  )
})
