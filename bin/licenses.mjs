/**
 * Writes the licenses of the packages inside the built command beside it.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const meta = "dist/meta.json"
const inside = Object.keys(JSON.parse(readFileSync(meta, "utf8")).inputs)
const packages = new Set(inside.flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? []))

const licenseOf = (directory) => {
  const { name, version, license } = JSON.parse(readFileSync(join(directory, "package.json"), "utf8"))
  const file = readdirSync(directory).find((it) => /^licen[cs]e/i.test(it))
  const text = file === undefined ? `License: ${license}` : readFileSync(join(directory, file), "utf8").trim()
  return `${name} ${version}\n\n${text}\n`
}

const texts = [...packages]
  .filter((path) => existsSync(join(path, "package.json")))
  .sort()
  .map(licenseOf)
writeFileSync("dist/LICENSES.txt", texts.join(`\n${"-".repeat(80)}\n\n`))
rmSync(meta)
