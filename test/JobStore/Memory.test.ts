import * as Memory from "../../src/Memory.ts"
import { suite } from "./contract.ts"

suite("memory", (lease) => Memory.layer({ lease }))
