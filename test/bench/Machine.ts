/**
 * What else the machine did during a run: load, time stolen by the host, and the work of programs that are not ours.
 */
import { readdirSync, readFileSync } from "node:fs"
import { loadavg } from "node:os"
import * as Effect from "effect/Effect"

/** Clock ticks since the machine or a process started; all of the same length. */
interface Ticks {
  readonly total: number
  readonly steal: number
  /** Work as the cores counted it. They look a hundred times a second, and miss much of what wakes and sleeps between. */
  readonly busy: number
  /** Work of this process and all that it started, as the scheduler measured it. */
  readonly own: number
  /** Work of all other processes that can be seen from here, as the scheduler measured it. */
  readonly others: number
}

export interface Quiet {
  /** Of the last minute. */
  readonly load: number
  /** Percent of the machine's time that the host took. */
  readonly steal: number
  /** Percent of the machine's time that other programs worked. */
  readonly foreign: number
}

/** More than this disturbs a run; percent. */
const limits = { steal: 2, foreign: 5 }

export const isDisturbed = ({ foreign, steal }: Quiet): boolean => steal > limits.steal || foreign > limits.foreign

/** Fields of /proc/PID/stat behind the name of the program, which may hold blanks. */
const fields = (pid: string): ReadonlyArray<number> => {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8")
    return text
      .slice(text.lastIndexOf(")") + 2)
      .split(" ")
      .map(Number)
  } catch {
    // It ended meanwhile: its time is its parent's now.
    return []
  }
}

/** Where they stand: `man 5 proc` less three. */
const at = { parent: 1, user: 11, childrensSystem: 14 }

/** The work of a process and all below it, dead ones included, and that of the others. */
const shares = (root: number): Pick<Ticks, "own" | "others"> => {
  const all = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => [Number(name), fields(name)] as const)
  const tree = new Set([root])
  // A parent may come behind its child.
  for (let size = 0; size !== tree.size; ) {
    size = tree.size
    for (const [pid, stat] of all) if (tree.has(stat[at.parent] ?? -1)) tree.add(pid)
  }
  const work = (isOwn: boolean) =>
    all
      .filter(([pid]) => tree.has(pid) === isOwn)
      .flatMap(([, stat]) => stat.slice(at.user, at.childrensSystem + 1))
      .reduce((sum, ticks) => sum + ticks, 0)
  return { own: work(true), others: work(false) }
}

/** Nothing where the system has no /proc: then nothing is known of others. */
const ticks = Effect.sync((): Ticks => {
  try {
    const [, ...columns] = (readFileSync("/proc/stat", "utf8").split("\n")[0] ?? "").split(/\s+/)
    const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, softirq = 0, steal = 0] = columns.map(Number)
    const busy = user + nice + system
    return { total: busy + idle + wait + irq + softirq + steal, steal, busy, ...shares(process.pid) }
  } catch {
    return { total: 0, steal: 0, busy: 0, own: 0, others: 0 }
  }
})

/** Begins to watch; the effect that it answers with tells what was seen until then. */
export const watch: Effect.Effect<Effect.Effect<Quiet>> = Effect.map(ticks, (before) =>
  Effect.map(ticks, (after) => {
    const percent = (part: number) => (100 * part) / Math.max(1, after.total - before.total)
    // What cannot be seen from here, as in another container, shows in the second.
    const foreign = Math.max(after.others - before.others, after.busy - before.busy - (after.own - before.own))
    return {
      load: loadavg()[0] ?? 0,
      steal: percent(after.steal - before.steal),
      foreign: percent(Math.max(0, foreign))
    }
  })
)

/** Milliseconds of a look, and how many looks at most a run waits for quiet. */
const lookFor = 500
const looks = 10

/** Waits for a quiet half second, no longer than five. */
export const quiet: Effect.Effect<void> = Effect.flatMap(watch, (seen) => Effect.delay(seen, lookFor)).pipe(
  Effect.repeat({ until: (it) => !isDisturbed(it), times: looks - 1 })
)
