/**
 * Python's `datetime` without a time zone, as huey writes all its times.
 */

import * as DateTime from "effect/DateTime"
import * as Option from "effect/Option"

/** The components of a wall-clock time; `fold` is 1 in the second pass of an hour that comes twice. */
export class NaiveDateTime {
  readonly year: number
  /** From 1. */
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
  readonly second: number
  readonly microsecond: number
  readonly fold: 0 | 1

  constructor(parts: {
    readonly year: number
    readonly month: number
    readonly day: number
    readonly hour: number
    readonly minute: number
    readonly second: number
    readonly microsecond: number
    readonly fold?: 0 | 1
  }) {
    this.year = parts.year
    this.month = parts.month
    this.day = parts.day
    this.hour = parts.hour
    this.minute = parts.minute
    this.second = parts.second
    this.microsecond = parts.microsecond
    this.fold = parts.fold ?? 0
  }
}

/** Bytes of a pickled datetime. */
const packedLength = 10

const daysIn = (year: number, month: number) => new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate()

/** Reads the ten bytes of a pickled datetime; nothing for a time that does not exist. */
export const unpack = (bytes: Uint8Array): NaiveDateTime | undefined => {
  const [high = 0, low = 0, marked = 0, day = 0, hour = 0, minute = 0, second = 0, us2 = 0, us1 = 0, us0 = 0] = bytes
  const year = high * 256 + low
  const month = marked & 0x7f
  const microsecond = (us2 * 256 + us1) * 256 + us0
  const exists =
    bytes.length === packedLength &&
    year >= 1 &&
    year <= 9999 &&
    month >= 1 &&
    month <= 12 &&
    day >= 1 &&
    day <= daysIn(year, month) &&
    hour < 24 &&
    minute < 60 &&
    second < 60 &&
    microsecond < 1_000_000
  if (!exists) return undefined
  return new NaiveDateTime({ year, month, day, hour, minute, second, microsecond, fold: marked > 0x7f ? 1 : 0 })
}

/** The ten bytes that Python's `datetime` is made from. */
export const pack = (time: NaiveDateTime): Uint8Array =>
  Uint8Array.of(
    time.year >> 8,
    time.year & 0xff,
    time.fold === 1 ? time.month | 0x80 : time.month,
    time.day,
    time.hour,
    time.minute,
    time.second,
    time.microsecond >> 16,
    (time.microsecond >> 8) & 0xff,
    time.microsecond & 0xff
  )

/** By which clock a time was read: UTC, or the one on the wall in a zone. */
export type Zone = "UTC" | DateTime.TimeZone.Named

/**
 * Milliseconds since the epoch, rounded down. Of an hour that comes twice it is the first pass, and an hour that is left
 * out is reckoned as if it were not: so does Python's `mktime` in a process that has been running.
 */
export const toEpoch = (time: NaiveDateTime, zone: Zone): number => {
  const { year, month, day, hour, minute, second, microsecond } = time
  // The year is set apart: Date takes 0 to 99 for 1900 to 1999.
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  const epoch = date.setUTCHours(hour, minute, second, Math.floor(microsecond / 1000))
  if (zone === "UTC") return epoch
  return DateTime.toEpochMillis(
    DateTime.unsafeMakeZoned(epoch, { timeZone: zone, adjustForTimeZone: true, disambiguation: "compatible" })
  )
}

/** The time at so many milliseconds since the epoch, rounded down; nothing outside the years 1 to 9999. */
export const fromEpoch = (epoch: number, zone: Zone): NaiveDateTime | undefined => {
  const utc = DateTime.make(Math.floor(epoch))
  if (Option.isNone(utc)) return undefined
  const { year, month, day, hours, minutes, seconds, millis } = DateTime.toParts(
    zone === "UTC" ? utc.value : DateTime.setZone(utc.value, zone)
  )
  if (!(year >= 1 && year <= 9999)) return undefined
  return new NaiveDateTime({
    year,
    month,
    day,
    hour: hours,
    minute: minutes,
    second: seconds,
    microsecond: millis * 1000
  })
}
