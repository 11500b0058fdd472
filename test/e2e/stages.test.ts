/**
 * SIGTERM to the built command at every stage of an attempt, with no time of grace.
 */
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Command from "../services/Command.ts"
import * as RedisServer from "../services/RedisServer.ts"
import * as Scripted from "../services/ScriptedSmtp.ts"
import { enqueue, mail, queueCfg } from "../services/Site.ts"

/** A worker whose mail has come as far as that. */
const at = Effect.fnUntraced(function* (stage: Scripted.Stage) {
  const redis = yield* RedisServer.make()
  const server = yield* Scripted.make({
    stage,
    fault: "hang",
    recipient: (address) => (address.startsWith("gone") ? "550 5.1.1 no such mailbox" : undefined)
  })
  const cwd = yield* Command.directory({ "edumfa.cfg": queueCfg(redis.port, "EDUMFA_QUEUE_WORKER_GRACE = 0") })
  const worker = yield* Command.command(["--config", "edumfa.cfg", "-w", "1"], { cwd })
  // RSET comes before the mail that follows a refused one.
  if (stage === "RSET") yield* enqueue(redis.port, server, { ...mail, recipient: "gone@example.org" })
  yield* enqueue(redis.port, server, mail)
  yield* server.reached
  yield* worker.kill("SIGTERM")
  const { use } = redis.connection
  const own = (name: string) => `{huey.redis.huey}:q:${name}`
  return {
    server,
    log: join(cwd, "edumfa-queue.log"),
    ended: Effect.flatten(worker.ended),
    meta: use((client) => client.hvals(own("meta"))),
    inHand: use((client) => client.zcard(own("inflight")))
  }
})

/** A body that a server stops reading is more than a message may hold; the mailer's own tests have it. */
const before = Scripted.stages.filter((stage) => !["body", "dot", "QUIT"].includes(stage))

describe.concurrent("SIGTERM", () => {
  it.scopedLive.each(before)("at %s: the mail is not sent, and waits for the next worker at no cost", (stage) =>
    Effect.gen(function* () {
      const { ended, inHand, log, meta, server } = yield* at(stage)
      expect(yield* ended).toMatchObject({ code: 0, signal: null, stderr: "" })
      yield* Command.logged(log, /released, the worker stops/)
      expect(server.mails()).toEqual([])
      expect(yield* inHand).toBe(0)
      expect(yield* meta).toEqual([expect.stringMatching(/^\|0\|0\|\d+$/)])
    })
  )

  it.scopedLive("after the final dot: the reply is waited for, and the job is done", () =>
    Effect.gen(function* () {
      const { ended, log, meta, server } = yield* at("dot")
      yield* Command.logged(log, /stopping, 1 in hand/)
      yield* server.release
      expect(yield* ended).toMatchObject({ code: 0, signal: null, stderr: "" })
      yield* Command.logged(log, /INFO.* done /)
      expect(server.mails()).toHaveLength(1)
      expect(yield* meta).toEqual([])
    })
  )

  it.scopedLive("after the final dot, to a mail server that never answers: the process ends in time all the same", () =>
    Effect.gen(function* () {
      const { ended, inHand, log, server } = yield* at("dot")
      // Docker and supervisor kill after 10 seconds.
      expect(yield* Effect.timeout(ended, "9 seconds")).toMatchObject({ code: 0, signal: null, stderr: "" })
      yield* Command.logged(log, /1 in hand did not end; they come back when their leases end: [0-9a-f-]{36}/)
      expect(server.mails()).toHaveLength(1)
      // It may have been sent: it stays in hand until its lease ends, and is sent again then.
      expect(yield* inHand).toBe(1)
    })
  )
})
