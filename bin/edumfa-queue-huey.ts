/**
 * Starts the command from its compiled code.
 */
import * as Compiled from "./Compiled.ts"

Compiled.run()
