/**
 * The built command at eduMFA's and at privacyIDEA's sites: what it reads, what it is called by, and what it does with
 * passwords that it cannot decrypt.
 */
import { existsSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Huey from "../../src/Huey.ts"
import * as SendEmail from "../../src/SendEmail.ts"
import { toRow } from "../../src/SmtpServer.ts"
import * as Command from "../services/Command.ts"
import * as RedisServer from "../services/RedisServer.ts"
import { queueCfg } from "../services/Site.ts"
import * as SmtpServer from "../services/SmtpServer.ts"

const fixture = (path: string) => fileURLToPath(new URL(`../fixtures/${path}`, import.meta.url))

const keyFile = fixture("enckey/enckey")

/** `mail-password`, under that key. */
const encrypted = "63e9a2d7ebf301f9974f896336362ca3:3bb54c1000bf77860f063b71222f1f1e"

/** A queue, and two mail servers on it: one demands a login, one takes everything. */
const site = Effect.gen(function* () {
  const redis = yield* RedisServer.make()
  const secure = yield* SmtpServer.make({ auth: "Required" })
  const open = yield* SmtpServer.make()
  const push = (name: string, row: object, subject: string, queue = "huey") =>
    Effect.flatMap(
      Huey.make().encode(
        Huey.message({
          id: subject.replaceAll(" ", "-"),
          name,
          call: { args: [row, "ada@example.org", subject, "493817"], kwargs: {} }
        })
      ),
      (bytes) => redis.connection.use((client) => client.lpush(`huey.redis.${queue}`, Buffer.from(bytes)))
    )
  const [edumfa, privacyIdea = ""] = SendEmail.job.names
  return {
    redis,
    secure,
    open,
    push,
    edumfa,
    privacyIdea,
    login: { ...toRow(secure.authenticated), password: encrypted },
    plain: toRow(open.definition)
  }
})

/** The messages of a log, without time and place. */
const messages = (text: string) => [...text.matchAll(/^\[[^\]]*\]\[\d+\]\[\d+\]\[(\w+)\]\[[^\]]*\] (.*)$/gm)]

