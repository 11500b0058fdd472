/**
 * What a row in a table of options says, and the rows that several commands share.
 */

/** The headings of the help; the first three are huey's. */
export type Group = "Logging" | "Workers" | "Scheduler" | "Configuration" | "Options"

interface Named {
  /** Without `--`. */
  readonly long: string
  /** Without `-`; none for most options of ours. */
  readonly short: string | undefined
  /** One line. */
  readonly help: string
  readonly group: Group
  /** Whether it changes what this command does, and why not where it does not. */
  readonly effect: "works" | `without effect here: ${string}`
  readonly source: "huey" | "ours"
}

/** An option that is given or not. */
export interface Flag extends Named {
  readonly kind: "flag"
}

/** An option with a value. */
export interface Valued extends Named {
  readonly kind: "text" | "integer" | "number" | "choice"
  /** What the help writes for the value. */
  readonly placeholder: string
  /** The value when the option is not given; undefined: none. */
  readonly default: string | number | undefined
  /** What the value has to be, to be read after "needs". */
  readonly needs: string
  readonly accepts: (value: string) => boolean
}

/** A row of a table. */
export type Option = Flag | Valued

/** No leading zeros: Python's optparse reads 010 as eight. */
const integer = /^(?:0|[1-9]\d*)$/
const number = /^(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/

export const integerThat = (holds: (value: number) => boolean) => (text: string) =>
  integer.test(text) && Number.isSafeInteger(Number(text)) && holds(Number(text))

export const numberThat = (holds: (value: number) => boolean) => (text: string) =>
  number.test(text) && Number.isFinite(Number(text)) && holds(Number(text))

/** A path or a name with a control character in it is a slip of a script. */
export const isText = (text: string) => text !== "" && !/\p{Cc}/u.test(text)

/** A command as it is typed. */
export interface Synopsis {
  readonly name: string
  /** One line. */
  readonly purpose: string
  readonly options: ReadonlyArray<Option>
  /** What its exit codes mean, one line. */
  readonly codes: string
}

/** For every command. */
export const config = {
  long: "config",
  short: undefined,
  kind: "text",
  placeholder: "FILE",
  default: undefined,
  needs: "a file name",
  accepts: isText,
  help: "read this file instead of the server's own, edumfa.cfg or pi.cfg, or the one that a variable names",
  group: "Configuration",
  effect: "works",
  source: "ours"
} as const satisfies Option

/** For commands whose answer a script may read. */
export const json = {
  long: "json",
  short: undefined,
  kind: "flag",
  help: "print one JSON object",
  group: "Options",
  effect: "works",
  source: "ours"
} as const satisfies Option
