/**
 * The fibers of attempts: all around a handler is uninterruptible, so that an outcome is always settled, and all that is logged
 * says which job it is about.
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as FiberRef from "effect/FiberRef"
import * as FiberRefs from "effect/FiberRefs"
import * as HashMap from "effect/HashMap"
import * as Runtime from "effect/Runtime"
import * as RuntimeFlags from "effect/RuntimeFlags"

/** Runs an attempt at once on a fiber of its own; without an id nobody knows which job it is about. */
export type Fork<in R> = (attempt: Effect.Effect<void, never, R>, jobId: string | undefined) => Fiber.RuntimeFiber<void>

const { currentContext, currentLogAnnotations } = FiberRef

/** What fibers inherit is made once for all of them and not for each, which costs more than the rest of a fiber. */
const fromRuntime = <R>(runtime: Runtime.Runtime<R>): Fork<R> => {
  const { context, fiberRefs, runtimeFlags } = runtime
  const inherited = FiberRefs.updateAs(FiberRefs.forkAs(fiberRefs, FiberId.none), {
    fiberId: FiberId.none,
    fiberRef: currentContext,
    value: context
  })
  const annotations = FiberRefs.getOrDefault(inherited, currentLogAnnotations)
  const bare = { context, runtimeFlags: RuntimeFlags.disable(runtimeFlags, RuntimeFlags.Interruption) }
  const fork = Runtime.runFork(Runtime.make({ ...bare, fiberRefs: FiberRefs.empty() }))
  return (attempt, jobId) =>
    fork(attempt, {
      updateRefs: (_, fiberId) => {
        if (jobId === undefined) return inherited
        const value = HashMap.set(annotations, "id", jobId)
        return FiberRefs.updateAs(inherited, { fiberId, fiberRef: currentLogAnnotations, value })
      }
    })
}

/**
 * Hands out what forks, with all that the fiber has which asks. That must not change what it hands on meanwhile: it is looked at
 * when it first asks.
 */
export const make = <R>(): ((use: (fork: Fork<R>) => void) => Effect.Effect<void, never, R>) => {
  const forks = new WeakMap<object, Fork<R>>()
  return (use) =>
    Effect.withFiberRuntime<void, never, R>((fiber) => {
      const known = forks.get(fiber)
      if (known !== undefined) return Effect.succeed(use(known))
      return Effect.map(Effect.runtime<R>(), (runtime) => {
        const fork = fromRuntime(runtime)
        forks.set(fiber, fork)
        use(fork)
      })
    })
}
