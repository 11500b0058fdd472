/**
 * The messages that Python's huey wrote, with text bodies and with MIME trees.
 */
import { readdirSync, readFileSync } from "node:fs"

const directories = ["huey-messages", "mime-trees"].map((name) => new URL(`../fixtures/${name}/`, import.meta.url))

/** Each with its file's name. */
export const all: ReadonlyArray<{ readonly file: string; readonly bytes: Buffer }> = directories.flatMap((directory) =>
  readdirSync(directory)
    .filter((file) => file.endsWith(".msg"))
    .map((file) => ({ file, bytes: readFileSync(new URL(file, directory)) }))
)
