/**
 * `check`: reads the configuration, looks at the queue, asks the mail servers, and says all that is wrong. It changes and
 * sends nothing.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Console from "effect/Console"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Huey from "../Huey.ts"
import { isAddress } from "../Mailer/ServerOptions.ts"
import * as SmtpServer from "../SmtpServer.ts"
import * as MailServers from "./Check/mailServers.ts"
import * as Report from "./Check/report.ts"
import * as Settings from "./Check/settings.ts"
import * as Waiting from "./Check/waiting.ts"
import * as Configuration from "./configuration.ts"
import { type Given, has, value } from "./Given.ts"
import { config, json, type Option as Row, type Synopsis } from "./Option.ts"
import * as Progress from "./progress.ts"
import { withRemedy } from "./remedy.ts"

/** `host:port`, read as eduMFA's own addresses are; undefined: it is none. */
const placeOf = (text: string): { readonly host: string; readonly port: number } | undefined =>
  isAddress(text) ? Either.getOrElse(SmtpServer.fromRow({ server: text }), () => undefined) : undefined

const smtp = {
  long: "smtp",
  short: undefined,
  kind: "text",
  placeholder: "HOST:PORT",
  default: undefined,
  needs: "a mail server as host:port",
  accepts: (text) => placeOf(text) !== undefined,
  help: "ask this mail server too, also one that the workers have given up for now",
  group: "Options",
  effect: "works",
  source: "ours"
} as const satisfies Row

export const synopsis: Synopsis = {
  name: "check",
  purpose: "Checks configuration, Redis, key file and mail servers, and says all that is wrong; sends nothing",
  options: [smtp, json, config],
  codes: "0 nothing is wrong, 1 something is, also about the configuration, 2 wrong usage"
}

/** Something is wrong; `lines` are not said yet. */
export class Wrong extends Data.TaggedError("Wrong")<{ readonly lines: ReadonlyArray<string> }> {}

/** Taken where the configuration gives none: huey's own. */
const standard = { codec: Huey.make(), firstBacklog: 0 }

const inspect = (given: Given, asking: Set<string>) =>
  Effect.gen(function* () {
    const settings = yield* Settings.read
    const { codec = standard.codec, firstBacklog = standard.firstBacklog, jobs, probe, store } = settings
    const problems = [...settings.problems]
    const notes = [...settings.notes]
    asking.add("Redis")
    const looked =
      store === undefined
        ? undefined
        : yield* Effect.either(Effect.provide(Waiting.look(codec, jobs, firstBacklog), store))
    asking.delete("Redis")
    if (looked !== undefined && Either.isLeft(looked)) problems.push(withRemedy(looked.left, settings.urlKey))
    const waiting = looked === undefined ? undefined : Option.getOrUndefined(Either.getRight(looked))
    // Who reads there learns nothing of it, and a worker would take nothing.
    if (waiting !== undefined && Option.isSome(waiting.unwritable)) {
      problems.push(withRemedy(waiting.unwritable.value, settings.urlKey))
    }
    problems.push(...(waiting?.problems ?? []))
    notes.push(...(waiting?.notes ?? []))
    const place = Option.getOrUndefined(Option.map(value(given, "smtp"), placeOf))
    const asked =
      probe === undefined
        ? undefined
        : yield* Effect.provide(
            MailServers.ask(settings.product, waiting?.definitions ?? [], place, (server, isAnswered) => {
              if (isAnswered) asking.delete(server)
              else asking.add(server)
            }),
            probe
          )
    problems.push(...(asked?.problems ?? []))
    notes.push(...(asked?.notes ?? []))
    return {
      configuration: settings.source,
      isKeyFileUsable: settings.isKeyFileUsable,
      waiting,
      mailServers: asked?.answers ?? [],
      notes,
      problems
    } satisfies Report.Report
  })

/** Says what there is, and fails with what is wrong. */
export const run = (given: Given, name: Configuration.Name): Effect.Effect<void, Wrong, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const asking = new Set<string>()
    const report = yield* Progress.during(inspect(given, asking), () => `waiting for ${[...asking].join(", ")}`).pipe(
      Effect.provide(Configuration.layer(given, name)),
      // Without a file nothing can be looked at.
      Effect.catchTag("EdumfaConfigError", (error) => Effect.succeed(Report.unreadable(error.message)))
    )
    const { problems } = report
    if (has(given, "json")) yield* Console.log(JSON.stringify(Report.object(report)))
    else yield* Effect.forEach(Report.lines(report), (line) => Console.log(line), { discard: true })
    if (problems.length > 0) return yield* new Wrong({ lines: has(given, "json") ? [] : problems })
  })
