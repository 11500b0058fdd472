/**
 * What was measured, for a reader.
 */
import type { Place, Result, Run } from "./Bench.ts"
import { type Comparison, type Row, units } from "./Row.ts"
import * as Summary from "./Summary.ts"

/** Three digits that count. */
export const number = (value: number): string => {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : Math.abs(value) >= 1 ? 2 : 3
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

const withUnit = (figure: string, value: number) => [number(value), units[figure] ?? ""].join(" ").trimEnd()

/** Names a run. */
export const placeOf = (row: Row, side: string, { repetition, repetitions }: Place): string =>
  `${row.name.padEnd(12)} ${repetition}/${repetitions} ${side.padEnd(24)}`

/** One run in a line: its figures, and what the machine did. */
export const runLine = (row: Row, run: Run): string => {
  const figures = Object.entries(run.figures).map(([figure, value]) => `${figure} ${withUnit(figure, value)}`)
  const machine = `load ${run.load.toFixed(1)}, steal ${run.steal.toFixed(1)} %, foreign ${run.foreign.toFixed(1)} %`
  return `${placeOf(row, run.side, run)} ${figures.join(", ")}` + `   [${machine}]${run.disturbed ? " disturbed" : ""}`
}

/** A bar or an aim, or nothing where there is none. */
export const limit = ({ better }: Comparison, value: number | undefined) =>
  value === undefined ? "" : `${better === "higher" ? "≥" : "≤"} ${value}`

const verdicts: Readonly<Record<Summary.Verdict, string>> = {
  Told: "",
  Misses: "MISSES THE BAR",
  MeetsBar: "meets the bar",
  MeetsAim: "meets the aim"
}

/** What was compared, in words. */
export const comparisonTitle = ({ against, of, title }: Comparison): string =>
  against === undefined || against.side === of.side ? `${title}: ${of.side}` : `${title}: ${of.side} / ${against.side}`

const columns = (rows: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd())
}

/** A row's medians, then its ratios with bar and aim. */
const block = (result: Result): string => {
  const figures = Summary.figures(result).map((it) => [
    it.side,
    it.figure,
    withUnit(it.figure, it.median),
    `${number(it.min)} .. ${number(it.max)}`,
    `${it.runs} runs${it.disturbed === 0 ? "" : `, ${it.disturbed} DISTURBED`}`
  ])
  const compared = Summary.compared(result).map((it) => {
    return [
      comparisonTitle(it.comparison),
      number(it.ratio),
      `${number(it.min)} .. ${number(it.max)}`,
      limit(it.comparison, it.comparison.bar),
      limit(it.comparison, it.comparison.aim),
      verdicts[it.verdict]
    ]
  })
  const lines = [
    ...columns([["side", "figure", "median", "min .. max", ""], ...figures]),
    ...columns([["ratio", "", "min .. max", "bar", "aim", ""], ...compared])
  ]
  return `${result.row.title} (${result.row.name})\n${lines.join("\n")}`
}

/** All that was measured. */
export const show = (results: ReadonlyArray<Result>): string => results.map(block).join("\n\n")
