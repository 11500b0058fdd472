import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import { canonical } from "../../src/Cli/argv.ts"
import { config, type Synopsis } from "../../src/Cli/Option.ts"
import { conflicts, options } from "../../src/Cli/options.ts"

const line = (argv: ReadonlyArray<string>, commands?: ReadonlyArray<Synopsis>) =>
  Either.getOrElse(canonical(argv, commands), (error) => `${error.reason}: ${error.message}`)

describe("spellings that optparse takes", () => {
  it.each<[ReadonlyArray<string>, ReadonlyArray<string>]>([
    [[], []],
    [["-w4"], ["--workers=4"]],
    [["-w", "4"], ["--workers=4"]],
    [["--workers=4"], ["--workers=4"]],
    [["--workers", "4"], ["--workers=4"]],
    [["-lFILE"], ["--logfile=FILE"]],
    [["-l", "FILE"], ["--logfile=FILE"]],
    [["-l=FILE"], ["--logfile==FILE"]],
    [["--logfile=FILE"], ["--logfile=FILE"]],
    [["--logfile", "FILE"], ["--logfile=FILE"]],
    [["--logfile=a=b"], ["--logfile=a=b"]],
    [["-l", "-"], ["--logfile=-"]],
    [["-l-"], ["--logfile=-"]],
    [["-l-x"], ["--logfile=-x"]],
    [["-l", "a b"], ["--logfile=a b"]],
    [["-l", "status"], ["--logfile=status"]],
    [["--logfile=--version"], ["--logfile=--version"]],
    [["-k", "greenlet"], ["--worker-type=greenlet"]],
    [["-kprocess"], ["--worker-type=process"]],
    [["-d0.5"], ["--delay=0.5"]],
    [["-d", ".5"], ["--delay=.5"]],
    [["-m", "1e1"], ["--max-delay=1e1"]],
    [["-b", "1"], ["--backoff=1"]],
    [["-b1.15"], ["--backoff=1.15"]],
    [["-c", "2.5"], ["--health-check-interval=2.5"]],
    [["-C"], ["--disable-health-check"]],
    [["-f"], ["--flush-locks"]],
    [["-L", "a,b"], ["--extra-locks=a,b"]],
    [["-M", "100"], ["--max-tasks=100"]],
    [["-s", "15"], ["--scheduler-interval=15"]],
    [["-n"], ["--no-periodic"]],
    [["-Cfn"], ["--disable-health-check", "--flush-locks", "--no-periodic"]],
    [["-Cw4"], ["--disable-health-check", "--workers=4"]],
    [
      ["-Cw", "4", "-n"],
      ["--disable-health-check", "--workers=4", "--no-periodic"]
    ],
    [["--config", "/etc/x.cfg"], ["--config=/etc/x.cfg"]],
    [["--config=/etc/x.cfg"], ["--config=/etc/x.cfg"]],
    [["--redis-wait", "0"], ["--redis-wait=0"]],
    [["--backlog", "bury"], ["--backlog=bury"]],
    [["-C", "-C"], ["--disable-health-check"]],
    [
      ["-l", "x", "-w", "2", "--logfile=y"],
      ["--workers=2", "--logfile=y"]
    ]
  ])("%j", (argv, expected) => {
    expect(line(argv)).toEqual(expected)
  })
})

describe("long names cut short", () => {
  it.each<[ReadonlyArray<string>, ReadonlyArray<string> | string]>([
    [["--log", "F"], ["--logfile=F"]],
    [["--l=F"], ["--logfile=F"]],
    [["--workers", "4"], ["--workers=4"]],
    [["--worker-", "thread"], ["--worker-type=thread"]],
    [["--back", "2"], ["--backoff=2"]],
    [["--con", "x"], ["--config=x"]],
    [["--r", "1"], ["--redis-wait=1"]],
    [["--n"], ["--no-periodic"]],
    [["--hel"], ["--help"]],
    [["--v"], ["--version"]],
    [["--work", "4"], "AmbiguousOption: ambiguous option --work (--workers, --worker-type), see --help"],
    [["--worker=4"], "AmbiguousOption: ambiguous option --worker (--workers, --worker-type), see --help"],
    [["--he"], "AmbiguousOption: ambiguous option --he (--health-check-interval, --help), see --help"],
    [["--m", "1"], "AmbiguousOption: ambiguous option --m (--max-delay, --max-tasks), see --help"]
  ])("%j", (argv, expected) => {
    expect(line(argv)).toEqual(expected)
  })
})

