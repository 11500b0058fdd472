/**
 * `npm run bench`: ours beside BullMQ and beside bare loops, in turn on one machine; ends with 1 where a bar is missed.
 */
import { mkdir, mkdtemp } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Proof from "../services/Proof.ts"
import * as Bench from "./Bench.ts"
import * as Report from "./Report.ts"
import * as Results from "./Results.ts"
import type { Row } from "./Row.ts"
import * as Stage from "./Stage.ts"
import * as Summary from "./Summary.ts"
import { rows } from "./Table.ts"

const usage = `npm run bench -- [options] [ROW…]
  --list           the rows there are
  --reps N         repetitions of each side (5)
  --retries N      how often a run that was disturbed is done again (2)
  --quick          less of everything, and 2 repetitions: a glance, no proof
  --aof            every Redis keeps a file, synced each second
  --json FILE      all figures as JSON to FILE as well
  --profile DIR    CPU profiles of our own processes to DIR
The table, all figures of each run and a plot go to a directory that is named at the start and at the end.
Ends with 1 where a bar is missed or a row failed.`

const given = Effect.try({
  try: () =>
    parseArgs({
      allowPositionals: true,
      options: {
        list: { type: "boolean", default: false },
        reps: { type: "string" },
        retries: { type: "string", default: "2" },
        quick: { type: "boolean", default: false },
        aof: { type: "boolean", default: false },
        json: { type: "string" },
        profile: { type: "string" },
        help: { type: "boolean", default: false }
      }
    }),
  catch: (cause) => new Error(`${cause instanceof Error ? cause.message : String(cause)}\n${usage}`)
})

const whole = (name: string, text: string, min: number): Effect.Effect<number, Error> => {
  const value = Number(text)
  return Number.isInteger(value) && value >= min && text !== ""
    ? Effect.succeed(value)
    : Effect.fail(new Error(`--${name}: expected a whole number from ${min}\n${usage}`))
}

const choose = Effect.fnUntraced(function* (positionals: ReadonlyArray<string>) {
  const names = rows.map((row) => row.name)
  const unknown = positionals.filter((name) => !names.includes(name))
  if (unknown.length > 0) {
    return yield* Effect.fail(new Error(`there is no row ${unknown.join(", ")}; there are ${names.join(", ")}`))
  }
  return positionals.length === 0 ? rows : rows.filter((row) => positionals.includes(row.name))
})

/** A line that the figures of the run replace, where it is not kept in a file. */
const begin = (text: string) =>
  Effect.sync(() => {
    if (process.stderr.isTTY) process.stderr.write(`${text} …\r`)
  })

const main = Effect.gen(function* () {
  const { positionals, values } = yield* given
  if (values.help) return yield* Effect.as(Console.log(usage), 0)
  if (values.list) {
    yield* Effect.forEach(rows, ({ name, title }) => Console.log(`${name.padEnd(14)}${title}`))
    return 0
  }
  const wanted = yield* choose(positionals)
  const repetitions = yield* whole("reps", values.reps ?? (values.quick ? "2" : "5"), 1)
  const retries = yield* whole("retries", values.retries, 0)
  const profile = values.profile === undefined ? undefined : resolve(values.profile)
  if (profile !== undefined) yield* Effect.promise(() => mkdir(profile, { recursive: true }))
  const stage = Stage.layer({
    size: values.quick ? "Quick" : "Full",
    aof: values.aof,
    ...(profile === undefined ? {} : { profiles: profile })
  })
  const directory = yield* Effect.promise(() => mkdtemp(join(tmpdir(), "edumfa-queue-bench-")))
  const machine = yield* Results.machine
  yield* Console.error(`${machine}\n${wanted.length} rows, results in ${directory}`)
  const results: Array<Bench.Result> = []
  const failures: Array<Results.Failure> = []
  const options = process.argv.slice(2).join(" ")
  const write = Effect.suspend(() => Results.write({ machine, options, results, failures }, directory, values.json))
  const runRow = Effect.fnUntraced(function* (row: Row) {
    const outcome = yield* Effect.exit(
      Bench.run(row, {
        repetitions,
        retries,
        waits: true,
        begins: (of, side, place) => begin(Report.placeOf(of, side, place)),
        progress: (of, run) => Console.error(Report.runLine(of, run))
      })
    )
    if (Exit.isSuccess(outcome)) results.push(outcome.value)
    else if (Cause.isInterrupted(outcome.cause)) yield* outcome
    else failures.push({ row: row.name, detail: String(Cause.squash(outcome.cause)) })
    yield* write
  })
  // Now as well, for a file that cannot be written should not be found after an hour.
  yield* write
  yield* Effect.forEach(wanted, runRow, { discard: true }).pipe(Effect.provide(stage))
  yield* Console.log(`\n${Report.show(results)}\n`)
  for (const { detail, row } of failures) yield* Console.error(`${row} failed: ${detail}`)
  yield* Console.log(`Results: ${directory}: results.txt, results.json, ratios.svg`)
  const missed = results.flatMap(Summary.compared).some(({ verdict }) => verdict === "Misses")
  return missed || failures.length > 0 ? 1 : 0
})

Proof.run(main)
