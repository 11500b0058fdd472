/**
 * The commands of the README's "Switch and roll back", as they stand there, on a site with a Python worker and ours.
 */
import { chmodSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Command from "../services/Command.ts"
import * as PythonSite from "../services/PythonSite.ts"
import * as RedisServer from "../services/RedisServer.ts"
import { queueCfg } from "../services/Site.ts"
import * as SmtpServer from "../services/SmtpServer.ts"

const path = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url))

const section = /^### Switch and roll back$.*?(?=^### )/ms.exec(readFileSync(path("README.md"), "utf8"))?.[0] ?? ""

const [there = [], back = []] = [...section.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, text = ""]) =>
  text.trim().split("\n")
)

/** Starts and stops the units of the site, as systemd does: each is a script beside it. */
const systemctl = `#!/bin/sh
for unit in "$@"; do :; done
pid="$UNITS/$unit.pid"
case "$1" in
  enable) sh "$UNITS/$unit" >/dev/null 2>&1 & echo $! >"$pid" ;;
  disable)
    kill -TERM "$(cat "$pid")"
    while kill -0 "$(cat "$pid")" 2>/dev/null; do sleep 0.05; done
    rm "$pid" ;;
  is-active) kill -0 "$(cat "$pid")" && echo active ;;
  *) exit 1 ;;
esac
`

const count = 300

describe("the README's way to this worker and back", () => {
  it("has five commands each way", () => {
    expect([there.length, back.length]).toEqual([5, 5])
  })

  it.scopedLive(
    "loses no mail and doubles none",
    () =>
      Effect.gen(function* () {
        const redis = yield* RedisServer.make()
        const busy = Array.from(
          { length: 20 },
          (_, index) => [`mail ${index * 7}`, { code: 451, text: "later" }] as const
        )
        const mailServer = yield* SmtpServer.make({ subjects: Object.fromEntries(busy) })
        const cwd = yield* Command.directory({
          "edumfa.cfg": queueCfg(redis.port, `EDUMFA_ENCFILE = '${path("test/fixtures/enckey/enckey")}'`),
          systemctl,
          "edumfa-queue-huey": `#!/bin/sh\nexec ${process.execPath} ${path("dist/edumfa-queue-huey.cjs")} "$@"\n`,
          "edumfa-queue": "exec edumfa-queue-huey -l queue.log -w 4\n",
          "edumfa-queue-python": `exec python3 ${PythonSite.script} serve ${redis.port} >python.log\n`
        })
        for (const name of ["systemctl", "edumfa-queue-huey"]) chmodSync(join(cwd, name), 0o755)
        const { PATH = "" } = process.env
        const env = {
          PATH: `${cwd}:${PATH}`,
          UNITS: cwd,
          EDUMFA_CONFIGFILE: join(cwd, "edumfa.cfg"),
          TZ: PythonSite.zone
        }
        const sh = (line: string) =>
          Effect.scoped(
            Effect.flatMap(Command.start("sh", ["-c", line], { cwd, env }), ({ ended }) => Effect.flatten(ended))
          )
        // Whatever goes wrong, no unit lives on.
        yield* Effect.addFinalizer(() =>
          sh('for pid in "$UNITS"/*.pid; do [ -e "$pid" ] && kill -KILL "$(cat "$pid")"; done').pipe(Effect.ignore)
        )
        const runAll = (lines: ReadonlyArray<string>) =>
          Effect.forEach(lines, (line) =>
            Effect.map(sh(line), ({ code, stderr, stdout }) => {
              expect({ line, code, stderr }).toEqual({ line, code: 0, stderr: "" })
              return stdout
            })
          )
        const log = join(cwd, "queue.log")

        yield* sh("systemctl enable --now edumfa-queue-python")
        const switched = yield* runAll(there)
        expect(switched[3]).toBe("active\n")
        yield* Command.logged(log, / started, /)
        yield* PythonSite.produce(redis.port, mailServer.port, count, 0)
        yield* Command.logged(log, / done /, 100)
        yield* Command.logged(log, / retry in /)

        const rolledBack = yield* runAll(back)
        expect(rolledBack[1]).toContain(`127.0.0.1:${redis.port}/0 list huey.redis.huey\n`)
        expect(rolledBack[2]).toMatch(/^in hand +0, 0 workers alive$/m)
        expect(rolledBack[2]).toMatch(/^retrying +0$/m)
        expect(rolledBack[4]).toBe("active\n")
        const ours = yield* Effect.map(Effect.flatMap(mailServer.size, mailServer.take), (mails) =>
          mails.map(({ headers }) => headers.find(([name]) => name === "subject")?.[1] ?? "")
        )
        yield* Command.logged(join(cwd, "python.log"), /^mail /, count - ours.length)
        yield* sh("systemctl disable --now edumfa-queue-python")
        const theirs = readFileSync(join(cwd, "python.log"), "utf8").trim().split("\n")
        expect([...ours, ...theirs].sort()).toEqual([...PythonSite.subjects(count)].sort())
      }),
    60_000
  )
})
