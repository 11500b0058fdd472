/**
 * All sides carry as much.
 */
import { expect, it } from "@effect/vitest"
import * as Message from "./Message.ts"
import * as Payload from "./Payload.ts"

it("is as large as eduMFA's mails are, as a message and as JSON", () => {
  const args = Payload.args(10_025)
  const bytes = Message.encode(args, "0198c0de-0000-7000-8000-000000000000").length
  expect(Math.abs(bytes - Payload.messageBytes)).toBeLessThanOrEqual(10)
  expect(Math.abs(JSON.stringify(args).length - Payload.messageBytes)).toBeLessThanOrEqual(20)
})
