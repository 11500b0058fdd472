/**
 * The objects that the README shows.
 */
import { readFileSync } from "node:fs"

const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8")

/** Each as text, in their order. */
export const objects: ReadonlyArray<string> = [...readme.matchAll(/^```json\n(.*?)^```$/gms)].map(
  ([, text = ""]) => text
)

const shape = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.slice(0, 1).map(shape)
  if (typeof value !== "object" || value === null) return "value"
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, shape(part)]))
}

/** The names in a JSON text; of a list what its first element has. */
export const shapeOf = (json: string): unknown => shape(JSON.parse(json))
