/**
 * Compiles the command for the Node that runs this: where the package was built, and where it is installed.
 */
import * as Compiled from "./Compiled.ts"

/** What the build calls itself. */
declare const BUILD: string

try {
  Compiled.write(BUILD)
} catch {
  // It works without, and a directory that cannot be written is the site's own affair.
}
