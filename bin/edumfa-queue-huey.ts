/**
 * Starts the command from its compiled code.
 */
import * as Compiled from "./Compiled.ts"

/** What the build calls itself. */
declare const BUILD: string

Compiled.run(Compiled.load(BUILD))
