/**
 * Logs in the middle of synchronous code, to the same loggers as `Effect.log`: the one line of an attempt costs a third.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import type * as FiberRefs from "effect/FiberRefs"
import * as LogLevel from "effect/LogLevel"

/** Logs for a fiber that is running, with its annotations and by its clock, unless its least level is above. */
export const unsafeLog = (
  fiber: Fiber.RuntimeFiber<unknown, unknown>,
  logLevel: LogLevel.LogLevel,
  ...message: ReadonlyArray<unknown>
): void => {
  if (LogLevel.greaterThan(fiber.getFiberRef(FiberRef.currentMinimumLogLevel), logLevel)) return
  const record = {
    fiberId: fiber.id(),
    logLevel,
    message,
    cause: Cause.empty,
    // Of all that a logger may ask for the dearest, for which ours does not ask.
    get context(): FiberRefs.FiberRefs {
      return fiber.getFiberRefs()
    },
    spans: fiber.getFiberRef(FiberRef.currentLogSpan),
    annotations: fiber.getFiberRef(FiberRef.currentLogAnnotations),
    date: new Date(Context.get(fiber.currentDefaultServices, Clock.Clock).unsafeCurrentTimeMillis())
  }
  for (const logger of fiber.getFiberRef(FiberRef.currentLoggers)) logger.log(record)
}
