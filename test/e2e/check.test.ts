/**
 * `check` beside real servers: it says all that is wrong, and changes, sends and tells nothing.
 */
import { createCipheriv } from "node:crypto"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Huey from "../../src/Huey.ts"
import * as Circuit from "../../src/Mailer/Breaker/Circuit.ts"
import * as SendEmail from "../../src/SendEmail.ts"
import type { SmtpServer as Definition } from "../../src/SmtpServer.ts"
import * as RawServer from "../Mailer/RawServer.ts"
import * as Command from "../services/Command.ts"
import * as Documented from "../services/Documented.ts"
import * as LoginServer from "../services/LoginServer.ts"
import * as RedisServer from "../services/RedisServer.ts"
import { enqueueAll, mail, queueCfg } from "../services/Site.ts"
import * as SmtpServer from "../services/SmtpServer.ts"

const fixture = (path: string) => fileURLToPath(new URL(`../fixtures/${path}`, import.meta.url))

/** The password of the test's mail server, as eduMFA encrypts it. */
const encrypted = Schema.decodeUnknownSync(
  Schema.parseJson(Schema.Array(Schema.Struct({ clear: Schema.String, encrypted: Schema.String })))
)(readFileSync(fixture("enckey/passwords.json"), "utf8")).find(({ clear }) => clear === "mail-password")?.encrypted

const keyFile = `EDUMFA_ENCFILE = '${fixture("enckey/enckey")}'`

const withPassword = (definition: Definition, username: string, password = encrypted ?? ""): Definition => ({
  ...definition,
  username,
  password: Redacted.make(password)
})

/** All keys of a Redis with what they hold. */
const everything = ({ connection: { use } }: RedisServer.Server) =>
  use(async (client) => {
    const names = await client.keys("*")
    return Promise.all(names.sort().map(async (name) => [name, (await client.dumpBuffer(name)).toString("hex")]))
  })

const secrets = /493817|mail-password|wrong-password|ada@|mfa@|[0-9a-f]{32}:[0-9a-f]/

/** Runs it, and sees that it changed nothing on Redis and told no secret. */
const check = (redis: RedisServer.Server, cwd: string, ...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const before = yield* everything(redis)
    const ended = yield* Command.run(["check", "--config", "edumfa.cfg", ...args], { cwd })
    expect(yield* everything(redis)).toEqual(before)
    expect(`${ended.stdout}${ended.stderr}`).not.toMatch(secrets)
    return { ...ended, said: ended.stdout.split("\n").filter((line) => line !== "") }
  })

const linesOf = (stderr: string) =>
  stderr
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.replace(/^edumfa-queue-huey: /, ""))

/** Without what it says of how far it is, on a machine that is slow. */
const problemsOf = (stderr: string) => linesOf(stderr).filter((line) => !line.startsWith("waiting for "))

