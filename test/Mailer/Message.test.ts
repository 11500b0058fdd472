import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Message from "../../src/Mailer/Message.ts"

const letter: Message.Letter = {
  from: Option.none(),
  to: [{ phrase: "", address: "j..d@example.org", domain: "example.org", smtpUtf8: false }],
  replyTo: [],
  subject: "",
  body: "x",
  mimetype: "plain"
}
const build = (id: string, change: Partial<Message.Letter> = {}) =>
  Effect.map(Message.build({ ...letter, ...change }, { id, date: 0, ehlo: "[127.0.0.1]" }), String)

describe("build", () => {
  it.effect("keeps an id that can stand in a Message-ID and hashes any other", () =>
    Effect.gen(function* () {
      expect(yield* build("a-1_B")).toContain("\r\nMessage-ID: <a-1_B@[127.0.0.1]>\r\n")
      const message = yield* build("a>\r\nBcc: evil@example.org")
      expect(/^Message-ID:\r\n <[0-9a-f]{64}@\[127\.0\.0\.1\]>\r$/m.test(message)).toBe(true)
      expect(message).not.toContain("evil")
    })
  )

  it.effect("quotes and encodes phrases, never the address", () =>
    Effect.gen(function* () {
      const phrase = 'Evil" <evil@example.org>, x:;'
      const from = Option.some({ phrase, address: "mfa@example.org", domain: "example.org", smtpUtf8: false })
      expect(yield* build("1", { from })).toContain('From: "Evil\\" <evil@example.org>, x:;" <mfa@example.org>\r\n')
    })
  )

  it.effect("never takes a body for a path, a URL or a message of its own", () =>
    Effect.gen(function* () {
      for (const body of ["/etc/hostname", "file:///etc/hostname", "http://127.0.0.1/", "data:text/plain,x"]) {
        const message = yield* build("1", { body })
        expect(message.slice(message.indexOf("\r\n\r\n") + 4)).toBe(`${body}\r\n`)
      }
    })
  )
})
