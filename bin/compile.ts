/**
 * Compiles the command for the Node that runs this: where the package was built, and where it is installed.
 */
import * as Compiled from "./Compiled.ts"

try {
  Compiled.write()
} catch {
  // It works without, and a directory that cannot be written is the site's own affair.
}
