/**
 * Lays a record out as eduMFA does: `[2026-11-23 08:19:18,088][PID][THREAD][LEVEL][name:line] message`, then the
 * annotations and the cause as ` key=value`.
 */
import * as Cause from "effect/Cause"
import type * as FiberId from "effect/FiberId"
import * as HashMap from "effect/HashMap"
import * as Inspectable from "effect/Inspectable"
import type * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import { Fields } from "./Fields.ts"
import * as Line from "./Line.ts"

/** How records become lines; lines have no newline yet. */
export interface Format {
  readonly record: (record: Logger.Logger.Options<unknown>) => string
  /** A warning of the log about itself; the time in milliseconds since the epoch. */
  readonly notice: (message: string, millis: number) => string
}

/** The name of a record without the annotation `service`. */
const defaultService = "edumfa-queue"

const two = (value: number) => (value < 10 ? `0${value}` : `${value}`)

/** Python's asctime, local time. Most records of a busy worker fall into the second, or millisecond, of the one before. */
const makeTime = () => {
  let second = Number.NaN
  let text = ""
  let known = Number.NaN
  let whole = ""
  return (millis: number): string => {
    if (millis === known) return whole
    const current = Math.floor(millis / 1_000)
    if (current !== second) {
      const date = new Date(current * 1_000)
      const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
      text = `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
      second = current
    }
    known = millis
    whole = `${text},${String(millis - current * 1_000).padStart(3, "0")}`
    return whole
  }
}

/** Python's names; it has none below DEBUG. */
const levelName = (level: LogLevel.LogLevel): string => {
  if (level.ordinal >= LogLevel.Fatal.ordinal) return "CRITICAL"
  if (level.ordinal >= LogLevel.Error.ordinal) return "ERROR"
  if (level.ordinal >= LogLevel.Warning.ordinal) return "WARNING"
  return level.ordinal >= LogLevel.Info.ordinal ? "INFO" : "DEBUG"
}

/** Only runtimes number their fibers; the others have no thread to name. */
const thread = (id: FiberId.FiberId): number => (id._tag === "Runtime" ? id.id : 0)

/** A getter or a `toJSON` may throw, and a log must not. */
const attempt = (render: () => string): string => {
  try {
    return render()
  } catch {
    return "<cannot be shown>"
  }
}

/** Tag or name, and message: never the other fields of an error, which may hold what a mail holds. */
const summary = (error: unknown): string =>
  attempt(() => {
    if (!Predicate.isObject(error)) return String(error)
    const tag = Predicate.hasProperty(error, "_tag") && Predicate.isString(error._tag) ? error._tag : undefined
    const name = tag ?? (error instanceof Error ? error.name : "a value that is not an error")
    const message = Predicate.hasProperty(error, "message") && Predicate.isString(error.message) ? error.message : ""
    return message === "" ? name : `${name}: ${message}`
  })

const describe = (value: unknown): string => {
  if (typeof value === "string") return value
  if (value instanceof Error) return summary(value)
  return attempt(() => String(Inspectable.toStringUnknown(value, 0)))
}

const needsQuotes = /^$|[\s"=\\\p{Cc}]/u

const quoted = (value: string) => (needsQuotes.test(value) ? JSON.stringify(value) : value)

const pair = (key: string, value: string) => ` ${key}=${quoted(value)}`

const isWord = (part: unknown) => !(part instanceof Fields)

const message = (parts: ReadonlyArray<unknown>): string => {
  const [first, second] = parts
  // As nearly all records are.
  if (isWord(first) && (parts.length === 1 || (parts.length === 2 && !isWord(second)))) return describe(first)
  return parts.filter(isWord).map(describe).join(" ")
}

/** Pairs by their keys: annotations have an order of their own, which says nothing to a reader. */
class Pairs {
  private readonly keys: Array<string> = []
  private readonly texts: Array<string> = []

  add(key: string, value: unknown): void {
    let at = this.keys.length
    for (; at > 0; at--) {
      const before = this.keys[at - 1] ?? ""
      if (before <= key) break
      this.keys[at] = before
      this.texts[at] = this.texts[at - 1] ?? ""
    }
    this.keys[at] = key
    this.texts[at] = typeof value === "number" ? `${value}` : quoted(describe(value))
  }

  toString(): string {
    let text = ""
    for (let at = 0; at < this.keys.length; at++) text += ` ${this.keys[at]}=${this.texts[at]}`
    return text
  }
}

const annotations = (all: HashMap.HashMap<string, unknown>, parts: ReadonlyArray<unknown>): string => {
  const pairs = new Pairs()
  HashMap.forEach(all, (value, key) => {
    if (key !== "service") pairs.add(key, value)
  })
  for (const part of parts) {
    if (!(part instanceof Fields)) continue
    for (const key of Object.keys(part.values)) pairs.add(key, part.values[key])
  }
  return pairs.toString()
}

const stack = (error: unknown): string =>
  attempt(() => (error instanceof Error && error.stack !== undefined ? error.stack : summary(error)))

const causePairs = (cause: Cause.Cause<unknown>, stacks: boolean): string => {
  const errors = [...Cause.failures(cause), ...Cause.defects(cause)]
  if (errors.length === 0) return pair("cause", "interrupted")
  const short = pair("cause", errors.map(summary).join("; "))
  return stacks ? short + pair("stack", errors.map(stack).join("\n")) : short
}

/** `stacks`: whether a cause brings its stacks along, on the same line; for a log at level DEBUG. */
export const make = (options: { readonly pid: number; readonly stacks: boolean }): Format => {
  const time = makeTime()
  const head = (millis: number, fiber: number, level: string, service: string) =>
    `[${time(millis)}][${options.pid}][${fiber}][${level}][${service}:0]`
  return {
    record: (record) => {
      const service = HashMap.get(record.annotations, "service")
      const name = Option.isSome(service) ? describe(service.value) : defaultService
      const parts: ReadonlyArray<unknown> = Array.isArray(record.message) ? record.message : [record.message]
      const text = message(parts)
      let line = head(record.date.getTime(), thread(record.fiberId), levelName(record.logLevel), name)
      if (text !== "") line += ` ${text}`
      line += annotations(record.annotations, parts)
      if (!Cause.isEmpty(record.cause)) line += causePairs(record.cause, options.stacks)
      return Line.make(line)
    },
    notice: (text, millis) => Line.make(`${head(millis, 0, "WARNING", defaultService)} ${text}`)
  }
}
