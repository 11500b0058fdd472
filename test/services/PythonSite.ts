/**
 * A Python site beside ours: what its server enqueues, and its worker.
 */
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import * as Command from "./Command.ts"

/** What it is made of. */
export const script = fileURLToPath(new URL("../fixtures/python/huey_site.py", import.meta.url))

/** Its server and its worker have this zone, which shifts the scores of huey's schedule; give ours the same. */
export const zone = "Europe/Berlin"

const start = (...args: ReadonlyArray<string | number>) =>
  Command.start("python3", [script, ...args.map(String)], { cwd: "/", env: { TZ: zone } })

const output = ({ code, stderr, stdout }: Command.Ended) =>
  code === 0 ? Effect.succeed(stdout) : Effect.dieMessage(`python3 failed: ${stderr}`)

/** Enqueues mails for the mail server at a port, on the list and into the schedule; answers when all are on the queue. */
export const produce = (redisPort: number, smtpPort: number, listed: number, scheduled: number) =>
  Effect.scoped(
    Effect.flatMap(start("produce", redisPort, smtpPort, listed, scheduled), ({ ended }) => Effect.flatten(ended))
  ).pipe(Effect.flatMap(output))

/** A worker that ends when there is nothing left; answers, once asked, with the subjects of the mails it took, in order. */
export const work = Effect.fnUntraced(function* (redisPort: number) {
  const { ended } = yield* start("work", redisPort)
  return Effect.flatten(ended).pipe(
    Effect.flatMap(output),
    Effect.map((text) => text.split("\n").filter((line) => line !== ""))
  )
})

/** The subjects of so many mails. */
export const subjects = (count: number): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, index) => `mail ${index}`)
