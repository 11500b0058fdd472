/**
 * The configuration of eduMFA: one file in Python's syntax, and the environment on top.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { Literal } from "./EdumfaConfig/CfgFile/Literal.ts"
import type { Assignment } from "./EdumfaConfig/CfgFile.ts"
import type { EdumfaConfigError } from "./EdumfaConfig/EdumfaConfigError.ts"
import * as Environment from "./EdumfaConfig/Environment.ts"
import type { Product } from "./EdumfaConfig/keys.ts"
import * as provider from "./EdumfaConfig/provider.ts"
import * as Settings from "./EdumfaConfig/Settings.ts"
import * as search from "./EdumfaConfig/search.ts"

export { EdumfaConfigError, type EdumfaConfigReason } from "./EdumfaConfig/EdumfaConfigError.ts"

/** Answers each module's own `Config` from the one file and the environment. */
export class EdumfaConfig extends Context.Tag("edumfa-queue/EdumfaConfig")<
  EdumfaConfig,
  {
    /** The file that was read, or `no configuration file`. */
    readonly source: string
    /** Whose configuration it is; eduMFA's where nothing tells and nobody says. */
    readonly product: Product
    /** A key as that product calls it. */
    readonly nameOf: (key: string) => string
    /** What an operator should know of how it was read, one line each. */
    readonly notes: ReadonlyArray<string>
    /**
     * Asking for a key of the Redis connection also refuses keys of the queue that are not supported, and a connection
     * that is given both as URL and by single keys.
     */
    readonly get: <A>(config: Config.Config<A>) => Effect.Effect<A, EdumfaConfigError>
    /** Everything that is wrong with a config, of which `get` says one thing; nothing where that would answer. */
    readonly check: <A>(config: Config.Config<A>) => Effect.Effect<ReadonlyArray<EdumfaConfigError>>
  }
>() {}

/** Where the configuration comes from. */
export interface Options {
  /** The file to read; none: the one that the server would read. */
  readonly file: Option.Option<string>
  /** Whose it is where neither file nor environment tells; default: eduMFA's. */
  readonly product?: Product
}

/** The source where no file was read. */
export const noFile = "no configuration file"

const fromSettings = (settings: Settings.Settings, notes: ReadonlyArray<string>) => {
  const { nameOf, product, source } = settings
  return EdumfaConfig.of({
    source,
    product,
    nameOf,
    notes,
    get: (config) => provider.load(settings, config),
    check: (config) => provider.check(settings, config)
  })
}

/**
 * Reads the file that `file` names, or else the one that eduMFA would read; a file that nobody named may be absent.
 * Variables of the ambient ConfigProvider go before the file: `KEY`, or `KEY_FILE` with the path of a file that holds
 * the value. Where privacyIDEA's file is read, or none and its variables choose the queue, `PRIVACYIDEA_PI_…` come after
 * the file, as they do there.
 */
export const make = Effect.fn("EdumfaConfig.make")(function* (options: Options) {
  const standard = options.product ?? "eduMFA"
  const environment = yield* Environment.make
  const found = yield* search.find(options.file, environment, standard)
  const product = Option.isSome(found) ? found.value.product : yield* Settings.productOf(environment, standard)
  const source = Option.match(found, { onNone: () => noFile, onSome: ({ path }) => path })
  const assignments = Option.map(found, ({ path, cfg }) => ({ cfg, where: (line: number) => `${path}, line ${line}` }))
  const rival = Option.isSome(found) ? yield* search.passedBy(found.value, environment) : Option.none()
  const notes = Option.toArray(rival).map((path) => `${path} is not read, for ${source} is there; --config chooses`)
  return fromSettings(Settings.make(source, product, environment, assignments), notes)
})

/** The configuration of a process. */
export const layer = (options: Options): Layer.Layer<EdumfaConfig, EdumfaConfigError, FileSystem.FileSystem> =>
  Layer.effect(EdumfaConfig, make(options))

/** These values under eduMFA's names, no file and no environment. */
export const layerValues = (values: Readonly<Record<string, Literal>>): Layer.Layer<EdumfaConfig> => {
  const assignments = new Map(
    Object.entries(values).map(([name, value]): [string, Assignment] => [name, { _tag: "Literal", value, line: 0 }])
  )
  return Layer.succeed(
    EdumfaConfig,
    fromSettings(
      Settings.make(
        noFile,
        "eduMFA",
        Environment.none,
        Option.some({ cfg: { assignments, starImport: undefined }, where: () => "given values" })
      ),
      []
    )
  )
}
