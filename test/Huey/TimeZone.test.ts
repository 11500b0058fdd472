import { afterEach, describe, expect, it, vi } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as EdumfaConfig from "../../src/EdumfaConfig.ts"
import * as TimeZone from "../../src/Huey/TimeZone.ts"
import { scores } from "../services/mktime.ts"

const zones = [
  "UTC",
  "Europe/Berlin",
  "Europe/London",
  "America/New_York",
  "America/St_Johns",
  "Asia/Kolkata",
  "Australia/Lord_Howe",
  "Pacific/Auckland",
  "Pacific/Kiritimati",
  "Etc/GMT+12"
]

/** Every half an hour of a year, clocks change in it by as little as that, and each time once in the middle of one. */
const year = Array.from({ length: 366 * 48 }, (_, index) => Date.UTC(2026, 0, 1) / 1_000 + index * 1_800 + (index % 7))

describe("the scores of huey's schedule", () => {
  describe.each(["UTC", "local time"])("of times in %s", (kind) => {
    const utc = kind === "UTC"

    it.each(zones)("are what Python's mktime makes of them in %s, also where clocks change", (name) => {
      const shift = TimeZone.scoreShift(DateTime.zoneUnsafeMakeNamed(name), utc)
      const python = scores(name, year, utc)
      const different = year.flatMap((time, index) => {
        const [ours, theirs] = [time + shift(time * 1_000), python[index]]
        return ours === theirs ? [] : [`${new Date(time * 1_000).toISOString()}: ${ours}, Python ${theirs}`]
      })
      expect(different).toEqual([])
    })
  })

  it("are shifted by the offset of the zone, the other way round", () => {
    const shift = (name: string, time: string) =>
      TimeZone.scoreShift(DateTime.zoneUnsafeMakeNamed(name), true)(Date.parse(time))
    expect(shift("Europe/Berlin", "2027-01-15T08:00:00Z")).toBe(-3_600)
    expect(shift("America/New_York", "2027-01-15T08:00:00Z")).toBe(18_000)
    // The gap and the fold of this zone, by the clock on its wall.
    expect(["01:59", "02:00", "02:59", "03:00"].map((at) => shift("Europe/Berlin", `2026-03-29T${at}:00Z`))).toEqual([
      -3_600, -3_600, -3_600, -7_200
    ])
    expect(["01:59", "02:00", "02:59", "03:00"].map((at) => shift("Europe/Berlin", `2026-10-25T${at}:00Z`))).toEqual([
      -7_200, -7_200, -7_200, -3_600
    ])
  })
})

describe("config", () => {
  const key = "EDUMFA_QUEUE_WORKER_TIME_ZONE"
  const read = (values: Record<string, string>) =>
    Effect.withConfigProvider(TimeZone.config, ConfigProvider.fromMap(new Map(Object.entries(values)))).pipe(
      Effect.map(TimeZone.nameOf),
      Effect.either
    )

  it.effect("names a zone, by default this process's own", () =>
    Effect.gen(function* () {
      expect(yield* read({ [key]: "Europe/Berlin" })).toEqual(Either.right("Europe/Berlin"))
      expect(yield* read({})).toEqual(Either.right(Intl.DateTimeFormat().resolvedOptions().timeZone))
    })
  )

  describe("of a process", () => {
    afterEach(() => {
      vi.unstubAllEnvs()
    })

    it.effect.each([
      { tz: "America/New_York", zone: "America/New_York" },
      { tz: ":Europe/Berlin", zone: "Europe/Berlin" },
      { tz: "", zone: "UTC" },
      { tz: "Mars/Olympus", zone: "UTC" }
    ])("with TZ=$tz is $zone", ({ tz, zone }) =>
      Effect.gen(function* () {
        vi.stubEnv("TZ", tz)
        expect(yield* read({})).toEqual(Either.right(zone))
      })
    )
  })

  it.effect.each(["Europe/Atlantis", "", "CEST-ish", "../etc/passwd"])("refuses %j", (name) =>
    Effect.gen(function* () {
      const { get } = yield* EdumfaConfig.EdumfaConfig
      const error = yield* Effect.flip(get(TimeZone.config))
      expect(error.message).toBe(
        `given values: ${key} is no time zone; write one of the tz database, as Europe/Berlin or UTC`
      )
    }).pipe(Effect.provide(EdumfaConfig.layerValues({ [key]: name })))
  )

  it.effect.each([
    { name: "europe/berlin", why: "tells capitals from small letters; write Europe/Berlin" },
    { name: "EUROPE/BERLIN", why: "tells capitals from small letters; write Europe/Berlin" },
    { name: "europe/kyiv", why: "write one as the tz database does, with capitals, as Europe/Berlin" },
    { name: "est5edt", why: "write one as the tz database does, with capitals, as Europe/Berlin" },
    { name: "CET-1CEST,M3.5.0,M10.5.0/3", why: "write one of the tz database, as Europe/Berlin or UTC" },
    { name: "+03:00", why: "as Europe/Berlin" }
  ])("refuses $name, which is none for Python", ({ name, why }) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.flatMap(EdumfaConfig.EdumfaConfig, ({ get }) => get(TimeZone.config)))
      expect(error.message).toContain(`given values: ${key} is no time zone`)
      expect(error.message).toContain(why)
    }).pipe(Effect.provide(EdumfaConfig.layerValues({ [key]: name })))
  )

  it.effect.each([
    "Europe/Kyiv",
    "Asia/Calcutta",
    "EST5EDT",
    "US/Eastern",
    "Etc/GMT+5",
    "America/Port-au-Prince",
    "GB"
  ])("takes %s, which Intl calls otherwise", (name) =>
    Effect.gen(function* () {
      expect(yield* read({ [key]: name })).toMatchObject({ _tag: "Right" })
    })
  )
})

describe("doubt", () => {
  afterEach(() => {
    vi.unstubAllEnvs()
  })

  const doubt = (tz: string, values: Record<string, string> = {}) =>
    Effect.suspend(() => {
      vi.stubEnv("TZ", tz)
      const provider = ConfigProvider.fromMap(new Map(Object.entries(values)))
      return Effect.withConfigProvider(TimeZone.doubt(Option.some(tz)), provider)
    })

  it.effect.each([
    "Europe/Berlin",
    ":Europe/Berlin",
    "posix/Europe/Berlin",
    "EST5EDT",
    "UTC",
    "UTC0",
    "GMT+0",
    "",
    ":"
  ])("is none with TZ=%s, which is the same for Python", (tz) =>
    Effect.gen(function* () {
      expect(yield* doubt(tz)).toEqual(Option.none())
    })
  )

  it.effect.each([
    "CET-1CEST,M3.5.0,M10.5.0/3",
    "EST5",
    "<+03>-3",
    "europe/berlin",
    "/usr/share/zoneinfo/Europe/Berlin"
  ])("is told with TZ=%s, and none where the zone is named", (tz) =>
    Effect.gen(function* () {
      expect(Option.getOrUndefined(yield* doubt(tz))).toBe(
        `TZ=${tz} is no name of the tz database, so it counts as UTC here; write EDUMFA_QUEUE_WORKER_TIME_ZONE = 'Europe/Berlin', with the zone in which Python's workers run`
      )
      expect(TimeZone.nameOf(TimeZone.local())).toBe("UTC")
      const named = yield* doubt(tz, { EDUMFA_QUEUE_WORKER_TIME_ZONE: "Europe/Berlin" })
      expect(named).toEqual(Option.none())
    })
  )
})
