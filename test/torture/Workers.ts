/**
 * The workers: real processes of the built command, each started again when it ends, that can be killed and frozen.
 */
import { join } from "node:path"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Command from "../services/Command.ts"

/** A clean stop takes at most the grace time of 8 seconds and the rest of a turn. */
const stopLimit = Duration.seconds(12)

/** Before a worker that ended by itself is started again. */
const pauseAfterEnd = Duration.seconds(1)

export interface Options {
  readonly count: number
  readonly slots: number
  /** Where logs and the configuration `edumfa.cfg` lie. */
  readonly directory: string
}

export interface Workers {
  /** Kills one that is not frozen with SIGKILL; it is started again at once. */
  readonly kill: Effect.Effect<void>
  /** Stops one for a while with SIGSTOP. */
  readonly freeze: (time: Duration.Duration) => Effect.Effect<void>
  /** Asks all to stop cleanly and waits for their end; none is started again. */
  readonly stop: Effect.Effect<void>
  readonly counts: () => { readonly kills: number; readonly freezes: number }
  /** How workers ended that nobody killed, other than cleanly when they were asked to. */
  readonly ended: ReadonlyArray<string>
  readonly logs: ReadonlyArray<string>
}

interface Worker {
  readonly name: string
  readonly log: string
  process: Effect.Effect.Success<ReturnType<typeof Command.command>> | undefined
  state: "running" | "frozen" | "killed" | "stopping"
}

const wasMeant = ({ state }: Worker, code: number | null, signal: NodeJS.Signals | null): boolean =>
  (state === "killed" && signal === "SIGKILL") || (state === "stopping" && code === 0)

/** Starts them and waits until each has said so. */
export const make = Effect.fnUntraced(function* ({ count, directory, slots }: Options) {
  const ended: Array<string> = []
  let kills = 0
  let freezes = 0
  let isOver = false

  const live = (worker: Worker) =>
    Effect.scoped(
      Effect.gen(function* () {
        const args = ["-w", String(slots), "-l", worker.log, "--config", "edumfa.cfg"]
        const process = yield* Command.command(args, { cwd: directory })
        worker.state = "running"
        worker.process = process
        const { code, signal, stderr } = yield* Effect.flatten(process.ended)
        worker.process = undefined
        if (wasMeant(worker, code, signal)) return
        ended.push(`${worker.name}: exit code ${code}, signal ${signal}, ${stderr.trim().slice(-500)}`)
        if (!isOver) yield* Effect.sleep(pauseAfterEnd)
      })
    )

  const workers = Array.from({ length: count }, (_, index): Worker => {
    const name = `worker ${index + 1}`
    return { name, log: join(directory, `worker-${index + 1}.log`), process: undefined, state: "running" }
  })
  const fibers = yield* Effect.forEach(workers, (worker) =>
    Effect.forkScoped(Effect.repeat(live(worker), { while: () => !isOver }))
  )
  yield* Effect.forEach(workers, ({ log }) => Command.logged(log, /started, \d+ slots/), {
    concurrency: "unbounded",
    discard: true
  })

  /** One that runs, by chance. */
  const pick = Effect.map(
    Effect.suspend(() => Random.shuffle(workers.filter(({ process, state }) => process && state === "running"))),
    (shuffled) => Option.fromNullable([...shuffled][0])
  )

  const kill = Effect.gen(function* () {
    const worker = Option.getOrUndefined(yield* pick)
    if (worker?.process === undefined) return
    worker.state = "killed"
    kills += 1
    yield* worker.process.kill("SIGKILL")
  })

  const freeze = Effect.fnUntraced(function* (time: Duration.Duration) {
    const worker = Option.getOrUndefined(yield* pick)
    const process = worker?.process
    if (worker === undefined || process === undefined) return
    worker.state = "frozen"
    freezes += 1
    yield* process.kill("SIGSTOP")
    yield* Effect.ensuring(
      Effect.sleep(time),
      Effect.zipRight(
        process.kill("SIGCONT"),
        Effect.sync(() => {
          worker.state = "running"
        })
      )
    )
  })

  const stop = Effect.gen(function* () {
    isOver = true
    for (const worker of workers) {
      if (worker.process === undefined) continue
      worker.state = "stopping"
      yield* worker.process.kill("SIGTERM")
    }
    const stopped = yield* Effect.timeoutOption(Fiber.awaitAll(fibers), stopLimit)
    if (Option.isSome(stopped)) return
    for (const { name, process } of workers) if (process !== undefined) ended.push(`${name}: did not stop on SIGTERM`)
  })

  const handle: Workers = {
    kill,
    freeze,
    stop,
    counts: () => ({ kills, freezes }),
    ended,
    logs: workers.map(({ log }) => log)
  }
  return handle
})
