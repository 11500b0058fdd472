import { describe, expect, it } from "@effect/vitest"
import { fromCause, unwrap } from "../../src/Redis/RedisError.ts"

const reply = (message: string) => Object.assign(new Error(message), { name: "ReplyError" })

describe("RedisError", () => {
  it.each([
    ["READONLY You can't write against a read only replica.", "ReadOnly"],
    ["READONLY You can't write against a read only replica. script: 3f, on @user_script:9.", "ReadOnly"],
    // Redis 6 puts its own words in front of what happens inside a script.
    ["ERR Error running script (call to f_3f): @user_script:93: @user_script: 93: -READONLY You can't", "ReadOnly"],
    ["ERR Error running script (call to f_3f): @user_script:93: -MISCONF Redis is configured to save", "Persistence"],
    ["ERR Error running script (call to f_3f): @user_script: 9: WRONGTYPE Operation against", "WrongType"],
    ["WRONGPASS invalid username-password pair or user is disabled.", "Auth"],
    ["ERR AUTH <password> called without any password configured for the default user.", "Auth"],
    ["ERR Client sent AUTH, but no password is set", "Auth"],
    ["DENIED Redis is running in protected mode because protected mode is enabled", "Denied"],
    ["ERR max number of clients reached", "Loading"],
    ["NOPERM this user has no permissions to run the 'hset' command", "Denied"],
    ["NOPERM this user has no permissions to run the 'hset' command script: 3f, on @user_script:9.", "Denied"],
    // Redis 7.0, inside a script.
    ["ERR The user executing the script can't run this command or subcommand script: 3f, on @user_script:9.", "Denied"],
    ["LOADING Redis is loading the dataset in memory", "Loading"],
    ["OOM command not allowed when used memory > 'maxmemory'.", "OutOfMemory"],
    ["ERR unknown command", "Reply"]
  ])("sorts %j", (message, reason) => {
    expect(fromCause(reply(message)).reason).toBe(reason)
  })

  it("tells what Redis said, without what is put in front of it", () => {
    expect(unwrap("ERR Error running script (call to f_3f): @user_script:93: @user_script: 93: -READONLY x")).toBe(
      "READONLY x"
    )
    expect(unwrap("NOAUTH Authentication required.")).toBe("NOAUTH Authentication required")
    expect(unwrap("WRONGPASS invalid username-password pair or user is disabled.")).toBe(
      "WRONGPASS invalid username-password pair or user is disabled"
    )
    expect(unwrap("READONLY You can't write script: 3f, on @user_script:9.")).toBe("READONLY You can't write")
    expect(unwrap("ERR syntax error")).toBe("ERR syntax error")
  })
})
