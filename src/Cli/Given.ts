/**
 * What was given on a command line, for a table of options.
 */
import * as CliOption from "@effect/cli/Options"
import * as Option from "effect/Option"
import type * as Table from "./Option.ts"

/** By long name; a flag that was given is "". */
export type Given = Readonly<Record<string, Option.Option<string>>>

const toCliOption = (row: Table.Option): CliOption.Options<Option.Option<string>> =>
  row.kind === "flag"
    ? CliOption.map(CliOption.boolean(row.long), (given) => (given ? Option.some("") : Option.none()))
    : CliOption.optional(CliOption.text(row.long))

/** A table of options, for @effect/cli. */
export const options = (table: ReadonlyArray<Table.Option>): CliOption.Options<Given> =>
  CliOption.all(Object.fromEntries(table.map((row) => [row.long, toCliOption(row)])))

/** The value of an option, where it was given. */
export const value = (given: Given, long: string): Option.Option<string> => given[long] ?? Option.none()

/** Whether an option was given. */
export const has = (given: Given, long: string): boolean => Option.isSome(value(given, long))
