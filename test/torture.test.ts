/**
 * A small run of `npm run torture`: the same code, the same promises.
 */
import { expect, it } from "@effect/vitest"
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Command from "./services/Command.ts"
import * as Ledger from "./torture/Ledger.ts"
import * as Torture from "./torture/Torture.ts"

it.scopedLive(
  "loses no job while workers are killed and frozen, Redis dies and the mail server fails",
  () =>
    Effect.gen(function* () {
      const seed = yield* Random.nextIntBetween(0, 2 ** 31)
      const jobs = 4_000
      const { ledger, seen } = yield* Torture.run({
        seed,
        jobs,
        workers: 2,
        slots: 16,
        killsEvery: Duration.seconds(1),
        kills: Number.POSITIVE_INFINITY,
        redisKills: 2,
        lease: Duration.seconds(2),
        limits: { seconds: undefined },
        directory: yield* Command.directory(),
        progress: () => Effect.void
      })
      yield* Console.log(`seed ${seed}, ${seen.seconds.toFixed(1)} s\n${Ledger.show(ledger)}`)
      expect(ledger.broken).toEqual([])
      expect(seen.accepted.size).toBe(jobs)
      // Otherwise nothing was proved.
      expect(seen.kills).toBeGreaterThan(0)
      expect(seen.freezes).toBeGreaterThan(0)
      expect(seen.redisKills).toBe(2)
      expect(seen.dead.length).toBeGreaterThan(0)
      expect(seen.unknown).toBeGreaterThan(0)
    }),
  120_000
)
