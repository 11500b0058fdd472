/**
 * What the queue's Redis holds: waiting, in hand, to be tried again, dead.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Keys from "../../src/Redis/keys.ts"
import type { Server } from "../services/RedisServer.ts"
import type { Dead, Left } from "./Ledger.ts"

const Letter = Schema.parseJson(
  Schema.Struct({ jobId: Schema.optional(Schema.String), reason: Schema.String, detail: Schema.String })
)

export const left = ({ connection }: Server, queueName: string): Effect.Effect<Left> => {
  const keys = Keys.make(queueName)
  return connection
    .use(async (client) => {
      const [waiting, arrived, scheduled, inHand, retrying, bodies] = await Promise.all([
        client.llen(keys.queue),
        client.llen(keys.arrived),
        client.zcard(keys.schedule),
        client.zcard(keys.inflight),
        client.zcard(keys.delayed),
        client.hlen(keys.job)
      ])
      return { waiting, arrived, scheduled, inHand, retrying, bodies }
    })
    .pipe(Effect.orDie)
}

export const dead = Effect.fnUntraced(function* (
  { connection }: Server,
  queueName: string,
  jobOf: ReadonlyMap<string, number>
): Effect.fn.Return<ReadonlyArray<Dead>> {
  const entries = yield* Effect.orDie(connection.use((client) => client.xrange(Keys.make(queueName).dead, "-", "+")))
  return yield* Effect.forEach(entries, ([, fields]) =>
    Effect.map(
      Effect.orDie(Schema.decodeUnknown(Letter)(fields[fields.indexOf("letter") + 1])),
      ({ jobId, detail, reason }): Dead => ({ job: jobOf.get(jobId ?? ""), reason, detail })
    )
  )
})
