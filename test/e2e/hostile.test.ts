/**
 * Hostile messages on the queue of the built command: each ends as a dead letter with a reason, and mails go on.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Command from "../services/Command.ts"
import * as RedisServer from "../services/RedisServer.ts"
import { enqueue, mail, queueCfg } from "../services/Site.ts"
import * as SmtpServer from "../services/SmtpServer.ts"

const directory = new URL("../fixtures/hostile-messages/", import.meta.url)
const manifest = Schema.decodeUnknownSync(
  Schema.parseJson(Schema.Record({ key: Schema.String, value: Schema.String }))
)(readFileSync(new URL("manifest.json", directory), "utf8"))
const Letter = Schema.decodeUnknownSync(
  Schema.parseJson(Schema.Struct({ reason: Schema.String, detail: Schema.String }))
)

/** What the letters of the files say that can be read as messages; the others are undecodable. */
const readable = [
  "Failed: InvalidMail: sender: control character",
  "Failed: InvalidMail: subject: a line break is followed by what looks like a header",
  "Failed: NoRecipient: no recipient",
  "Failed: NoRecipient: no recipient, not an acceptable address: control character",
  "Failed: NoRecipient: no recipient, not an acceptable address: group syntax",
  "Failed: SMTP server: port is not between 1 and 65535",
  "Failed: SMTP server: server is neither smtp:// nor smtps://",
  "Failed: mimetype is neither plain nor html",
  "InvalidArguments: recipient: expected",
  "InvalidArguments: recipient: missing",
  "UnknownJob: no job of this worker has this name"
]

describe("the command", () => {
  it.scopedLive("buries every hostile message with a reason, and mails what is behind them", () =>
    Effect.gen(function* () {
      const files = readdirSync(directory).filter((file) => file.endsWith(".msg"))
      expect(files).toEqual(
        Object.keys(manifest)
          .map((name) => `${name}.msg`)
          .sort()
      )
      const redis = yield* RedisServer.make()
      const { use } = redis.connection
      const mailServer = yield* SmtpServer.make()
      yield* use((client) =>
        client.lpush("huey.redis.huey", ...files.map((file) => readFileSync(new URL(file, directory))))
      )
      const cwd = yield* Command.directory({ "edumfa.cfg": queueCfg(redis.port) })
      const worker = yield* Command.command(["--config", "edumfa.cfg", "-w", "2"], { cwd })
      const log = join(cwd, "edumfa-queue.log")
      yield* Command.logged(log, / dead: /, files.length)
      yield* enqueue(redis.port, mailServer, mail)
      yield* mailServer.take(1)
      yield* worker.kill("SIGTERM")
      expect(yield* Effect.flatten(worker.ended)).toMatchObject({ code: 0, stderr: "" })

      const entries = yield* use((client) => client.xrange("{huey.redis.huey}:q:dead", "-", "+"))
      const letters = entries.map(([, [, letter = ""]]) => Letter(letter))
      expect(letters.length).toBe(files.length)
      const undecodable = letters.filter(({ reason }) => reason === "Undecodable")
      expect(undecodable.length).toBe(files.length - readable.length)
      for (const { detail } of undecodable) {
        expect(detail).toMatch(/^(Empty|TooLarge|Compression|Malformed|Forbidden|Limit|NotMessage): ./)
      }
      const others = letters
        .filter(({ reason }) => reason !== "Undecodable")
        .map(({ detail, reason }) => `${reason}: ${detail}`)
      expect(others.sort()).toEqual(readable.map((start) => expect.stringContaining(start)))
      const left = yield* use((client) => client.keys("*"))
      expect(left.filter((key) => /:(job|delayed|inflight)$|^huey\./.test(key))).toEqual([])
      expect(readFileSync(log, "utf8")).not.toContain("evil@example.org")
    })
  )
})
