import * as Layer from "effect/Layer"
import * as RedisServer from "../services/RedisServer.ts"
import { suite } from "./contract.ts"

suite("Redis", (lease) => Layer.provide(RedisServer.queue({ lease }), RedisServer.layer))