describe("what is wrong is said in one line", () => {
  it.each<[ReadonlyArray<string>, string]>([
    [["--bogus"], "UnknownOption: unknown option --bogus, see --help"],
    [["--bogus=secret"], "UnknownOption: unknown option --bogus, see --help"],
    [["-v"], "UnknownOption: unknown option -v, see --help"],
    [["-r", "5"], "UnknownOption: unknown option -r, see --help"],
    [["-W", "4"], "UnknownOption: unknown option -W, see --help"],
    [["--WORKERS=4"], "UnknownOption: unknown option --WORKERS, see --help"],
    [["-Cx"], "UnknownOption: unknown option -x, see --help"],
    [["-C4"], "UnknownOption: unknown option -4, see --help"],
    [["--log-level", "debug"], "UnknownOption: unknown option --log-level, see --help"],
    [["--log-", "info"], "UnknownOption: unknown option --log-, see --help"],
    [["--wizard"], "UnknownOption: unknown option --wizard, see --help"],
    [["--__proto__"], "UnknownOption: unknown option --__proto__, see --help"],
    [["--a\nb"], "UnknownOption: unknown option --a\\nb, see --help"],
    [["-l"], "MissingValue: option -l needs a file name"],
    [["-Cl"], "MissingValue: option -l needs a file name"],
    [["--workers"], "MissingValue: option --workers needs an integer from 1 to 1000"],
    [
      ["-l", "--version"],
      "MissingValue: option -l needs a file name, got --version; write --logfile=--version to mean it"
    ],
    [["-l", "--", "x"], "MissingValue: option -l needs a file name, got --; write --logfile=-- to mean it"],
    [["-w", "-C"], "InvalidValue: option -w needs an integer from 1 to 1000, got -C"],
    [["-n=1"], "UnknownOption: unknown option -=, see --help"],
    [["--no-periodic=1"], "UnexpectedValue: option --no-periodic takes no value"],
    [["--no-p="], "UnexpectedValue: option --no-p takes no value"],
    [["--logfile="], "InvalidValue: option --logfile needs a file name, got an empty value"],
    [["-l", "a\nb"], "InvalidValue: option -l needs a file name, got a\\nb"],
    [["-w=4"], "InvalidValue: option -w needs an integer from 1 to 1000, got =4"],
    [["-w0"], "InvalidValue: option -w needs an integer from 1 to 1000, got 0"],
    [["-w", "1001"], "InvalidValue: option -w needs an integer from 1 to 1000, got 1001"],
    [["-w4x"], "InvalidValue: option -w needs an integer from 1 to 1000, got 4x"],
    [["-w", "010"], "InvalidValue: option -w needs an integer from 1 to 1000, got 010"],
    [["-w", "2.0"], "InvalidValue: option -w needs an integer from 1 to 1000, got 2.0"],
    [["-w", "x", "-w", "4"], "InvalidValue: option -w needs an integer from 1 to 1000, got x"],
    [["-k", "fiber"], "InvalidValue: option -k needs one of thread, greenlet, process, got fiber"],
    [["-d", "0"], "InvalidValue: option -d needs a number above 0, got 0"],
    [["-d", "-1"], "InvalidValue: option -d needs a number above 0, got -1"],
    [["-m", "nan"], "InvalidValue: option -m needs a number above 0, got nan"],
    [["-m", "1e999"], "InvalidValue: option -m needs a number above 0, got 1e999"],
    [["-b", "0.99"], "InvalidValue: option -b needs a number of at least 1, got 0.99"],
    [["-c0"], "InvalidValue: option -c needs a number above 0, got 0"],
    [["-M", "0"], "InvalidValue: option -M needs an integer of at least 1, got 0"],
    [["-s", "7"], "InvalidValue: option -s needs an integer from 1 to 60 that divides 60, got 7"],
    [["-s", "61"], "InvalidValue: option -s needs an integer from 1 to 60 that divides 60, got 61"],
    [["-L", ""], "InvalidValue: option -L needs names separated by commas, got an empty value"],
    [["--backlog", "keep"], "InvalidValue: option --backlog needs one of send, bury, got keep"],
    [["--redis-wait", "soon"], "InvalidValue: option --redis-wait needs a number of at least 0, got soon"],
    [["-CM5"], "Conflict: options --disable-health-check and --max-tasks cannot be used together"]
  ])("%j", (argv, expected) => {
    expect(line(argv)).toBe(expected)
  })
})

