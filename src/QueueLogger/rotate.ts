/**
 * Renames a full log as Python's RotatingFileHandler does: `name` to `name.1`, `name.1` to `name.2`, and so on.
 */
import { lstatSync, renameSync } from "node:fs"

const exists = (path: string) => lstatSync(path, { throwIfNoEntry: false }) !== undefined

/**
 * Frees the name of a log. The last of `backups` files is overwritten; throws what node:fs throws.
 *
 * Unlike Python's it moves only the files before the first gap: where the last step fails every time (a file that is a
 * mount of its own), trying again must not push the old logs out one by one.
 */
export const rotate = (path: string, backups: number): void => {
  let free = 1
  while (free < backups && exists(`${path}.${free}`)) free += 1
  for (let number = free - 1; number >= 1; number -= 1) renameSync(`${path}.${number}`, `${path}.${number + 1}`)
  renameSync(path, `${path}.1`)
}
