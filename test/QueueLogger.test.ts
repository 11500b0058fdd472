import { spawnSync } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "@effect/vitest"
import type * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Equal from "effect/Equal"
import * as FiberRef from "effect/FiberRef"
import * as HashSet from "effect/HashSet"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import * as esbuild from "esbuild"
import * as QueueLogger from "../src/QueueLogger.ts"

let dir = ""
let path = ""
beforeEach(() => {
  dir = mkdtempSync(join(realpathSync(tmpdir()), "queue-logger-"))
  path = join(dir, "a.log")
})
afterEach(() => rmSync(dir, { recursive: true }))

const toFile = (level: LogLevel.LogLevel) =>
  QueueLogger.layer({ target: "File", path, explicit: true, level, pid: 4711 })

/** Lines without the parts that differ from run to run: the time zone and the fiber. */
const lines = () =>
  readFileSync(path, "utf8")
    .split("\n")
    .map((line) => line.replace(/^\[\d{4}-\d\d-\d\d \d\d:\d\d:(\d\d,\d{3})\]\[4711\]\[\d+\]/, "[$1]"))

const everyLevel = Effect.all([
  Effect.logTrace("trace"),
  Effect.logDebug("debug"),
  Effect.logInfo("info"),
  Effect.logWarning("warning"),
  Effect.logError("error"),
  Effect.logFatal("fatal")
])

describe("layer", () => {
  it.effect("writes one line for each record, by the Clock", () =>
    Effect.gen(function* () {
      yield* TestClock.adjust("1234 millis")
      yield* Effect.gen(function* () {
        yield* Effect.logInfo("taken").pipe(Effect.annotateLogs({ service: "worker", jobId: "j 1" }))
        yield* TestClock.adjust("1 second")
        yield* Effect.logError("failed\nbadly", new Error("refused"))
      }).pipe(Effect.provide(toFile(LogLevel.Info)))
      expect(lines()).toEqual([
        '[01,234][INFO][worker:0] taken jobId="j 1"',
        "[02,234][ERROR][edumfa-queue:0] failed\\nbadly Error: refused",
        ""
      ])
    })
  )

  it.effect.each<[LogLevel.LogLevel, string]>([
    [LogLevel.All, "trace debug info warning error fatal"],
    [LogLevel.Debug, "debug info warning error fatal"],
    [LogLevel.Info, "info warning error fatal"],
    [LogLevel.Warning, "warning error fatal"],
    [LogLevel.Fatal, "fatal"],
    [LogLevel.None, ""]
  ])("writes from its level upwards", ([level, expected]) =>
    Effect.gen(function* () {
      yield* Effect.provide(everyLevel, toFile(level))
      expect(
        lines()
          .map((line) => line.split(" ")[1] ?? "")
          .join(" ")
          .trim()
      ).toBe(expected)
    })
  )

  it.effect("shows stacks at level Debug only", () =>
    Effect.gen(function* () {
      const failing = Effect.logError("failed", new TypeError("no")).pipe(
        Effect.zipRight(Effect.die(new TypeError("no"))),
        Effect.catchAllCause((cause) => Effect.logError("died", cause))
      )
      const died = () => lines().filter((line) => line.includes("died"))
      yield* Effect.provide(failing, toFile(LogLevel.Info))
      expect(died()).toEqual(['[00,000][ERROR][edumfa-queue:0] died cause="TypeError: no"'])
      yield* Effect.provide(failing, toFile(LogLevel.Debug))
      expect(died()).toHaveLength(2)
      expect(died()[1]).toContain('died cause="TypeError: no" stack="TypeError: no\\n    at ')
    })
  )

  // `it.effect` has no default logger to begin with.
  it.live("stands in for the default logger, and for the pretty one that a runtime put in its place", () =>
    Effect.gen(function* () {
      const pretty = Logger.replace(Logger.defaultLogger, Logger.prettyLoggerDefault)
      const ours = toFile(LogLevel.Info)
      const loggers = FiberRef.get(FiberRef.currentLoggers)
      const before = yield* loggers
      expect(HashSet.has(before, Logger.defaultLogger)).toBe(true)
      const within = yield* Effect.provide(loggers, ours)
      expect(HashSet.has(within, Logger.defaultLogger)).toBe(false)
      expect(HashSet.size(within)).toBe(HashSet.size(before))
      expect(Equal.equals(yield* loggers, before)).toBe(true)
      const inPretty = yield* loggers.pipe(Effect.provide(ours), Effect.provide(pretty))
      expect(HashSet.has(inPretty, Logger.prettyLoggerDefault)).toBe(false)
      expect(HashSet.size(inPretty)).toBe(HashSet.size(before))
      expect(Equal.equals(yield* loggers, before)).toBe(true)
      expect(yield* FiberRef.get(FiberRef.currentMinimumLogLevel)).toBe(LogLevel.Info)
    })
  )

  it.effect("fails when a file that was asked for cannot be opened", () =>
    Effect.gen(function* () {
      const options = { target: "File", explicit: true, level: LogLevel.Info, pid: 4711 } as const
      const error = yield* Effect.flip(Layer.build(QueueLogger.layer({ ...options, path: join(dir, "none", "a.log") })))
      expect(error.reason).toBe("MissingDirectory")
      expect(error.message).toBe(
        `cannot log to ${dir}/none/a.log: there is no directory ${dir}/none; create it, or name another file with -l`
      )
      expect(readdirSync(dir)).toEqual([])
    }).pipe(Effect.scoped)
  )
})

