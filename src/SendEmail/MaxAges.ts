/**
 * How old mails without an expiry may become, by the mail server that they name.
 */
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"

/** A year: nobody waits for a mail longer. */
const limit = 31_536_000

const key = "EDUMFA_QUEUE_WORKER_MAX_AGES"

/** Whether there is a table, or nothing: Config.hashMap takes anything else for an empty one, so that it would go unseen. */
const isTable = Config.nested(Config.string(""), key).pipe(
  Config.option,
  Config.map(() => true),
  Config.orElse(() => Config.succeed(false))
)

/** EDUMFA_QUEUE_WORKER_MAX_AGES: seconds from 1 to a year, by the identifier of an SMTP server, `{'otp': 300}`. */
export const config: Config.Config<ReadonlyMap<string, Duration.Duration>> = Config.all({
  isTable,
  ages: Config.option(Config.hashMap(Config.number(), key))
}).pipe(
  Config.mapOrFail(({ ages, isTable }) => {
    const table = Option.getOrElse(ages, () => HashMap.empty<string, number>())
    const isAge = (seconds: number) => seconds >= 1 && seconds <= limit
    return !isTable || !HashMap.every(table, isAge)
      ? Either.left(
          ConfigError.InvalidData(
            [key],
            `expected seconds from 1 to ${limit} by the identifier of an SMTP server, as in {'otp': 300}`
          )
        )
      : Either.right(new Map(HashMap.toEntries(HashMap.map(table, (age) => Duration.seconds(age)))))
  })
)
