/**
 * Damaged messages: each is read, or refused with a typed error, soon and without a trace in memory. MUTATE_RUNS says how
 * many (`npm run mutate`: a million), MUTATE_SEED repeats a run.
 */
import { setImmediate } from "node:timers/promises"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Redacted from "effect/Redacted"
import * as Compression from "../../src/Huey/Compression.ts"
import * as MimeTree from "../../src/Huey/MimeTree.ts"
import * as Signature from "../../src/Huey/Signature.ts"
import * as Huey from "../../src/Huey.ts"
import * as Job from "../../src/Job.ts"
import * as Mime from "../../src/Mailer/Mime.ts"
import * as SendEmail from "../../src/SendEmail.ts"
import * as HueySamples from "../services/HueySamples.ts"
import * as Mutator from "./mutations/Mutator.ts"

const { MUTATE_RUNS = "50000", MUTATE_SEED } = process.env
const runs = Number(MUTATE_RUNS)
const seed = Number(MUTATE_SEED ?? Math.floor(Math.random() * 2 ** 31))

/** So many in one test, so that a long run shows how far it is. */
const portion = 50_000

const codec = Huey.make()
const signing = Signature.key({ secret: Redacted.make("correct horse") })

/** A frame says how long the rest is: with it nearly every damage is found at once. */
const unframed = (pickle: Buffer) =>
  pickle[2] === 0x95 ? Buffer.concat([pickle.subarray(0, 2), pickle.subarray(11)]) : pickle

/** As they are, and what is inside of those that are packed, signed or in a frame. */
const samples = HueySamples.all.flatMap(({ bytes, file }) => {
  const pickle = file.startsWith("signed") ? Signature.verify(bytes, signing) : Compression.decompress(bytes)
  const inner = unframed(pickle)
  return inner.length === bytes.length ? [bytes] : [bytes, inner]
})

/** What became of a message: the type of its error, and what that says; nothing for one that can be mailed. */
type Outcome = readonly [kind: string, detail?: string]

/** All that a worker does with the bytes of a message before a mail server is involved. */
const read = (bytes: Buffer): Outcome => {
  const decoded = codec.decode(bytes)
  if (Either.isLeft(decoded)) return [`${decoded.left._tag} ${decoded.left.reason}`, decoded.left.detail]
  const message = decoded.right
  const prepared = Effect.runSync(Effect.either(SendEmail.job.prepare(message.call)))
  if (Either.isLeft(prepared)) {
    if (!ParseResult.isParseError(prepared.left)) throw new Error("another error than the schema's")
    return ["ParseError", Job.explain(prepared.left)]
  }
  const { body = message.call.args[3] } = message.call.kwargs
  if (MimeTree.isMimeTree(body)) {
    const mime = MimeTree.toBytes(body)
    if (Either.isLeft(mime)) return [`MimeTreeFault ${mime.left}`]
    const parsed = Mime.parse(mime.right)
    // Whatever became of a tree, a mailer takes its bytes.
    if (Either.isLeft(parsed)) throw new Error(`the bytes of a tree are refused: ${parsed.left}`)
    return ["MIME tree"]
  }
  return ["text"]
}

const time = (act: () => Outcome): readonly [millis: number, outcome: Outcome] => {
  const start = process.hrtime.bigint()
  const outcome = act()
  return [Number(process.hrtime.bigint() - start) / 1e6, outcome]
}

/** Milliseconds that none may take. */
const limit = 50

/**
 * The machine may be busy with something else: what took longer than anything before is measured again, and the shortest
 * time counts.
 */
const measure = (bytes: Buffer, slowest: number): readonly [millis: number, outcome: Outcome] => {
  const [millis, outcome] = time(() => read(bytes))
  if (millis <= slowest) return [millis, outcome]
  return [Math.min(millis, ...[1, 2, 3].map(() => time(() => read(bytes))[0])), outcome]
}

setFlagsFromString("--expose-gc")
const collect: unknown = runInNewContext("gc")

/** Octets in use once all that can be freed is. */
const inUse = (): number => {
  if (typeof collect !== "function") throw new Error("no garbage collector")
  collect()
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

const megabyte = 1024 * 1024

describe(`${runs} damaged messages, seed ${seed}`, () => {
  it("the samples themselves can be mailed", () => {
    const kinds = new Set(samples.map((bytes) => read(bytes)[0]))
    // Signed ones need the secret.
    expect([...kinds].sort()).toEqual(["HueyError Signature", "MIME tree", "text"])
    expect(samples.length).toBeGreaterThan(HueySamples.all.length + 100)
  })

  const outcomes = new Map<string, number>()
  let slowest = 0
  let grown = 0
  // What one run leaves behind is taken from this one on.
  let atFirst: number | undefined

  for (let start = 0; start < runs; start += portion) {
    const end = Math.min(start + portion, runs)
    it(`${start} to ${end}: each ends with a message or a typed error, within ${limit} ms, and leaves nothing behind`, async () => {
      const next = Mutator.make(seed + start, samples)
      atFirst ??= inUse()
      for (let run = start; run < end; run++) {
        // As in a worker, whose loop turns between two messages.
        if (run % 1_000 === 0) await setImmediate()
        const bytes = next()
        try {
          const [millis, [kind, detail]] = measure(bytes, slowest)
          if (millis > limit) throw new Error(`${millis} ms`)
          slowest = Math.max(slowest, millis)
          outcomes.set(kind, (outcomes.get(kind) ?? 0) + 1)
          if (detail !== undefined) {
            if (!/^[\x20-\x7e]{1,200}$/.test(detail)) throw new Error("a detail that is no line of a log")
            // The code and the recipients of the samples.
            if (/492817|301 774|@/.test(detail)) throw new Error("a detail that holds an argument")
          }
        } catch (cause) {
          throw new Error(`number ${run}: ${bytes.toString("base64").slice(0, 20_000)}`, { cause })
        }
      }
      await setImmediate()
      grown = Math.max(grown, (inUse() - atFirst) / megabyte)
      expect(grown).toBeLessThan(64)
    }, 600_000)
  }

  it("of every kind there were some", () => {
    const kinds = [...outcomes].sort(([, a], [, b]) => b - a).map(([kind, count]) => `${kind} ${count}`)
    const figures = `slowest ${slowest.toFixed(1)} ms, ${grown.toFixed(1)} MiB left behind, ${kinds.join(", ")}`
    if (runs > portion) process.stdout.write(`seed ${seed}: ${figures}\n`)
    for (const reason of ["Empty", "Compression", "Signature", "Malformed", "Forbidden", "Limit", "NotMessage"]) {
      expect(outcomes.get(`HueyError ${reason}`), figures).toBeGreaterThan(0)
    }
    for (const kind of ["ParseError", "MIME tree", "text"]) expect(outcomes.get(kind), figures).toBeGreaterThan(0)
  })
})
