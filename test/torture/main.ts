/**
 * `npm run torture`: 100 000 jobs through workers, Redis and a mail server that all fail; ends with the account, and with
 * 1 where a promise was broken.
 */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Proof from "../services/Proof.ts"
import * as Ledger from "./Ledger.ts"
import * as Torture from "./Torture.ts"

/** Seconds between two lines of progress. */
const progressEvery = 2

const usage = `npm run torture -- [options]
  --jobs N          jobs to be accepted (100000)
  --workers N       worker processes (4)
  --slots N         jobs that each has in hand at most (16)
  --kills-every S   seconds between two kills of workers (1)
  --kills N         no more kills of workers than that (no limit)
  --redis-kills N   how often Redis is killed (10)
  --limit S         seconds the run may take, 0 for no limit (120)
  --seed N          repeats the fates and the choices of a run (random)
  --json            the account as JSON on stdout
  --keep            leaves the directory with logs`

const { values } = parseArgs({
  options: {
    jobs: { type: "string", default: "100000" },
    workers: { type: "string", default: "4" },
    slots: { type: "string", default: "16" },
    "kills-every": { type: "string", default: "1" },
    kills: { type: "string", default: "1e9" },
    "redis-kills": { type: "string", default: "10" },
    limit: { type: "string", default: "120" },
    seed: { type: "string" },
    json: { type: "boolean", default: false },
    keep: { type: "boolean", default: false },
    help: { type: "boolean", default: false }
  }
})

/** The lease of the workers: the shortest that three heartbeats fit in while two cores do the work of all. */
const lease = Duration.seconds(2)

const numeric = (name: string, text: string, min: number): Effect.Effect<number, Error> => {
  const value = Number(text)
  return Number.isFinite(value) && value >= min && text !== ""
    ? Effect.succeed(value)
    : Effect.fail(new Error(`--${name}: expected a number from ${min}\n${usage}`))
}

const whole = (name: string, text: string, min: number) => Effect.map(numeric(name, text, min), Math.floor)

const directory = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "edumfa-queue-torture-"))),
  (path) =>
    values.keep
      ? Console.error(`kept: ${path}`)
      : Effect.promise(() => rm(path, { recursive: true, force: true, maxRetries: 5 }))
)

const line = (it: Torture.Progress) =>
  `${it.seconds.toFixed(0).padStart(4)} s  ${it.phase}  accepted ${it.accepted}  maybe ${it.maybe}  ended ${it.ended}` +
  `  kills ${it.kills}  freezes ${it.freezes}  Redis kills ${it.redisKills}`

const main = Effect.gen(function* () {
  if (values.help) return yield* Effect.as(Console.log(usage), 0)
  const seed =
    values.seed === undefined ? yield* Random.nextIntBetween(0, 2 ** 31) : yield* whole("seed", values.seed, 0)
  const limit = yield* numeric("limit", values.limit, 0)
  const jobs = yield* whole("jobs", values.jobs, 1)
  yield* Console.error(`seed ${seed}`)
  let said = Number.NEGATIVE_INFINITY
  const { connections, ledger, seen, tries } = yield* Torture.run({
    seed,
    jobs,
    workers: yield* whole("workers", values.workers, 1),
    slots: yield* whole("slots", values.slots, 1),
    killsEvery: Duration.seconds(yield* numeric("kills-every", values["kills-every"], 0.1)),
    kills: yield* whole("kills", values.kills, 0),
    redisKills: yield* whole("redis-kills", values["redis-kills"], 0),
    lease,
    limits: { seconds: limit === 0 ? undefined : limit },
    directory: yield* directory,
    progress: (it) =>
      Effect.suspend(() => {
        if (it.seconds - said < progressEvery) return Effect.void
        said = it.seconds
        return Console.error(line(it))
      })
  })
  const speed = Math.round(jobs / seen.seconds)
  if (values.json) {
    const { broken, rows } = ledger
    const figures = { seed, seconds: seen.seconds, speed, connections, tries, rows: Object.fromEntries(rows), broken }
    yield* Console.log(JSON.stringify(figures))
  } else {
    yield* Console.log(`\nseed ${seed}: ${seen.seconds.toFixed(1)} s, ${speed} jobs/s, ${connections} connections\n`)
    yield* Console.log(Ledger.show(ledger))
  }
  return ledger.broken.length === 0 ? 0 : 1
}).pipe(Effect.scoped)

Proof.run(main)
