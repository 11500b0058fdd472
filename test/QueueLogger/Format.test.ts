import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as FiberId from "effect/FiberId"
import * as FiberRefs from "effect/FiberRefs"
import * as HashMap from "effect/HashMap"
import * as List from "effect/List"
import type * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as LogSpan from "effect/LogSpan"
import * as Redacted from "effect/Redacted"
import { Fields } from "../../src/QueueLogger/Fields.ts"
import * as Format from "../../src/QueueLogger/Format.ts"

// Local time, whatever the zone.
const date = new Date(2026, 10, 23, 8, 19, 18, 88)

const record = (fields: Partial<Logger.Logger.Options<unknown>>): Logger.Logger.Options<unknown> => ({
  fiberId: FiberId.runtime(7, 0),
  logLevel: LogLevel.Info,
  message: ["a message"],
  cause: Cause.empty,
  context: FiberRefs.empty(),
  spans: List.empty(),
  annotations: HashMap.empty(),
  date,
  ...fields
})

const head = "[2026-11-23 08:19:18,088][4711][7][INFO][edumfa-queue:0]"

const quiet = Format.make({ pid: 4711, stacks: false })
const format = (fields: Partial<Logger.Logger.Options<unknown>>) => quiet.record(record(fields))

class BrokenError extends Data.TaggedError("BrokenError")<{ readonly detail: string; readonly body: string }> {
  override get message() {
    return this.detail
  }
}

describe("the line", () => {
  it("has eduMFA's layout", () => {
    expect(format({})).toBe(`${head} a message`)
    expect(format({ annotations: HashMap.make(["service", "worker"]) })).toBe(
      "[2026-11-23 08:19:18,088][4711][7][INFO][worker:0] a message"
    )
    expect(format({ fiberId: FiberId.none })).toBe("[2026-11-23 08:19:18,088][4711][0][INFO][edumfa-queue:0] a message")
    expect(quiet.notice("3 lines dropped", date.getTime())).toBe(
      "[2026-11-23 08:19:18,088][4711][0][WARNING][edumfa-queue:0] 3 lines dropped"
    )
  })

  it.each([
    [LogLevel.Trace, "DEBUG"],
    [LogLevel.Debug, "DEBUG"],
    [LogLevel.Info, "INFO"],
    [LogLevel.Warning, "WARNING"],
    [LogLevel.Error, "ERROR"],
    [LogLevel.Fatal, "CRITICAL"]
  ])("calls %s by Python's name", (logLevel, name) => {
    expect(format({ logLevel })).toBe(`[2026-11-23 08:19:18,088][4711][7][${name}][edumfa-queue:0] a message`)
  })

  it("tells the time of each record", () => {
    const times = [
      new Date(2026, 10, 23, 8, 19, 18, 999),
      new Date(2026, 10, 23, 8, 19, 19, 0),
      new Date(2026, 10, 23, 8, 19, 18, 7),
      new Date(2027, 0, 1, 0, 0, 0, 50)
    ]
    expect(times.map((time) => format({ date: time }).slice(0, 25))).toEqual([
      "[2026-11-23 08:19:18,999]",
      "[2026-11-23 08:19:19,000]",
      "[2026-11-23 08:19:18,007]",
      "[2027-01-01 00:00:00,050]"
    ])
  })

  it("joins the parts of a message and leaves spans out", () => {
    expect(format({ message: ["taken", 3, true] })).toBe(`${head} taken 3 true`)
    expect(format({ message: "bare" })).toBe(`${head} bare`)
    expect(format({ message: [] })).toBe(head)
    expect(format({ spans: List.of(LogSpan.make("attempt", 0)) })).toBe(`${head} a message`)
  })

  it("is one line, whatever it holds", () => {
    expect(format({ message: ["one\ntwo\u202e"], annotations: HashMap.make(["reply", "550\r\nno"]) })).toBe(
      `${head} one\\ntwo\\u202e reply="550\\r\\nno"`
    )
  })
})

describe("annotations", () => {
  it.each<[unknown, string]>([
    ["plain", "plain"],
    [3, "3"],
    [false, "false"],
    ["", '""'],
    ["two words", '"two words"'],
    ['say "no"', '"say \\"no\\""'],
    ["a=b", '"a=b"'],
    ["a\\b", '"a\\\\b"'],
    ["\u0085", '"\\u0085"'],
    ["é", "é"],
    [{ port: 25 }, '"{\\"port\\":25}"'],
    [Redacted.make("hunter2"), '"\\"<redacted>\\""'],
    [new Error("refused"), '"Error: refused"'],
    [undefined, "undefined"]
  ])("shows %j", (value, shown) => {
    expect(format({ annotations: HashMap.make(["key", value]) })).toBe(`${head} a message key=${shown}`)
  })

  it("stand beside the fields of a record", () => {
    const message = ["done", new Fields({ ms: 3, attempt: 1 })]
    expect(format({ message, annotations: HashMap.make(["id", "7"]) })).toBe(`${head} done attempt=1 id=7 ms=3`)
  })

  it("stand in the order of their names", () => {
    const annotations = HashMap.fromIterable(["service", ..."zqmfcaxhdb"].map((name) => [name, 1] as const))
    expect(format({ annotations })).toBe(
      "[2026-11-23 08:19:18,088][4711][7][INFO][1:0] a message a=1 b=1 c=1 d=1 f=1 h=1 m=1 q=1 x=1 z=1"
    )
  })

  it("cannot throw", () => {
    const hostile = {
      toJSON: () => {
        throw new Error("no")
      },
      toString: () => {
        throw new Error("no")
      }
    }
    expect(format({ annotations: HashMap.make(["key", hostile]) })).toBe(`${head} a message key="<cannot be shown>"`)
  })
})

describe("a cause", () => {
  const broken = new BrokenError({ detail: "Redis does not answer", body: "654321" })

  it("is tag and message of expected errors, without their fields", () => {
    expect(format({ cause: Cause.fail(broken) })).toBe(`${head} a message cause="BrokenError: Redis does not answer"`)
    expect(format({ message: [broken] })).toBe(`${head} BrokenError: Redis does not answer`)
    expect(format({ cause: Cause.fail({ _tag: "Odd", body: "654321" }) })).toBe(`${head} a message cause=Odd`)
  })

  it("is name and message of defects", () => {
    expect(format({ cause: Cause.die(new TypeError("x is\nnot a function")) })).toBe(
      `${head} a message cause="TypeError: x is\\nnot a function"`
    )
    expect(format({ cause: Cause.die({ body: "654321" }) })).toBe(
      `${head} a message cause="a value that is not an error"`
    )
  })

  it("is all of them, or the interruption", () => {
    expect(format({ cause: Cause.parallel(Cause.fail(broken), Cause.die("odd")) })).toBe(
      `${head} a message cause="BrokenError: Redis does not answer; odd"`
    )
    expect(format({ message: [], cause: Cause.interrupt(FiberId.none) })).toBe(`${head} cause=interrupted`)
  })

  it("brings its stacks along where they are asked for, on the same line", () => {
    const error = new TypeError("no")
    error.stack = "TypeError: no\n    at work (file.ts:1:2)"
    const line = Format.make({ pid: 4711, stacks: true }).record(record({ cause: Cause.die(error) }))
    expect(line).toBe(`${head} a message cause="TypeError: no" stack="TypeError: no\\n    at work (file.ts:1:2)"`)
  })
})
