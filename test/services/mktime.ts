/**
 * What Python makes of a time in its schedule: the judge of ours.
 */
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import * as Schema from "effect/Schema"

const script = fileURLToPath(new URL("../fixtures/python/mktime.py", import.meta.url))

const Scores = Schema.parseJson(Schema.Array(Schema.Number))

/** The scores of Unix times, all in seconds, that a Python process in this zone computes one after the other. */
export const scores = (zone: string, times: ReadonlyArray<number>, utc = true): ReadonlyArray<number> => {
  const { error, status, stderr, stdout } = spawnSync("python3", [script, utc ? "utc" : "local"], {
    input: JSON.stringify(times),
    encoding: "utf8",
    env: { ...process.env, TZ: zone },
    maxBuffer: 64 * 1024 * 1024
  })
  if (error !== undefined || status !== 0) throw new Error(`python3 is needed, its mktime is the judge: ${stderr}`)
  return Schema.decodeUnknownSync(Scores)(stdout)
}