describe("privacyidea-queue-huey", { concurrent: true }, () => {
  /** The command as npm installs it: a link by its name. */
  const called = (cwd: string) => {
    const link = join(cwd, "privacyidea-queue-huey")
    symlinkSync(fixture("../../dist/edumfa-queue-huey.cjs"), link)
    return link
  }

  it.scopedLive("reads privacyIDEA's file and environment, sends its mails, and logs to a name of its own", () =>
    Effect.gen(function* () {
      const { login, privacyIdea, push, redis, secure } = yield* site
      yield* redis.connection.use((client) => client.config("SET", "requirepass", "sesame"))
      const cwd = yield* Command.directory()
      const smime = {
        smime: false,
        private_key: "",
        private_key_password: "",
        certificate: "",
        dont_send_on_error: false
      }
      yield* push(privacyIdea, { ...login, ...smime }, "From privacyIDEA", "pi")
      yield* push(privacyIdea, { ...login, ...smime, smime: true }, "To be signed", "pi")
      const worker = yield* Command.start(called(cwd), [], {
        cwd,
        env: {
          TZ: "Europe/Berlin",
          PRIVACYIDEA_CONFIGFILE: fixture("sites/privacyidea/pi.cfg"),
          PRIVACYIDEA_PI_JOB_QUEUE_URL: `redis://:sesame@127.0.0.1:${redis.port}/0`,
          PRIVACYIDEA_PI_JOB_QUEUE_NAME: '"pi"',
          // The file's is not there on this machine.
          EDUMFA_ENCFILE: keyFile
        }
      })
      const log = join(cwd, "privacyidea-queue.log")
      const [mail] = yield* secure.take(1)
      expect(mail?.headers.find(([name]) => name === "subject")?.[1]).toBe("From privacyIDEA")
      yield* Command.logged(log, /INFO.* done attempt=1 .*id=From-privacyIDEA/)
      yield* Command.logged(
        log,
        /WARNING.* retry in [56]\d\.\d s, at no cost of an attempt: .*S\/MIME is not supported .*id=To-be-signed/
      )
      expect(yield* secure.size).toBe(0)
      const text = readFileSync(log, "utf8")
      const [file, zone, start] = messages(text).map(([, , message]) => message)
      expect(file).toBe(`configuration: ${fixture("sites/privacyidea/pi.cfg")}`)
      expect(zone).toBe("the schedule is read as written in Europe/Berlin")
      expect(start).toBe(`started, 8 slots, 127.0.0.1:${redis.port}/0 list huey.redis.pi, lease 30s`)
      expect(text).not.toMatch(/sesame|mail-password|63e9a2d7|493817/)
      expect(existsSync(join(cwd, "edumfa-queue.log"))).toBe(false)
      yield* worker.kill("SIGTERM")
      expect(yield* Effect.flatten(worker.ended)).toMatchObject({ code: 0, stderr: "" })
    })
  )

  it.scopedLive("says its own name, its own log and privacyIDEA's keys", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory({ "pi.cfg": "PI_ENCFILE = '/etc/privacyidea/enckey'\n", "empty.cfg": "\n" })
      const link = called(cwd)
      const ended = (
        args: ReadonlyArray<string>,
        env: Readonly<Record<string, string>> = { PRIVACYIDEA_CONFIGFILE: "pi.cfg" }
      ) => Effect.flatMap(Command.start(link, args, { cwd, env }), (command) => Effect.flatten(command.ended))
      expect(yield* ended([])).toEqual({
        code: 2,
        signal: null,
        stdout: "",
        stderr:
          "privacyidea-queue-huey: the job queue is off, set PI_JOB_QUEUE_CLASS = 'privacyidea.lib.queues.huey_queue.HueyQueue' in pi.cfg\n"
      })
      // Without any file, and with one that holds no key at all.
      for (const [args, place] of [
        [[], "a file that --config names, for none was found"],
        [["--config", "empty.cfg"], "empty.cfg"]
      ] as const) {
        expect((yield* ended([...args], {})).stderr).toBe(
          `privacyidea-queue-huey: the job queue is off, set PI_JOB_QUEUE_CLASS = 'privacyidea.lib.queues.huey_queue.HueyQueue' in ${place}\n`
        )
        const { stderr } = yield* ended(["check", ...args], {})
        expect(stderr).toMatch(/set PI_JOB_QUEUE_CLASS/)
        expect(stderr).toMatch(
          /key file \/etc\/privacyidea\/enckey does not exist; set PI_ENCFILE to privacyIDEA's key file/
        )
        expect(stderr).not.toMatch(/EDUMFA|edumfa/i)
        expect((yield* ended(["drain", ...args], {})).stderr).toMatch(/set PI_JOB_QUEUE_CLASS/)
      }
      const { stdout } = yield* ended(["--help"])
      expect(stdout).toContain("PI_JOB_QUEUE_* as for the Python server")
      expect(stdout).toMatch(/^Usage: privacyidea-queue-huey \[options\]\n/)
      expect(stdout).toContain("default privacyidea-queue.log")
    })
  )
})

