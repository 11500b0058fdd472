/**
 * The time zone of Python's workers: their times are naive, so that its clock decides what they mean.
 */
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as DateTime from "effect/DateTime"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as NaiveDateTime from "./NaiveDateTime.ts"

/** A zone of the tz database, as this machine knows it. */
export type TimeZone = DateTime.TimeZone.Named

const key = "EDUMFA_QUEUE_WORKER_TIME_ZONE"

/** This process's own zone; UTC, as for the system, where its TZ is none: Intl then tells a name that it does not take. */
export const local = (): TimeZone =>
  Option.getOrElse(DateTime.zoneMakeNamed(`${Intl.DateTimeFormat().resolvedOptions().timeZone}`), () =>
    DateTime.zoneUnsafeMakeNamed("UTC")
  )

/** EDUMFA_QUEUE_WORKER_TIME_ZONE, a name of the tz database; default: this process's own zone. */
export const config: Config.Config<TimeZone> = Config.string(key).pipe(
  Config.mapOrFail((name) =>
    Either.fromOption(DateTime.zoneMakeNamed(name), () =>
      ConfigError.InvalidData([key], "is no time zone; write one of the tz database, as Europe/Berlin or UTC")
    )
  ),
  Config.option,
  Config.map(Option.getOrElse(local))
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
