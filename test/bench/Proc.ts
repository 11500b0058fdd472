/**
 * What the system knows of a process.
 */
import { readdirSync, readFileSync } from "node:fs"
import * as Effect from "effect/Effect"

/** Resident memory, MiB. */
export const rss = (pid: number): Effect.Effect<number> =>
  Effect.sync(() => {
    const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? []
    return Number(kib) / 1_024
  })

/** Time on a core, of all its threads so far, milliseconds; far finer than the ticks of /proc/PID/stat. */
export const cpu = (pid: number): Effect.Effect<number> =>
  Effect.sync(() =>
    readdirSync(`/proc/${pid}/task`)
      .map((thread) => Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]) / 1e6)
      .reduce((sum, millis) => sum + millis, 0)
  )
