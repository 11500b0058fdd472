import { describe, expect, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Literal } from "../../src/EdumfaConfig/CfgFile/Literal.ts"
import { EdumfaConfig, layerValues } from "../../src/EdumfaConfig.ts"
import * as SendEmail from "../../src/SendEmail.ts"

const read = (ages: Readonly<Record<string, string>>) =>
  Effect.withConfigProvider(
    SendEmail.config,
    ConfigProvider.fromMap(
      new Map(Object.entries(ages).map(([name, age]) => [`EDUMFA_QUEUE_WORKER_MAX_AGES.${name}`, age]))
    )
  )

const readFile = (ages: Literal) =>
  Effect.flatMap(EdumfaConfig, ({ get }) => get(SendEmail.config)).pipe(
    Effect.provide(layerValues({ EDUMFA_QUEUE_WORKER_MAX_AGES: ages }))
  )

const maxAge = (options: SendEmail.Options, identifier: unknown) =>
  Effect.map(
    SendEmail.make(options).prepare({
      args: [{ server: "mail.example.org", identifier }, "ada@example.org", "Code", "493817"],
      kwargs: {}
    }),
    (prepared) => prepared.maxAge
  )

describe("SendEmail", () => {
  it.effect("lets mails become as old as the configuration says for the identifier of their SMTP server", () =>
    Effect.gen(function* () {
      const options = yield* read({ otp: "300", news: "86400" })
      expect(yield* maxAge(options, "otp")).toEqual(Duration.minutes(5))
      expect(yield* maxAge(options, "news")).toEqual(Duration.days(1))
      for (const other of ["other", undefined, 7]) expect(yield* maxAge(options, other)).toBeUndefined()
      expect(yield* maxAge(yield* read({}), "otp")).toBeUndefined()
    })
  )

  it.effect("refuses an age that lets nothing be sent", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(read({ otp: "0" }))
      expect(String(error)).toContain("expected seconds from 1")
    })
  )

  it.effect("reads them as they stand in the file, and refuses there what is no table", () =>
    Effect.gen(function* () {
      expect(yield* maxAge(yield* readFile({ otp: 300 }), "otp")).toEqual(Duration.minutes(5))
      expect(yield* maxAge(yield* readFile(null), "otp")).toBeUndefined()
      for (const wrong of [5, "x", { otp: 0 }]) {
        expect(String(yield* Effect.flip(readFile(wrong)))).toContain("as in {'otp': 300}")
      }
    })
  )
})
