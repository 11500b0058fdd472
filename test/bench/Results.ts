/**
 * The files of a run: all figures as JSON, the table and the plot. Written after each row, so that nothing is lost.
 */
import { spawnSync } from "node:child_process"
import { readFile, writeFile } from "node:fs/promises"
import { availableParallelism, cpus, release, totalmem } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Result } from "./Bench.ts"
import * as Plot from "./Plot.ts"
import * as Report from "./Report.ts"
import * as Summary from "./Summary.ts"

/** Packages whose versions matter. */
const packages = ["effect", "ioredis", "nodemailer", "bullmq"]

const Manifest = Schema.parseJson(Schema.Struct({ version: Schema.String }))

const versionOf = (name: string) =>
  Effect.promise(() => readFile(`node_modules/${name}/package.json`, "utf8")).pipe(
    Effect.flatMap(Schema.decodeUnknown(Manifest)),
    Effect.map(({ version }) => `${name} ${version}`),
    Effect.orDie
  )

const redisVersion = () =>
  /v=(\S+)/.exec(spawnSync("redis-server", ["--version"], { encoding: "utf8" }).stdout)?.[1] ?? "unknown"

/** The machine and what runs on it, in one line. */
export const machine: Effect.Effect<string> = Effect.map(Effect.forEach(packages, versionOf), (versions) =>
  [
    `${availableParallelism()} × ${cpus()[0]?.model.trim() ?? "an unknown processor"}`,
    `${Math.round(totalmem() / 2 ** 30)} GiB`,
    `Linux ${release()}`,
    `Node ${process.versions.node}`,
    `Redis ${redisVersion()}`,
    ...versions
  ].join(", ")
)

/** A row that yielded nothing, and why. */
export interface Failure {
  readonly row: string
  readonly detail: string
}

export interface Written {
  readonly machine: string
  /** How it was asked for, `--quick --reps 2`. */
  readonly options: string
  readonly results: ReadonlyArray<Result>
  readonly failures: ReadonlyArray<Failure>
}

const toJson = ({ failures, machine, options, results }: Written): string =>
  JSON.stringify(
    {
      machine,
      options,
      rows: results.map((result) => ({
        name: result.row.name,
        title: result.row.title,
        figures: Summary.figures(result),
        comparisons: Summary.compared(result),
        runs: result.runs
      })),
      failures
    },
    undefined,
    2
  )

/** Writes everything to the directory, and the JSON to a file of its own where one is named. */
export const write = (written: Written, directory: string, file: string | undefined): Effect.Effect<void, Error> =>
  Effect.tryPromise({
    try: async () => {
      const json = toJson(written)
      await writeFile(join(directory, "results.json"), json)
      await writeFile(join(directory, "results.txt"), `${written.machine}\n\n${Report.show(written.results)}\n`)
      await writeFile(join(directory, "ratios.svg"), Plot.svg(written.results))
      if (file !== undefined) await writeFile(file, json)
    },
    catch: (cause) => new Error(`the results cannot be written: ${String(cause)}`)
  })
