/**
 * The time zone of Python's workers: their times are naive, so that its clock decides what they mean.
 */
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as DateTime from "effect/DateTime"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as NaiveDateTime from "./NaiveDateTime.ts"

/** UTC, or a zone of the tz database as this machine knows it. */
export type TimeZone = NaiveDateTime.Zone

/** Its name in the tz database. */
export const nameOf = (zone: TimeZone): string => (zone === "UTC" ? zone : zone.id)

const key = "EDUMFA_QUEUE_WORKER_TIME_ZONE"

/** A zone by its name; none where there is no such zone. */
const named = (name: string): Option.Option<TimeZone> =>
  name === "UTC" ? Option.some(name) : DateTime.zoneMakeNamed(name)

/** Whether a date says so, as it does of no zone that is unknown: Intl takes a worker 15 ms of its start. */
const isOwnUtc = () => new Date(0).toString().endsWith("(Coordinated Universal Time)")

/** What Intl makes of TZ and of the machine; a name that it does not take is no zone. */
const own = () => named(isOwnUtc() ? "UTC" : `${Intl.DateTimeFormat().resolvedOptions().timeZone}`)

/** This process's own zone; UTC, as for the system, where its TZ is none. */
export const local = (): TimeZone => Option.getOrElse(own(), () => "UTC" as const)

/** Regions and zones begin with a capital in the tz database, and no region but US is all capitals. */
const form = /^(?:[A-Z][^/]*|(?:[A-Z][a-z]+|US)\/[A-Z].*)$/

/**
 * A zone by its name as the tz database writes it: Intl takes any case, and Python, which looks for a file, only that one,
 * and UTC where it finds none.
 */
const exact = (name: string): Either.Either<TimeZone, string> =>
  Option.match(named(name), {
    onNone: () => Either.left("is no time zone; write one of the tz database, as Europe/Berlin or UTC"),
    onSome: (zone) => {
      // Of an old name Intl tells the new one.
      const { timeZone } = new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions()
      if (timeZone !== name && timeZone.toLowerCase() === name.toLowerCase()) {
        return Either.left(`is no time zone for Python, which tells capitals from small letters; write ${timeZone}`)
      }
      return form.test(name)
        ? Either.right(zone)
        : Either.left("is no time zone for Python; write one as the tz database does, with capitals, as Europe/Berlin")
    }
  })

/** EDUMFA_QUEUE_WORKER_TIME_ZONE, a name of the tz database; default: this process's own zone. */
export const config: Config.Config<TimeZone> = Config.string(key).pipe(
  Config.mapOrFail((name) => Either.mapLeft(exact(name), (message) => ConfigError.InvalidData([key], message))),
  Config.option,
  Config.map(Option.getOrElse(local))
)

/** TZ as the C library reads it: a colon in front means nothing. UTC in words and rules that need no zone. */
const isUtc = (tz: string) => /^:?(?:(?:UTC|GMT)(?:[+-]?0)?)?$/.test(tz)

const remedy = `write ${key} = 'Europe/Berlin', with the zone in which Python's workers run`

/**
 * Why the zone of this process may not be that of Python's workers in the same environment, of which `tz` is the variable
 * TZ: a rule of POSIX or a path, which Intl does not take, or a name in the wrong case, which C does not take. None: it is the
 * same.
 */
const doubtOf = (tz: Option.Option<string>): Option.Option<string> => {
  if (Option.exists(tz, isUtc)) return Option.none()
  const isKnown = Option.isSome(own())
  if (Option.isNone(tz)) {
    return isKnown ? Option.none() : Option.some("the time zone of this machine has no name, so it counts as UTC here")
  }
  const name = tz.value.replace(/^:/, "").replace(/^posix\//, "")
  return isKnown && Either.isRight(exact(name))
    ? Option.none()
    : Option.some(`TZ=${tz.value} is no name of the tz database, so it counts as UTC here`)
}

/** What makes the schedule doubtful where nothing names its zone, with the line to write; `tz` is the variable TZ. */
export const doubt = (tz: Option.Option<string>): Config.Config<Option.Option<string>> =>
  Config.option(Config.string(key)).pipe(
    Config.map((given) =>
      Option.isSome(given) ? Option.none() : Option.map(doubtOf(tz), (why) => `${why}; ${remedy}`)
    )
  )

/**
 * How many seconds a job's score in huey's schedule is ahead of its Unix time, at a time in milliseconds.
 *
 * The score is what `mktime` makes of the naive time in the message. That takes it for local time, so that a time in UTC
 * (`utc`, huey's default) is shifted by the zone; near a change of clocks not by the offset that holds then.
 */
export const scoreShift =
  (zone: TimeZone, utc: boolean) =>
  (time: number): number => {
    const naive = NaiveDateTime.fromEpoch(time, utc ? "UTC" : zone)
    return naive === undefined ? 0 : (NaiveDateTime.toEpoch(naive, zone) - Math.floor(time)) / 1_000
  }
