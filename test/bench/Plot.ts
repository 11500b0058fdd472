/**
 * The ratios as a picture: each comparison a line from the worst repetition to the best, with a dot at the ratio of the
 * medians, on a scale on which its bar is 1 and more is better.
 */
import type { Result } from "./Bench.ts"
import * as Report from "./Report.ts"
import * as Summary from "./Summary.ts"

const colours: Readonly<Record<Summary.Verdict, string>> = {
  Told: "#667788",
  Misses: "#c0392b",
  MeetsBar: "#d68910",
  MeetsAim: "#1e8449"
}

/** Pixels. */
const labels = 460
const axis = 420
const figures = 300
const line = 22
const top = 70

/** The scale goes from a quarter to the fourfold; what is beyond stands at its end. */
const range = 2

const escaped = (text: string) =>
  text.replaceAll(/[&<>]/g, (character) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[character] ?? "")

/** How much better than its bar something is, as a power of two; where there is no bar, than what it is compared with. */
const score = ({ comparison }: Summary.Compared, ratio: number) =>
  (comparison.better === "higher" ? 1 : -1) * Math.log2(ratio / (comparison.bar ?? 1))

/** The picture, as SVG. */
export const svg = (results: ReadonlyArray<Result>): string => {
  const all = results.flatMap((result) => Summary.compared(result).map((it) => ({ ...it, row: result.row.name })))
  const x = (power: number) =>
    Math.round(labels + (axis * (Math.max(-range, Math.min(range, power)) + range)) / (2 * range))
  const height = top + line * (all.length + 1)
  const powers = Array.from({ length: 2 * range + 1 }, (_, index) => index - range)
  const grid = powers.map(
    (power) =>
      `<line x1="${x(power)}" y1="${top - 10}" x2="${x(power)}" y2="${height - line}" stroke="${power === 0 ? "#000" : "#ddd"}"/>` +
      `<text x="${x(power)}" y="${top - 16}" text-anchor="middle">${power === 0 ? "bar" : 2 ** power}</text>`
  )
  const rows = all.map((it, index) => {
    const y = top + line * index + line / 2
    const colour = colours[it.verdict]
    const { aim, bar } = it.comparison
    const limits = [bar === undefined ? "" : `bar ${Report.limit(it.comparison, bar)}`]
    if (aim !== undefined) limits.push(`aim ${Report.limit(it.comparison, aim)}`)
    const ends = [it.min, it.max].map((ratio) => x(score(it, ratio)))
    return [
      `<text x="${labels - 12}" y="${y + 4}" text-anchor="end">${escaped(`${it.row}; ${Report.comparisonTitle(it.comparison)}`)}</text>`,
      `<line x1="${ends[0]}" y1="${y}" x2="${ends[1]}" y2="${y}" stroke="${colour}" stroke-width="3"/>`,
      `<circle cx="${x(score(it, it.ratio))}" cy="${y}" r="5" fill="${colour}"/>`,
      aim === undefined
        ? ""
        : `<line x1="${x(score(it, aim))}" y1="${y - 8}" x2="${x(score(it, aim))}" y2="${y + 8}" stroke="#1e8449" stroke-dasharray="3 2"/>`,
      `<text x="${labels + axis + 12}" y="${y + 4}">${escaped(`${Report.number(it.ratio)}  ${limits.join(", ")}`)}</text>`
    ].join("")
  })
  const width = labels + axis + figures
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<text x="12" y="24" font-size="16">Ratios of medians; right of the bar is better, dashed is the aim</text>`,
    ...grid,
    ...rows,
    "</svg>\n"
  ].join("\n")
}