describe("commands, and what @effect/cli adds", () => {
  const json = {
    long: "json",
    short: undefined,
    kind: "flag",
    help: "",
    group: "Options",
    effect: "works",
    source: "ours"
  } as const
  const limit = {
    long: "limit",
    short: "l",
    kind: "integer",
    placeholder: "N",
    default: 10,
    needs: "an integer",
    accepts: (value: string) => /^\d+$/.test(value),
    help: "",
    group: "Options",
    effect: "works",
    source: "ours"
  } as const
  const commands: ReadonlyArray<Synopsis> = [
    { name: "status", purpose: "", options: [json, config] },
    { name: "dead", purpose: "", options: [limit, json, config] }
  ]

  it.each<[ReadonlyArray<string>, ReadonlyArray<string>]>([
    [["status"], ["status"]],
    [
      ["dead", "--limit", "5", "--config", "x", "--json", "--limit=6"],
      ["dead", "--config=x", "--json", "--limit=6"]
    ],
    [
      ["--json", "status"],
      ["status", "--json"]
    ],
    [
      ["--config", "x", "status"],
      ["status", "--config=x"]
    ],
    [
      ["--conf=status", "dead", "-l7"],
      ["dead", "--config=status", "--limit=7"]
    ],
    [
      ["--config", "status", "status"],
      ["status", "--config=status"]
    ],
    [["-l", "status"], ["--logfile=status"]],
    [["-ldead"], ["--logfile=dead"]],
    [["--config", "dead"], ["--config=dead"]],
    [["--log", "dead"], ["--logfile=dead"]],
    [
      ["-l", "dead", "-w4"],
      ["--logfile=dead", "--workers=4"]
    ],
    [["-n", "--"], ["--no-periodic"]],
    [["--help"], ["--help"]],
    [["-h"], ["--help"]],
    [["-n", "--help"], ["--help"]],
    [["-l", "status", "-h"], ["--help"]],
    [["-Ch"], ["--help"]],
    [["-CM5", "--help"], ["--help"]],
    [["--help", "--bogus"], ["--help"]],
    [
      ["status", "--json", "--help"],
      ["status", "--help"]
    ],
    [
      ["--help", "dead"],
      ["dead", "--help"]
    ],
    [["stray", "--help"], ["--help"]],
    [["-w4", "--version"], ["--version"]],
    [["status", "--version"], ["--version"]],
    [["-w4", "--completions", "bash"], ["--completions=bash"]]
  ])("%j", (argv, expected) => {
    expect(line(argv, commands)).toEqual(expected)
  })

  const others = "the worker runs without one, others are status, dead"
  it.each<[ReadonlyArray<string>, string]>([
    [["stray"], `UnknownCommand: unknown command stray; ${others}`],
    [["Status"], `UnknownCommand: unknown command Status; ${others}`],
    [["stat"], `UnknownCommand: unknown command stat; ${others}`],
    [["-"], `UnknownCommand: unknown command -; ${others}`],
    [[""], `UnknownCommand: unknown command an empty value; ${others}`],
    [["a\nb"], `UnknownCommand: unknown command a\\nb; ${others}`],
    [["-n", "stray", "--", "-x"], `UnknownCommand: unknown command stray; ${others}`],
    [["-n", "--", "-x"], `UnknownCommand: unknown command -x; ${others}`],
    [["status", "dead"], "UnknownCommand: status takes options only, got dead, see status --help"],
    [["status", "--", "-x"], "UnknownCommand: status takes options only, got -x, see status --help"],
    [["status", "-w4"], "UnknownOption: unknown option -w, see status --help"],
    [["-w", "4", "status"], "UnknownOption: unknown option -w, see status --help"],
    [["status", "--limit=5"], "UnknownOption: unknown option --limit, see status --help"],
    [["--json"], "UnknownOption: unknown option --json, see --help"],
    [["dead", "-l", "x"], "InvalidValue: option -l needs an integer, got x"],
    [["dead", "--limit"], "MissingValue: option --limit needs an integer"]
  ])("%j", (argv, expected) => {
    expect(line(argv, commands)).toBe(expected)
  })
})

describe("the table", () => {
  it("has every option of huey's consumer and ours", () => {
    expect(options.map((row) => `${row.source} -${row.short ?? ""} --${row.long}`)).toEqual([
      "huey -l --logfile",
      "huey -w --workers",
      "huey -k --worker-type",
      "huey -d --delay",
      "huey -m --max-delay",
      "huey -b --backoff",
      "huey -c --health-check-interval",
      "huey -C --disable-health-check",
      "huey -f --flush-locks",
      "huey -L --extra-locks",
      "huey -M --max-tasks",
      "huey -s --scheduler-interval",
      "huey -n --no-periodic",
      "ours - --config",
      "ours - --redis-wait",
      "ours - --backlog"
    ])
  })

  it("has defaults that it accepts itself", () => {
    const refused: Array<string> = []
    for (const row of options) {
      if (row.kind !== "flag" && row.default !== undefined && !row.accepts(String(row.default))) refused.push(row.long)
    }
    expect(refused).toEqual([])
  })

  it("says which options work here", () => {
    expect(options.filter((row) => row.effect === "works").map((row) => row.long)).toEqual([
      "logfile",
      "workers",
      "config",
      "redis-wait",
      "backlog"
    ])
  })

  it("knows what does not go together", () => {
    expect(conflicts(new Set(["max-tasks", "workers"]))).toBe(undefined)
    expect(conflicts(new Set(["max-tasks", "disable-health-check"]))).toBe(
      "options --disable-health-check and --max-tasks cannot be used together"
    )
  })
})
