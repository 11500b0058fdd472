import { expect, it } from "@effect/vitest"
import { isLoopback } from "../src/Loopback.ts"

it.each([
  ["127.0.0.1", true],
  ["127.8.9.10", true],
  ["::1", true],
  ["::ffff:127.0.0.1", true],
  ["128.0.0.1", false],
  ["10.0.0.1", false],
  ["::2", false],
  ["::ffff:10.0.0.1", false],
  ["localhost", false],
  [undefined, false]
])("%s: %s", (address, expected) => {
  expect(isLoopback(address)).toBe(expected)
})
