/**
 * Asks the mail servers that waiting mails name, and one that an operator names.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { Product } from "../../EdumfaConfig/keys.ts"
import { Probe, type Verified } from "../../Mailer/Probe.ts"
import { key } from "../../Mailer/ServerOptions.ts"
import type { MailerError } from "../../Mailer.ts"
import { maskMailbox } from "../../QueueLogger/redact.ts"
import type { SmtpServer } from "../../SmtpServer.ts"
import type { Definition } from "./waiting.ts"

/** A site has a handful; a job may name any. */
const maxServers = 20

/** Asked at the same time. */
const concurrency = 4

/** Whoever waits for this once need not wait for it with other credentials. */
const unanswered: ReadonlySet<MailerError["reason"]> = new Set(["Connect", "Timeout"])

/** How a mail server answered. */
export interface Answer {
  readonly server: string
  readonly tls: "TLS" | "STARTTLS" | "none"
  /** The user name, masked; absent: no login. */
  readonly login?: string
  readonly mails: number
  readonly state: "works" | "fails" | "not asked"
  readonly detail: string
}

export interface Asked {
  readonly answers: ReadonlyArray<Answer>
  readonly problems: ReadonlyArray<string>
  readonly notes: ReadonlyArray<string>
}

/** By the port where TLS begins at once, RFC 8314 7.3. */
const implicitPort = 465

const named = (host: string, port: number): SmtpServer => ({
  identifier: "",
  host,
  port,
  tls: port === implicitPort ? "Implicit" : "Opportunistic",
  timeout: 10_000,
  enqueueJob: true
})

const tlsOf = ({ tls }: SmtpServer): Answer["tls"] =>
  tls === "Implicit" ? "TLS" : tls === "StartTls" ? "STARTTLS" : "none"

/** What to do where the error does not say so itself. */
const remedy = (error: MailerError, server: SmtpServer, product: Product): string => {
  if (/EDUMFA_|PI_|of this SMTP server|; mend /.test(error.detail)) return ""
  switch (error.reason) {
    case "BreakerOpen":
      return `; to ask it all the same, add --smtp ${key(server)}`
    case "Authentication":
    case "Password":
      return `; set user name and password of this SMTP server in ${product}`
    default:
      return `; set host, port and TLS of this SMTP server in ${product}, if they are wrong`
  }
}

const answerOf = (
  product: Product,
  { mails, server }: Definition,
  result: Either.Either<Verified, MailerError>
): Answer => {
  const head = {
    server: key(server),
    ...(server.username === undefined ? {} : { login: maskMailbox(server.username) }),
    mails
  }
  if (Either.isRight(result)) {
    const { loggedIn, secure } = result.right
    const login = loggedIn ? "the login works" : server.username === undefined ? "no login is set" : "no login"
    const tls = tlsOf(server) === "none" && secure ? "STARTTLS" : tlsOf(server)
    return { ...head, tls, state: "works", detail: `${secure ? "encrypted" : "not encrypted"}, ${login}` }
  }
  const { left } = result
  return {
    ...head,
    tls: tlsOf(server),
    state: left.reason === "BreakerOpen" ? "not asked" : "fails",
    detail: `${left.message}${remedy(left, server, product)}`
  }
}

/**
 * Asks each server of `definitions`, and the one at `extra`: with the credentials that waiting mails have for it, or
 * without any. Those at one place are asked one after another, and no more once it has not answered.
 */
export const ask = (
  /** Where the definitions are made. */
  product: Product,
  definitions: ReadonlyArray<Definition>,
  extra: { readonly host: string; readonly port: number } | undefined,
  /** Told which server is being asked, and when it has answered. */
  onAsk: (server: string, isAnswered: boolean) => void
): Effect.Effect<Asked, never, Probe> =>
  Effect.gen(function* () {
    const probe = yield* Probe
    const wanted = extra === undefined ? undefined : key(extra)
    const byPlace = Object.entries(Arr.groupBy(definitions, ({ server }) => key(server)))
    const kept = byPlace.filter(([place], index) => index < maxServers || place === wanted)
    const askOne = (server: SmtpServer, question: Effect.Effect<Verified, MailerError>) =>
      Effect.sync(() => onAsk(key(server), false)).pipe(
        Effect.zipRight(Effect.either(question)),
        Effect.ensuring(Effect.sync(() => onAsk(key(server), true)))
      )
    const groups = kept.map(([place, group]) => {
      const silent = new Map<SmtpServer["tls"], Either.Either<Verified, MailerError>>()
      return Effect.forEach(group, (definition) => {
        const { server } = definition
        const known = silent.get(server.tls)
        const asked =
          known === undefined ? askOne(server, probe.verify(server, place === wanted)) : Effect.succeed(known)
        return Effect.map(asked, (result) => {
          if (Either.isLeft(result) && unanswered.has(result.left.reason)) silent.set(server.tls, result)
          return answerOf(product, definition, result)
        })
      })
    })
    if (extra !== undefined && !kept.some(([place]) => place === wanted)) {
      const server = named(extra.host, extra.port)
      groups.unshift(
        Effect.map(askOne(server, probe.greet(server)), (result) => [answerOf(product, { server, mails: 0 }, result)])
      )
    }
    const answers = (yield* Effect.all(groups, { concurrency })).flat()
    const left = byPlace.length - kept.length
    return {
      answers,
      // Of the same credentials in two definitions the same is said.
      problems: Arr.dedupe(
        answers
          .filter(({ state }) => state !== "works")
          .map(
            ({ detail, login, server }) =>
              `mail server ${server}${login === undefined ? "" : ` as ${login}`}: ${detail}`
          )
      ),
      notes: left > 0 ? [`${left} more mail servers were not asked: jobs name ${byPlace.length}`] : []
    }
  })
