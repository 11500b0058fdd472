/**
 * Leaves out of the command what its packages bring along and it never reaches, which would be read, checked and kept in
 * memory at each start.
 */

/** Throws where it is called or constructed all the same. */
const absent = (path) => `function () { throw new Error(${JSON.stringify(`not in the command: ${path}`)}) }`

const commonJs = (path) => `exports.default = ${absent(path)}`

const exporting = (names) => (path) => names.map((name) => `export const ${name} = ${absent(path)}`).join("\n")

const prompt = (file, ...names) => [`@effect/cli/dist/esm/internal/prompt/${file}.js`, exporting(names)]

/** What stands in place of a module, by the end of its path. */
const replacements = new Map([
  // Redis is one server to huey.
  ["ioredis/built/cluster/index.js", commonJs],
  ["ioredis/built/connectors/SentinelConnector/index.js", commonJs],
  // A mail is made of text that is at hand.
  ["nodemailer/dist/esm/fetch/index.js", (path) => `export default ${absent(path)}`],
  // Only the wizard asks, which no command line reaches.
  prompt("date", "date"),
  prompt("file", "file"),
  prompt("list", "list"),
  prompt("number", "integer", "float"),
  prompt("select", "select"),
  prompt("text", "hidden", "password", "text"),
  prompt("toggle", "toggle"),
  // The colours of an editor, which the grammar of Python brings with it and computes from its tags.
  [
    "@lezer/highlight/dist/index.js",
    () => `export const tags = new Proxy(() => tags, { get: () => tags })
export const styleTags = () => () => undefined`
  ]
])

/** Fails where a module is no longer there to be replaced, as after an update of its package. */
export const unused = {
  name: "unused",
  setup: (build) => {
    const left = new Set(replacements.keys())
    for (const [path, replacement] of replacements) {
      build.onLoad({ filter: new RegExp(`/node_modules/${path.replaceAll(".", "\\.")}$`) }, () => {
        left.delete(path)
        return { contents: replacement(path), loader: "js" }
      })
    }
    build.onEnd(() => (left.size === 0 ? undefined : { errors: [{ text: `not found: ${[...left].join(", ")}` }] }))
  }
}
