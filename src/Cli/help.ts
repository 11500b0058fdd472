/**
 * The text of `--help`, from the tables of options: by groups and with defaults, which @effect/cli does not show.
 */
import type { Group, Option, Synopsis } from "./Option.ts"
import { logOf, options } from "./options.ts"

/** Wide enough for the longest name with its value, and a blank. */
const column = 38

/** An ordinary terminal. */
const width = 100

const wrap = (text: string): ReadonlyArray<string> => {
  const lines: Array<string> = [""]
  for (const word of text.split(" ")) {
    const line = lines.at(-1) ?? ""
    if (line !== "" && line.length + 1 + word.length > width - column) lines.push(word)
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`
  }
  return lines
}

const entry = (head: string, text: string): string => {
  const [first, ...rest] = wrap(text)
  return [`${head.padEnd(column)}${first}`, ...rest.map((line) => " ".repeat(column) + line)].join("\n")
}

const row = (option: Option, name: string): string => {
  const short = option.short === undefined ? "    " : `-${option.short}, `
  const value = option.kind === "flag" ? "" : ` ${option.placeholder}`
  const usual = option.kind === "flag" ? undefined : option.long === "logfile" ? logOf(name) : option.default
  const standard = usual === undefined ? "" : `, default ${usual}`
  const effect = option.effect === "works" ? "" : `; ${option.effect}`
  return entry(`  ${short}--${option.long}${value}`, `${option.help}${standard}${effect}`)
}

const groups: ReadonlyArray<Group> = ["Options", "Logging", "Workers", "Scheduler", "Configuration"]

const tables = (all: ReadonlyArray<Option>, name: string) =>
  groups.flatMap((group) => {
    const rows = all.filter((it) => it.group === group)
    return rows.length === 0 ? [] : ["", `${group}:`, ...rows.map((it) => row(it, name))]
  })

/** The whole text about the worker, without a newline at its end. */
export const text = (name: string, commands: ReadonlyArray<Synopsis>): string =>
  [
    `Usage: ${name} [options]`,
    `       ${name} COMMAND [options]`,
    "",
    "Sends the mails that an eduMFA or privacyIDEA server puts on its job queue.",
    "",
    "Commands:",
    ...commands.map((it) => entry(`  ${it.name}`, it.purpose)),
    ...tables(options, name),
    "",
    "Other:",
    entry("  -h, --help", "show this text; behind a command, that of the command"),
    entry("      --version", "show the version"),
    entry("      --completions SHELL", "print completions for sh, bash, fish or zsh"),
    "",
    `Everything else is in the configuration file: ${name.startsWith("privacyidea") ? "PI" : "EDUMFA"}_JOB_QUEUE_* as for the Python server, and`,
    "EDUMFA_QUEUE_WORKER_LEASE, _HEARTBEAT, _TIMEOUT and _GRACE in seconds. The environment goes before",
    "the file.",
    "Exit codes: 0 stopped, 1 failed, 2 wrong usage or configuration."
  ].join("\n")

/** The text about one command. */
export const textOf = (name: string, command: Synopsis): string =>
  [
    `Usage: ${name} ${command.name} [options]`,
    "",
    `${command.purpose}.`,
    ...tables(command.options, name),
    "",
    `Exit codes: ${command.codes}.`
  ].join("\n")
