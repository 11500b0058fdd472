import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as base64 from "nodemailer/lib/base64"
import * as quotedPrintable from "nodemailer/lib/qp"
import * as Encoded from "../../src/Mailer/Encoded.ts"

/** Breaks of all kinds, blanks at the ends of lines, words of many octets, what looks like an escape, long lines. */
const text = FastCheck.array(
  FastCheck.oneof(
    FastCheck.constantFrom("\r", "\n", "\r\n", " ", "\t", "=", "=3D", ".", ",", "ü", "漢字", "🙂", "\x01", "   \r\n"),
    FastCheck.stringMatching(/^[a-z .]{0,100}$/),
    FastCheck.nat(400).map((length) => "x".repeat(length)),
    FastCheck.nat(120).map((length) => "ü".repeat(length)),
    FastCheck.nat(120).map((length) => " ".repeat(length))
  ),
  { maxLength: 30 }
).map((pieces) => pieces.join(""))

const slice = FastCheck.integer({ min: 1, max: 700 })

describe("a text in slices", () => {
  it.effect.prop(
    "has CRLF where the whole has",
    [text, slice],
    ([text, slice]) =>
      Effect.gen(function* () {
        expect(yield* Encoded.withCrlf(text, slice)).toBe(text.replaceAll(/\r\n|\r|\n/g, "\r\n"))
      }),
    { fastCheck: { numRuns: 200 } }
  )

  it.effect.prop(
    "is encoded as the whole is",
    [text, slice],
    ([body, slice]) =>
      Effect.gen(function* () {
        const lines = `${yield* Encoded.withCrlf(body)}\r\n`
        for (const text of [lines, lines.slice(0, -2)]) {
          const quoted = quotedPrintable.wrap(quotedPrintable.encode(text))
          expect(yield* Encoded.encode(text, "quoted-printable", slice)).toBe(quoted)
          expect(yield* Encoded.encode(text, "base64", slice)).toBe(base64.wrap(base64.encode(text)))
        }
      }),
    { fastCheck: { numRuns: 300 } }
  )

  it.effect("is as the whole also where it has many slices, and lets others run between them", () =>
    Effect.gen(function* () {
      const text = "Grüße aus Köln, hier steht etwas Text; und noch etwas mehr davon, bis zum Umbruch\r\n".repeat(
        20_000
      )
      let turns = 0
      const counting = Effect.forever(
        Effect.async<void>((resume) => {
          const immediate = setImmediate(() => {
            turns++
            resume(Effect.void)
          })
          return Effect.sync(() => clearImmediate(immediate))
        })
      )
      yield* Effect.forkScoped(counting)
      const encoded = yield* Encoded.encode(text, "quoted-printable")
      expect(encoded).toBe(quotedPrintable.wrap(quotedPrintable.encode(text)))
      expect(turns).toBeGreaterThan(Math.floor(Buffer.byteLength(text) / Encoded.defaultSlice) - 2)
    }).pipe(Effect.scoped)
  )
})
