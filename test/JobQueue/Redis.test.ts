import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Huey from "../../src/Huey.ts"
import * as Job from "../../src/Job.ts"
import * as RedisQueue from "../../src/JobQueue/Redis.ts"
import { JobQueue } from "../../src/JobQueue.ts"
import * as Redis from "../../src/Redis.ts"
import * as ScriptedServer from "../Redis/ScriptedServer.ts"

const job = Job.make({
  name: "test.echo",
  params: ["text"],
  args: Schema.Struct({ text: Schema.String }),
  run: () => Effect.void
})

const queue = (port: number) =>
  RedisQueue.layer({ queueName: "huey", codec: Huey.make() }).pipe(
    Layer.provide(Redis.layer({ host: "127.0.0.1", port, db: 0 }))
  )

describe("JobQueue.Redis", () => {
  for (const reply of ["+OK\r\n", "$-1\r\n", ":0\r\n", "*-1\r\n", "$1\r\n1\r\n"]) {
    it.scopedLive(`takes ${JSON.stringify(reply)} for no sign that a job is enqueued, and uses another link`, () =>
      Effect.gen(function* () {
        const { port } = yield* ScriptedServer.make((request, link) =>
          ScriptedServer.polite(link === 1 ? reply : ":1\r\n")(request)
        )
        yield* Effect.gen(function* () {
          const { enqueue } = yield* JobQueue
          expect(yield* Effect.flip(enqueue(job, { text: "a" }))).toMatchObject({
            reason: "Unavailable",
            detail: "Redis answers LPUSH with something else than the length of the list"
          })
          expect(yield* enqueue(job, { text: "b" })).toMatch(/^[0-9a-f-]{36}$/)
        }).pipe(Effect.provide(queue(port)))
      })
    )
  }
})
