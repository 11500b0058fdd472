/**
 * Writes the licenses of the packages inside the built command.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const licenseOf = (directory) => {
  const { name, version, license } = JSON.parse(readFileSync(join(directory, "package.json"), "utf8"))
  const file = readdirSync(directory).find((it) => /^licen[cs]e/i.test(it))
  const text = file === undefined ? `License: ${license}` : readFileSync(join(directory, file), "utf8").trim()
  return `${name} ${version}\n\n${text}\n`
}

/** `inside`: the paths of all source files that the command contains. */
export const writeLicenses = (inside, path) => {
  const packages = new Set(inside.flatMap((it) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(it) ?? []))
  const texts = [...packages]
    .filter((it) => existsSync(join(it, "package.json")))
    .sort()
    .map(licenseOf)
  writeFileSync(path, texts.join(`\n${"-".repeat(80)}\n\n`))
}