describe("check", () => {
  it.scopedLive("finds nothing wrong where nothing is, by TLS and login with each mail server of waiting mails", () =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make()
      const plain = yield* SmtpServer.make()
      const secured = yield* SmtpServer.make({ tls: "StartTls", auth: "Required" })
      const implicit = yield* SmtpServer.make({ tls: "Implicit", auth: "Required", mechanisms: ["LOGIN"] })
      const tables = `
EDUMFA_QUEUE_WORKER_MAX_AGES = {'otp': 300}
EDUMFA_QUEUE_WORKER_SMTP = {'mail.example.org:587': {'verify': False, 'allow_plaintext_auth': True, 'connections': 3}}`
      const cwd = yield* Command.directory({ "edumfa.cfg": queueCfg(redis.port, `${keyFile}${tables}`) })
      yield* enqueueAll(redis.port, plain, [mail, mail])
      yield* enqueueAll(redis.port, { definition: withPassword(secured.definition, "mfa") }, [mail])
      yield* enqueueAll(redis.port, { definition: withPassword(implicit.definition, "mfa") }, [mail], {
        delay: "1 hour"
      })
      const { code, said, stderr } = yield* check(redis, cwd)
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
      expect(said.map((line) => line.replace(/the oldest for \d+ s/, "the oldest for N s")).slice(0, 9)).toEqual([
        "configuration   edumfa.cfg",
        "key file        can be used",
        `queue           127.0.0.1:${redis.port}/0 list huey.redis.huey`,
        "waiting         4, the oldest for N s",
        "scheduled       0 in huey's schedule",
        "retrying        0",
        "in hand         0, 0 workers alive",
        "dead letters    0",
        "messages        4 of 4 looked at"
      ])
      expect(said.filter((line) => line.startsWith("mail server")).sort()).toEqual(
        [
          `mail server     127.0.0.1:${plain.port} (no TLS asked for, 2 mails): works, not encrypted, no login is set`,
          `mail server     127.0.0.1:${secured.port} (STARTTLS, as ***, 1 mail): works, encrypted, the login works`,
          `mail server     127.0.0.1:${implicit.port} (TLS, as ***, 1 mail): works, encrypted, the login works`
        ].sort()
      )
      expect(said.at(-1)).toBe("result          nothing is wrong")
      for (const server of [plain, secured, implicit]) {
        expect(yield* server.asked).toEqual([])
        expect(yield* server.connections).toBe(1)
      }
      const json = yield* check(redis, cwd, "--json")
      expect(Documented.shapeOf(json.stdout)).toEqual(Documented.shapeOf(Documented.objects[0] ?? ""))
      expect(JSON.parse(json.stdout)).toMatchObject({
        ok: true,
        keyFile: true,
        queue: { waiting: 4, scheduled: 0, retrying: 0, inHand: 0, dead: 0, workers: 0, lookedAt: 4, total: 4 },
        problems: []
      })
    })
  )

  it.scopedLive("says everything that is wrong, each with what to write", () =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make()
      const refusing = yield* LoginServer.make
      const untrusted = yield* SmtpServer.make({ tls: "StartTls" })
      const closed = yield* RedisServer.freePort
      const more = `
EDUMFA_ENCFILE = '/missing/enckey'
EDUMFA_LOGLEVEL = 'LOUD'
EDUMFA_QUEUE_WORKER_MAX_AGES = 5
EDUMFA_QUEUE_WORKER_SMTP = {'127.0.0.1:${untrusted.port}': {'verify': True}}
EDUMFA_QUEUE_WORKER_TIMEOUT = 0
EDUMFA_QUEUE_WORKER_FIRST_BACKLOG = -1
`
      const cwd = yield* Command.directory({ "edumfa.cfg": queueCfg(redis.port, more) })
      const wrong = withPassword(refusing.definition, "mfa@example.org", "wrong-password")
      // The same credentials, however often and in whatever definitions.
      yield* enqueueAll(redis.port, { definition: wrong }, [mail, mail, mail])
      yield* enqueueAll(redis.port, { definition: { ...wrong, identifier: "other" } }, [mail])
      yield* enqueueAll(redis.port, { definition: { ...wrong, timeout: 3_000 } }, [mail])
      yield* enqueueAll(redis.port, { definition: withPassword(untrusted.definition, "mfa") }, [mail])
      yield* enqueueAll(redis.port, { definition: { ...untrusted.definition } }, [mail])
      yield* enqueueAll(redis.port, { definition: { ...untrusted.definition, port: closed } }, [mail])
      const other = yield* Huey.make().encode(
        Huey.message({ id: "1", name: "other.job", call: { args: ["493817"], kwargs: {} } })
      )
      const { use } = redis.connection
      yield* use((client) => client.lpush("huey.redis.huey", "no message: 493817", Buffer.from(other)))
      const { code, said, stderr } = yield* check(redis, cwd)
      expect(code).toBe(1)
      expect(said.at(-1)).toBe("result          wrong: 11")
      const problems = problemsOf(stderr)
      expect(problems).toHaveLength(11)
      expect(problems).toEqual(
        expect.arrayContaining([
          "edumfa.cfg, line 6: EDUMFA_LOGLEVEL: Expected a level of Python's logging, as DEBUG, INFO, WARNING, ERROR, CRITICAL or a number",
          "edumfa.cfg, line 7: EDUMFA_QUEUE_WORKER_MAX_AGES: expected seconds from 1 to 31536000 by the identifier of an SMTP server, as in {'otp': 300}",
          "edumfa.cfg, line 9: EDUMFA_QUEUE_WORKER_TIMEOUT: expected seconds from 1 to 3600",
          "edumfa.cfg, line 10: EDUMFA_QUEUE_WORKER_FIRST_BACKLOG: expected a number of messages from 0",
          "key file /missing/enckey does not exist; set EDUMFA_ENCFILE to eduMFA's key file; write EDUMFA_ENCFILE = '/path/of/enckey'",
          "1 of the messages are of a job that this worker does not know; they end as dead letters",
          expect.stringMatching(/^1 of the messages cannot be read: Malformed: .*; they end as dead letters$/),
          `mail server 127.0.0.1:${closed}: Connect: while connecting: ECONNREFUSED connect ECONNREFUSED 127.0.0.1:${closed}; set host, port and TLS of this SMTP server in eduMFA, if they are wrong`,
          `mail server 127.0.0.1:${refusing.definition.port} as m***@example.org: Authentication: at login: 535 5.7.8; set user name and password of this SMTP server in eduMFA`,
          expect.stringMatching(
            new RegExp(
              `^mail server 127.0.0.1:${untrusted.port}: Tls: while connecting: the certificate is signed by nobody but itself .*; write EDUMFA_QUEUE_WORKER_SMTP = .*'ca': '/path.pem'`
            )
          ),
          expect.stringMatching(/as \*\*\*: Password: key file \/missing\/enckey does not exist; set EDUMFA_ENCFILE/)
        ])
      )
      expect(yield* refusing.logins).toBe(1)
    })
  )

  it.scopedLive("shows a mail server a password once, however it is stored", () =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make()
      const refusing = yield* LoginServer.make
      const cwd = yield* Command.directory({ "edumfa.cfg": queueCfg(redis.port, keyFile) })
      const key = readFileSync(fixture("enckey/enckey")).subarray(32, 64)
      const again = (iv: Buffer) => {
        const cipher = createCipheriv("aes-256-cbc", key, iv)
        return `${iv.toString("hex")}:${cipher.update("mail-password", "utf8", "hex")}${cipher.final("hex")}`
      }
      const stored = [encrypted ?? "", again(Buffer.alloc(16, 1)), again(Buffer.alloc(16, 2)), "mail-password"]
      for (const password of stored) {
        yield* enqueueAll(redis.port, { definition: withPassword(refusing.definition, "mfa", password) }, [mail])
      }
      const { code, said, stderr } = yield* check(redis, cwd)
      expect(code).toBe(1)
      expect(problemsOf(stderr)).toHaveLength(1)
      expect(said.filter((line) => line.startsWith("mail server"))).toHaveLength(4)
      expect(yield* refusing.logins).toBe(1)
    })
  )

  it.scopedLive("waits once for a mail server that is silent, and says for which it waits", () =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make()
      const silent = yield* RawServer.make({ answer: () => null })
      const cwd = yield* Command.directory({ "edumfa.cfg": queueCfg(redis.port, keyFile) })
      const { definition } = yield* LoginServer.make
      for (const password of ["one", "two", "three"]) {
        const server = withPassword({ ...definition, port: silent.port, timeout: 3_000 }, "mfa", password)
        yield* enqueueAll(redis.port, { definition: server }, [mail])
      }
      const { code, said, stderr } = yield* check(redis, cwd)
      expect(code).toBe(1)
      const place = `127.0.0.1:${silent.port}`
      const waits = (line: string) => line === `waiting for ${place}`
      const lines = linesOf(stderr)
      expect(lines.filter(waits).length).toBeGreaterThan(0)
      expect(lines.filter((line) => !waits(line))).toEqual([
        expect.stringMatching(new RegExp(`^mail server ${place} as \\*\\*\\*: Timeout: while connecting: `))
      ])
      expect(said.filter((line) => line.startsWith("mail server"))).toHaveLength(3)
      expect(silent.clear).toHaveLength(1)
    })
  )

  it.scopedLive("names every key that cannot be used", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory({
        "edumfa.cfg": `
EDUMFA_JOB_QUEUE_CLASS = 'edumfa.lib.queues.huey_queue.HueyQueue'
EDUMFA_JOB_QUEUE_PORT = 0
EDUMFA_JOB_QUEUE_DB = -1
EDUMFA_JOB_QUEUE_RESULTS = True
EDUMFA_JOB_QUEUE_SERIALISER = 'pickle'
EDUMFA_QUEUE_WORKER_LEASE = compute()
EDUMFA_QUEUE_WORKER_SMTP = {'mail.example.org:25': {'verfy': True}}
EDUMFA_QUEUE_WORKER_SIGNING_SECRET = ''
${keyFile}
`
      })
      const { code, stderr } = yield* Command.run(["check", "--config", "edumfa.cfg"], { cwd })
      expect(code).toBe(1)
      expect(
        problemsOf(stderr)
          .map((line) => /^edumfa\.cfg, line \d+: \w+/.exec(line)?.[0] ?? line)
          .sort()
      ).toEqual([
        "edumfa.cfg, line 3: EDUMFA_JOB_QUEUE_PORT",
        "edumfa.cfg, line 4: EDUMFA_JOB_QUEUE_DB",
        "edumfa.cfg, line 5: EDUMFA_JOB_QUEUE_RESULTS",
        "edumfa.cfg, line 6: EDUMFA_JOB_QUEUE_SERIALISER",
        "edumfa.cfg, line 7: EDUMFA_QUEUE_WORKER_LEASE",
        "edumfa.cfg, line 8: EDUMFA_QUEUE_WORKER_SMTP",
        "edumfa.cfg, line 9: EDUMFA_QUEUE_WORKER_SIGNING_SECRET"
      ])
    })
  )

  it.scopedLive("says once what is wrong with an option of the table of mail servers", () =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make()
      const table = "EDUMFA_QUEUE_WORKER_SMTP = {'only': 'x', 'mail:25': {'verify': 'y', 'connections': 0}}"
      const cwd = yield* Command.directory({ "edumfa.cfg": queueCfg(redis.port, `${keyFile}\n${table}`) })
      const { stderr } = yield* check(redis, cwd)
      const place = "edumfa.cfg, line 5: EDUMFA_QUEUE_WORKER_SMTP"
      expect(problemsOf(stderr)).toEqual([
        `${place}['only']: Expected a boolean value`,
        `${place}['mail:25']['verify']: Expected a boolean value`,
        `${place}['mail:25']['connections']: expected a number from 1`
      ])
    })
  )

  it.scopedLive("says of a key file and of certificates what to do about them, and nothing beside it", () =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make()
      const smtp = "EDUMFA_QUEUE_WORKER_SMTP = {'a:25': {'ca': '/missing/a'}, 'b:25': {'ca': '/missing/b'}, 'c:25': {}}"
      const hsm = "edumfa.lib.security.aeshsm.AESHardwareSecurityModule"
      const cwd = yield* Command.directory({
        "edumfa.cfg": queueCfg(redis.port, `EDUMFA_HSM_MODULE = '${hsm}'\n${smtp}`),
        "computed.cfg": queueCfg(redis.port, "EDUMFA_ENCFILE = os.path.join(BASE, 'enckey')"),
        "directory.cfg": queueCfg(redis.port, "EDUMFA_ENCFILE = '/'")
      })
      const problems = (name: string) =>
        Effect.map(Command.run(["check", "--config", name], { cwd }), ({ stderr }) => problemsOf(stderr))
      expect(yield* problems("edumfa.cfg")).toEqual([
        "EDUMFA_QUEUE_WORKER_SMTP: the certificates of a:25 cannot be read from /missing/a (NotFound)",
        "EDUMFA_QUEUE_WORKER_SMTP: the certificates of b:25 cannot be read from /missing/b (NotFound)",
        `EDUMFA_HSM_MODULE is '${hsm}': passwords can be decrypted here under a key file only; let mails for such an SMTP server not go through the queue, or let it take them without a login`
      ])
      expect(yield* problems("computed.cfg")).toEqual([
        "computed.cfg, line 4: EDUMFA_ENCFILE is computed (os.path.join(BASE, …)); write the value itself, for example EDUMFA_ENCFILE = '/etc/edumfa/enckey', or set EDUMFA_ENCFILE in the environment"
      ])
      expect(yield* problems("directory.cfg")).toEqual([
        "key file / cannot be read (it is no regular file); write EDUMFA_ENCFILE = '/path/of/enckey'"
      ])
    })
  )

  it.scopedLive("says in words what is wrong with a certificate, and with the port that a way of TLS is set for", () =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make()
      const tls = (name: string) => ({ key: read("server.key"), cert: read(name), mode: "StartTls" as const })
      const read = (name: string) => readFileSync(fixture(`tls/mail/${name}`), "utf8")
      const expired = yield* RawServer.make({ tls: tls("expired.pem") })
      const elsewhere = yield* RawServer.make({ tls: tls("elsewhere.pem") })
      const unknown = yield* RawServer.make({ tls: tls("server.pem") })
      const clear = yield* RawServer.make({})
      const ca = `'ca': '${fixture("tls/mail/ca.pem")}'`
      const table = `EDUMFA_QUEUE_WORKER_SMTP = {
        'localhost:${expired.port}': {'verify': True, ${ca}},
        'localhost:${elsewhere.port}': {'verify': True, ${ca}},
        'localhost:${unknown.port}': {'verify': True}}`
      const cwd = yield* Command.directory({ "edumfa.cfg": queueCfg(redis.port, `${keyFile}\n${table}`) })
      const { definition } = yield* LoginServer.make
      for (const [{ port }, how] of [
        [expired, "StartTls"],
        [elsewhere, "StartTls"],
        [unknown, "StartTls"],
        [clear, "Implicit"]
      ] as const) {
        yield* enqueueAll(redis.port, { definition: { ...definition, host: "localhost", port, tls: how } }, [mail])
      }
      const { code, stderr } = yield* check(redis, cwd)
      expect(code).toBe(1)
      const place = (port: number) => `mail server localhost:${port} as ***: Tls: while connecting:`
      const setting = (port: number, option: string) =>
        `write EDUMFA_QUEUE_WORKER_SMTP = {'localhost:${port}': {${option}}} to the configuration file`
      expect(problemsOf(stderr).sort()).toEqual(
        [
          `${place(expired.port)} the certificate has expired (CERT_HAS_EXPIRED); mend the certificate, or ${setting(expired.port, "'verify': False")}`,
          `${place(elsewhere.port)} the certificate is for another name, DNS:elsewhere.example.org (ERR_TLS_CERT_ALTNAME_INVALID); call the mail server as its certificate does, or ${setting(elsewhere.port, "'verify': False")}`,
          `${place(unknown.port)} the certificate is by a CA that is not known here (UNABLE_TO_VERIFY_LEAF_SIGNATURE); ${setting(unknown.port, "'ca': '/path.pem'")}, with the certificate of its CA in that file, or 'verify': False in place of it to trust any`,
          `${place(clear.port)} what answers there does not speak TLS (ERR_SSL_WRONG_VERSION_NUMBER); set port and TLS of this SMTP server so that they fit each other`
        ].sort()
      )
    })
  )

  it.scopedLive(
    "finds a replica that takes no writes, a database that is not there, and a user that may not write",
    () =>
      Effect.gen(function* () {
        const primary = yield* RedisServer.make()
        const mailServer = yield* SmtpServer.make()
        yield* enqueueAll(primary.port, mailServer, [mail])
        const replica = yield* RedisServer.make(["--replicaof", `127.0.0.1 ${primary.port}`])
        const { use } = replica.connection
        yield* use((client) => client.info("replication")).pipe(
          Effect.repeat({ until: (info) => /^master_link_status:up/m.test(info) }),
          Effect.timeout("10 seconds")
        )
        const cwd = yield* Command.directory({ "edumfa.cfg": queueCfg(replica.port, keyFile) })
        const { code, said, stderr } = yield* check(replica, cwd)
        expect(code).toBe(1)
        expect(said).toContainEqual(expect.stringMatching(/^waiting {9}1, /))
        expect(problemsOf(stderr)).toEqual([
          "Redis answers READONLY You can't write against a read only replica; name the primary, write EDUMFA_JOB_QUEUE_URL = 'redis://host:port/db'"
        ])
        // A database that Redis does not have can not even be looked at.
        const far = yield* Command.run(["check", "--config", "edumfa.cfg"], {
          cwd,
          env: { EDUMFA_JOB_QUEUE_URL: `redis://127.0.0.1:${primary.port}/99` }
        })
        expect(problemsOf(far.stderr)).toEqual([
          "Redis answers ERR DB index is out of range; write EDUMFA_JOB_QUEUE_URL = 'redis://host:port/0'"
        ])
        // What is to be written is the key that counts.
        const own = { EDUMFA_QUEUE_WORKER_REDIS_URL: `redis://127.0.0.1:${primary.port}/99` }
        const ownFar = yield* Command.run(["check", "--config", "edumfa.cfg"], { cwd, env: own })
        expect(problemsOf(ownFar.stderr)).toEqual([
          "Redis answers ERR DB index is out of range; write EDUMFA_QUEUE_WORKER_REDIS_URL = 'redis://host:port/0'"
        ])
        const drained = yield* Command.run(["drain", "--config", "edumfa.cfg"], { cwd, env: own })
        expect(drained.stderr).toContain("; write EDUMFA_QUEUE_WORKER_REDIS_URL = 'redis://host:port/0'")
        // A user who may only read is no better.
        yield* primary.connection.use((client) =>
          client.call("ACL", "SETUSER", "reader", "on", ">pw", "~*", "+@read", "+@scripting", "+info", "+time")
        )
        const reader = yield* Command.run(["check", "--config", "edumfa.cfg"], {
          cwd,
          env: { EDUMFA_JOB_QUEUE_URL: `redis://reader:pw@127.0.0.1:${primary.port}` }
        })
        expect(problemsOf(reader.stderr)).toEqual([
          expect.stringMatching(
            /^Redis answers (?:NOPERM|ERR The user).*; give its user the rights that the README lists$/
          )
        ])
      })
  )

  it.scopedLive("says of a Redis and its TLS what to write, and nothing of it twice", () =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make()
      const withLine = (line: string) => queueCfg(1, keyFile).replace(/^EDUMFA_JOB_QUEUE_URL.*$/m, line)
      const problem = (url: string) =>
        Effect.gen(function* () {
          const cwd = yield* Command.directory({ "edumfa.cfg": withLine(`EDUMFA_JOB_QUEUE_URL = '${url}'`) })
          const { stderr } = yield* Command.run(["check", "--config", "edumfa.cfg"], { cwd })
          return problemsOf(stderr)
        })
      expect(yield* problem(`rediss://localhost:${redis.port}?socket_timeout=0.5`)).toEqual([
        "Redis does not answer (no reply within 500 ms; does it speak TLS on that port?); without TLS write EDUMFA_JOB_QUEUE_URL = 'redis://host:port/db'"
      ])
      const other = yield* RawServer.make({})
      expect(yield* problem(`rediss://localhost:${other.port}`)).toEqual([
        "what answers there does not speak TLS (ERR_SSL_WRONG_VERSION_NUMBER); without TLS write EDUMFA_JOB_QUEUE_URL = 'redis://host:port/db'"
      ])
      const { tlsPort } = yield* RedisServer.makeTls("elsewhere.pem")
      const from = "Redis' certificate is not accepted"
      expect(yield* problem(`rediss://localhost:${tlsPort}`)).toEqual([
        `${from} (SELF_SIGNED_CERT_IN_CHAIN): name its CA by ssl_ca_certs in the URL; write EDUMFA_JOB_QUEUE_URL = 'rediss://host:port/db?ssl_ca_certs=/path.pem'`
      ])
      expect(yield* problem(`rediss://localhost:${tlsPort}?ssl_ca_certs=${fixture("tls/redis/ca.pem")}`)).toEqual([
        `${from} (ERR_TLS_CERT_ALTNAME_INVALID): it is not for the host's name in the URL; write EDUMFA_JOB_QUEUE_URL = 'rediss://name-in-the-certificate:port/db'`
      ])
    })
  )

  it.scopedLive("tells why messages cannot be mailed, and how many have other reasons", () =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make()
      const cwd = yield* Command.directory({ "edumfa.cfg": queueCfg(redis.port, keyFile) })
      const server = "mail.example.org"
      const configs = [
        { server, smime: true },
        { server: "http://mail.example.org" },
        { server: "no host" },
        { server, port: 70_000 },
        { server, tls: "yes" },
        { server, username: 1 },
        { server, sender: 1 }
      ]
      for (const [index, it] of configs.entries()) {
        const message = yield* Huey.make().encode(
          Huey.message({ id: String(index), name: SendEmail.job.names[0], call: { args: [it], kwargs: {} } })
        )
        yield* redis.connection.use((client) => client.lpush("huey.redis.huey", Buffer.from(message)))
      }
      const { code, stderr } = yield* check(redis, cwd)
      expect(code).toBe(1)
      const problems = problemsOf(stderr)
      expect(problems).toHaveLength(6)
      expect(problems).toEqual(
        expect.arrayContaining([
          "1 of the messages name a mail server that cannot be used: S/MIME is not supported; they wait until it is mended",
          "1 of the messages name a mail server that cannot be used: server is neither smtp:// nor smtps://; they end as dead letters",
          "2 of the messages cannot be mailed for 2 more reasons"
        ])
      )
    })
  )

  it.scopedLive("goes on without Redis, and greets the mail server that is named, with TLS where it is offered", () =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make()
      const offering = yield* SmtpServer.make({ tls: "StartTls", auth: "Required" })
      const cwd = yield* Command.directory({ "edumfa.cfg": queueCfg(redis.port, keyFile) })
      yield* redis.stop()
      const args = ["check", "--config", "edumfa.cfg", "--smtp", `127.0.0.1:${offering.port}`]
      const ended = yield* Command.run(args, { cwd })
      expect(ended.code).toBe(1)
      expect(problemsOf(ended.stderr)).toEqual([
        "Redis does not answer (ECONNREFUSED); if it is elsewhere, write EDUMFA_JOB_QUEUE_URL = 'redis://host:port/db'"
      ])
      const lines = ended.stdout.split("\n")
      expect(lines).toContain("queue           could not be looked at")
      expect(lines).toContain(
        `mail server     127.0.0.1:${offering.port} (STARTTLS): works, encrypted, no login is set`
      )
      expect(yield* offering.asked).toEqual([])
      const gone = yield* Command.run(["check", "--config", "gone.cfg", "--json"], { cwd })
      expect(gone).toMatchObject({ code: 1, stderr: "" })
      expect(JSON.parse(gone.stdout)).toMatchObject({
        ok: false,
        problems: ["gone.cfg does not exist; --config names it"]
      })
    })
  )

  it.scopedLive("leaves alone a mail server that the workers have given up, unless it is named", () =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make()
      const refusing = yield* LoginServer.make
      const silent = yield* SmtpServer.make()
      const cwd = yield* Command.directory({ "edumfa.cfg": queueCfg(redis.port, keyFile) })
      const definition = withPassword(refusing.definition, "mfa")
      const { use } = redis.connection
      // A worker finds out about the password, and is stopped.
      yield* enqueueAll(redis.port, { definition }, [mail])
      const worker = yield* Command.command(["--config", "edumfa.cfg"], { cwd })
      yield* Command.logged(`${cwd}/edumfa-queue.log`, /ERROR.*the login at mail server .* does not work/)
      yield* worker.kill("SIGTERM")
      yield* Effect.flatten(worker.ended)
      const now = Date.now()
      const open: Circuit.Circuit = { _tag: "Open", fault: "Silence", step: 1, until: now + 60_000 }
      yield* use((client) =>
        client.hset(
          "{huey.redis.huey}:q:breaker",
          `connect 127.0.0.1:${silent.port} Opportunistic`,
          Circuit.encode(open, now, "m")
        )
      )
      yield* enqueueAll(redis.port, silent, [mail])
      const logins = yield* refusing.logins
      const { code, stderr } = yield* check(redis, cwd)
      expect(code).toBe(1)
      const place = `127.0.0.1:${refusing.definition.port}`
      const problems = problemsOf(stderr)
      expect(problems).toHaveLength(2)
      expect(problems).toEqual(
        expect.arrayContaining([
          expect.stringMatching(
            new RegExp(
              `^mail server ${place} as \\*\\*\\*: BreakerOpen: the login at mail server ${place} does not work for the workers, which try it again in \\d+ s; to ask it all the same, add --smtp ${place}$`
            )
          ),
          expect.stringMatching(
            new RegExp(`^mail server 127.0.0.1:${silent.port}: BreakerOpen: mail server .* try it again in \\d+ s;`)
          )
        ])
      )
      expect(yield* refusing.logins).toBe(logins)
      expect(yield* silent.connections).toBe(0)
      yield* refusing.accept
      const again = yield* check(redis, cwd, "--smtp", place)
      expect(again.said).toContain(
        `mail server     ${place} (no TLS asked for, as ***, 1 mail): works, not encrypted, the login works`
      )
      expect(problemsOf(again.stderr)).toHaveLength(1)
      expect(yield* refusing.logins).toBe(logins + 1)
    })
  )
})
