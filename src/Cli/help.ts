/**
 * The text of `--help`, from the table of options: by groups and with defaults, which @effect/cli does not show.
 */
import { type Group, logOf, type Option, options } from "./options.ts"

/** Wide enough for the longest name with its value. */
const column = 37

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

const row = (option: Option, name: string): string => {
  const short = option.short === undefined ? "    " : `-${option.short}, `
  const value = option.kind === "flag" ? "" : ` ${option.placeholder}`
  const usual = option.kind === "flag" ? undefined : option.long === "logfile" ? logOf(name) : option.default
  const standard = usual === undefined ? "" : `, default ${usual}`
  const effect = option.effect === "works" ? "" : `; ${option.effect}`
  const [first, ...rest] = wrap(`${option.help}${standard}${effect}`)
  const head = `  ${short}--${option.long}${value}`.padEnd(column)
  return [`${head}${first}`, ...rest.map((line) => " ".repeat(column) + line)].join("\n")
}

const groups: ReadonlyArray<Group> = ["Logging", "Workers", "Scheduler", "Configuration"]

/** The whole text, without a newline at its end. */
export const text = (name: string): string =>
  [
    `Usage: ${name} [options]`,
    "",
    "Sends the mails that an eduMFA or privacyIDEA server puts on its job queue.",
    ...groups.flatMap((group) => [
      "",
      `${group}:`,
      ...options.filter((it) => it.group === group).map((it) => row(it, name))
    ]),
    "",
    "Other:",
    "  -h, --help                         show this text",
    "      --version                      show the version",
    "      --completions SHELL            print completions for sh, bash, fish or zsh",
    "",
    "Everything else is in the configuration file: EDUMFA_JOB_QUEUE_* as for the Python server, and",
    "EDUMFA_QUEUE_WORKER_LEASE, _HEARTBEAT, _TIMEOUT and _GRACE in seconds. The environment goes before",
    "the file.",
    "Exit codes: 0 stopped, 1 failed, 2 wrong usage or configuration."
  ].join("\n")