describe("edumfa-queue-huey", { concurrent: true }, () => {
  it.scopedLive("starts on the container's file with what the environment gives, and logs to stderr", () =>
    Effect.gen(function* () {
      const { edumfa, login, open, plain, push, redis } = yield* site
      const cwd = yield* Command.directory({ redis_url: `${redis.url}\n` })
      yield* push(edumfa, login, "Encrypted")
      yield* push(edumfa, plain, "Plain")
      const file = fixture("sites/docker/edumfa_config.py")
      const worker = yield* Command.command([], {
        cwd,
        env: { TZ: "UTC", EDUMFA_CONFIGFILE: file, EDUMFA_JOB_QUEUE_URL_FILE: "redis_url" }
      })
      yield* open.take(1)
      yield* worker.kill("SIGTERM")
      const { code, stderr } = yield* Effect.flatten(worker.ended)
      expect(code).toBe(0)
      const said = messages(stderr).map(([, level, message]) => `${level} ${message}`)
      const keyFault = `${file}, line 21: EDUMFA_ENCFILE is computed (os.getenv("EDUMFA_ENCFILE", …)); write the value itself, for example EDUMFA_ENCFILE = '/etc/edumfa/enckey', or set EDUMFA_ENCFILE in the environment`
      expect(said.slice(0, 5)).toEqual([
        `INFO configuration: ${file}`,
        "INFO the schedule is read as written in UTC",
        `INFO ${file}, line 25: EDUMFA_LOGCONFIG is computed (get_var(…, …)); write the value itself, or set EDUMFA_LOGCONFIG in the environment; logging to stderr, give -l FILE to log to a file`,
        `WARNING ${keyFault}`,
        `INFO started, 8 slots, 127.0.0.1:${redis.port}/0 list huey.redis.huey, lease 30s`
      ])
      const [fault] = said.filter((line) => line.includes("id=Encrypted"))
      expect(fault).toContain("at no cost of an attempt")
      expect(fault).toContain(keyFault)
      expect(existsSync(join(cwd, "edumfa-queue.log"))).toBe(false)
    })
  )

  const faults: ReadonlyArray<readonly [what: string, more: (cwd: string) => string, said: (cwd: string) => string]> = [
    [
      "another security module",
      () => `EDUMFA_ENCFILE = '${keyFile}'\nEDUMFA_HSM_MODULE = 'edumfa.lib.security.aeshsm.AESHardwareSecurityModule'`,
      () =>
        "EDUMFA_HSM_MODULE is 'edumfa.lib.security.aeshsm.AESHardwareSecurityModule': passwords can be decrypted here under a key file only; let mails for such an SMTP server not go through the queue, or let it take them without a login"
    ],
    [
      "a key file that is itself encrypted",
      (cwd) => {
        // As eduMFA writes it: initialisation vector and ciphertext in hexadecimal.
        writeFileSync(join(cwd, "enckey.enc"), `${"0a".repeat(16)}:${"1b".repeat(208)}`)
        return "EDUMFA_ENCFILE = 'enckey.enc'"
      },
      () => "key file enckey.enc is protected by a passphrase, which is not supported; use the unprotected file"
    ]
  ]
  for (const [what, more, line] of faults) {
    it.scopedLive(`keeps the mails that need ${what}, sends the others, and warns at the start`, () =>
      Effect.gen(function* () {
        const { edumfa, login, plain, push, redis, open, secure } = yield* site
        const cwd = yield* Command.directory()
        writeFileSync(join(cwd, "edumfa.cfg"), queueCfg(redis.port, more(cwd)))
        yield* push(edumfa, login, "Encrypted")
        yield* push(edumfa, { ...login, password: "mail-password" }, "Clear")
        yield* push(edumfa, plain, "Without")
        const worker = yield* Command.command(["--config", "edumfa.cfg"], { cwd })
        const log = join(cwd, "edumfa-queue.log")
        yield* Command.logged(log, / done attempt=1 .*id=Clear/)
        yield* Command.logged(log, / done attempt=1 .*id=Without/)
        yield* Command.logged(log, /retry in .* at no cost of an attempt: .*id=Encrypted/)
        yield* secure.take(1)
        yield* open.take(1)
        // Nobody has seen the ciphertext: the login of the clear one is the only mail there.
        expect(yield* secure.size).toBe(0)
        yield* worker.kill("SIGTERM")
        yield* Effect.flatten(worker.ended)
        const said = messages(readFileSync(log, "utf8"))
        expect(said.filter(([, level, message]) => level === "WARNING" && message === line(cwd))).toHaveLength(1)
        const [, , fault] = said.find(([, , message]) => message?.includes("id=Encrypted")) ?? []
        expect(fault).toContain(line(cwd))
        expect(readFileSync(log, "utf8")).not.toContain("63e9a2d7")
      })
    )
  }
})