describe("target", () => {
  it.each<[string | undefined, QueueLogger.Target, string?]>([
    [undefined, { target: "File", path: "edumfa-queue.log", explicit: false }],
    [undefined, { target: "File", path: "privacyidea-queue.log", explicit: false }, "privacyidea-queue.log"],
    ["edumfa-queue.log", { target: "File", path: "edumfa-queue.log", explicit: true }],
    ["/var/log/q.log", { target: "File", path: "/var/log/q.log", explicit: true }],
    ["-", { target: "Stream", stream: "stdout" }],
    ["/dev/stdout", { target: "Stream", stream: "stdout" }],
    ["/dev/stderr", { target: "Stream", stream: "stderr" }]
  ])("of %s", (logfile, expected, standard) => {
    expect(QueueLogger.target(Option.fromNullable(logfile), standard)).toEqual(expected)
  })
})

describe("config", () => {
  const load = <A>(config: Config.Config<A>, values: Record<string, string>) =>
    Effect.runSync(
      Effect.either(Effect.withConfigProvider(config, ConfigProvider.fromMap(new Map(Object.entries(values)))))
    )
  const level = (text: string) => Either.map(load(QueueLogger.config, { EDUMFA_LOGLEVEL: text }), ({ label }) => label)

  it.each([
    ["0", "ALL"],
    ["-1", "ALL"],
    ["10", "DEBUG"],
    ["15", "INFO"],
    ["20", "INFO"],
    ["30", "WARN"],
    ["40", "ERROR"],
    ["50", "FATAL"],
    ["60", "OFF"],
    ["DEBUG", "DEBUG"],
    ["INFO", "INFO"],
    ["info", "INFO"],
    ["WARN", "WARN"],
    ["WARNING", "WARN"],
    ["ERROR", "ERROR"],
    ["CRITICAL", "FATAL"],
    ["FATAL", "FATAL"],
    ["NOTSET", "ALL"],
    ["logging.DEBUG", "DEBUG"],
    [" logging.ERROR ", "ERROR"]
  ])("reads the level %s", (text, label) => {
    expect(level(text)).toEqual(Either.right(label))
  })

  it.each(["LOUD", "", "logging.", "logging.20", "2.5", "constructor"])("refuses the level %j", (text) => {
    expect(Either.mapLeft(level(text), String)).toEqual(
      Either.left(
        '(Invalid data at EDUMFA_LOGLEVEL: "Expected a level of Python\'s logging, as DEBUG, INFO, WARNING, ERROR, CRITICAL or a number")'
      )
    )
  })

  it("has defaults", () => {
    expect(load(QueueLogger.config, {})).toEqual(Either.right(LogLevel.Info))
    expect(load(QueueLogger.pythonConfig, {})).toEqual(Either.right(Option.none()))
    expect(load(QueueLogger.pythonConfig, { EDUMFA_LOGCONFIG: "/srv/logging.cfg" })).toEqual(
      Either.right(Option.some("/srv/logging.cfg"))
    )
  })
})

describe("the streams of a real process", () => {
  /** Runs a program of one log line with the options of a log, in `dir`. */
  const run = (options: string) => {
    const { outputFiles } = esbuild.buildSync({
      stdin: {
        contents: `
          import * as Effect from "effect/Effect"
          import * as LogLevel from "effect/LogLevel"
          import * as Option from "effect/Option"
          import * as QueueLogger from "./src/QueueLogger.ts"
          const layer = QueueLogger.layer({ ${options}, level: LogLevel.Info, pid: 4711 })
          await Effect.runPromise(Effect.provide(Effect.logInfo("one"), layer))`,
        resolveDir: join(import.meta.dirname, "..")
      },
      bundle: true,
      format: "esm",
      platform: "node",
      write: false
    })
    const result = spawnSync(process.execPath, ["--input-type=module"], { cwd: dir, input: outputFiles[0]?.text ?? "" })
    const strip = (bytes: Uint8Array) => new TextDecoder().decode(bytes).replace(/\[[^\]]*\]\[4711\]\[\d+\]/g, "")
    return { status: result.status, stdout: strip(result.stdout), stderr: strip(result.stderr) }
  }

  it("take the log where they are asked for", () => {
    expect(run("...QueueLogger.target(Option.some('-'))")).toEqual({
      status: 0,
      stdout: "[INFO][edumfa-queue:0] one\n",
      stderr: ""
    })
    expect(run("...QueueLogger.target(Option.some('/dev/stderr'))")).toEqual({
      status: 0,
      stdout: "",
      stderr: "[INFO][edumfa-queue:0] one\n"
    })
  })

  it("take the log, with a warning, where the default file cannot be opened", () => {
    expect(run("...QueueLogger.target(Option.none())")).toEqual({ status: 0, stdout: "", stderr: "" })
    expect(readFileSync(join(dir, "edumfa-queue.log"), "utf8")).toMatch(/\[INFO\]\[edumfa-queue:0\] one\n$/)
    rmSync(join(dir, "edumfa-queue.log"))
    symlinkSync(join(dir, "elsewhere"), join(dir, "edumfa-queue.log"))
    expect(run("...QueueLogger.target(Option.none())")).toEqual({
      status: 0,
      stdout: "",
      stderr: `[WARNING][edumfa-queue:0] cannot log to ${dir}/edumfa-queue.log: it is a symbolic link; name the file it points to, or write -l - to log to stdout; logging to stderr\n[INFO][edumfa-queue:0] one\n`
    })
  })
})
