/**
 * Logs in the middle of synchronous code, to the same loggers as `Effect.log` and for less: every attempt has a line.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Fiber from "effect/Fiber"
import type * as FiberId from "effect/FiberId"
import * as FiberRef from "effect/FiberRef"
import type * as FiberRefs from "effect/FiberRefs"
import type * as HashMap from "effect/HashMap"
import type * as List from "effect/List"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import type * as LogSpan from "effect/LogSpan"

type RunningFiber = Fiber.RuntimeFiber<unknown, unknown>

/** A record of a fiber that is running. A class, whose getter costs nothing until it is asked. */
class Record implements Logger.Logger.Options<unknown> {
  readonly fiberId: FiberId.FiberId
  readonly logLevel: LogLevel.LogLevel
  readonly message: unknown
  readonly cause = Cause.empty
  readonly spans: List.List<LogSpan.LogSpan>
  readonly annotations: HashMap.HashMap<string, unknown>
  readonly date: Date
  private readonly fiber: RunningFiber

  constructor(fiber: RunningFiber, logLevel: LogLevel.LogLevel, message: unknown) {
    this.fiber = fiber
    this.fiberId = fiber.id()
    this.logLevel = logLevel
    this.message = message
    this.spans = fiber.getFiberRef(FiberRef.currentLogSpan)
    this.annotations = fiber.getFiberRef(FiberRef.currentLogAnnotations)
    this.date = new Date(Context.get(fiber.currentDefaultServices, Clock.Clock).unsafeCurrentTimeMillis())
  }

  /** A copy, so that it is the dearest part of a record; ours does not ask for it. */
  get context(): FiberRefs.FiberRefs {
    return this.fiber.getFiberRefs()
  }
}

/** Logs for a fiber that is running, with its annotations and by its clock, unless its least level is above. */
export const unsafeLog = (
  fiber: RunningFiber,
  logLevel: LogLevel.LogLevel,
  ...message: ReadonlyArray<unknown>
): void => {
  if (LogLevel.greaterThan(fiber.getFiberRef(FiberRef.currentMinimumLogLevel), logLevel)) return
  const record = new Record(fiber, logLevel, message)
  for (const logger of fiber.getFiberRef(FiberRef.currentLoggers)) {
    // It makes events of spans, and asks for the context to find that there is none.
    if (logger !== Logger.tracerLogger || fiber.currentSpan !== undefined) logger.log(record)
  }
}
