import { describe, expect, it } from "@effect/vitest"
import { maskMailbox } from "../../src/QueueLogger/redact.ts"

describe("maskMailbox", () => {
  it.each([
    ["ada@example.org", "a***@example.org"],
    ["a@example.org", "a***@example.org"],
    ["Ada Lovelace <ada@example.org>", "a***@example.org"],
    ['"654321" <ada@example.org>', "a***@example.org"],
    ["ada@example.org, bob@example.net", "a***@example.net"],
    ["ada@example.org 654321", "a***@example.org"],
    ["ölaf@example.org", "ö***@example.org"],
    ["🙂x@example.org", "🙂***@example.org"],
    ["ada@[192.0.2.1]", "a***@[192.0.2.1]"],
    ["@example.org", "***@example.org"],
    ["ada@", "a***@"],
    ["654321", "***"],
    ["", "***"]
  ])("%s", (mailbox, masked) => {
    expect(maskMailbox(mailbox)).toBe(masked)
  })
})
