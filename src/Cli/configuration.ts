/**
 * The configuration of a command, by its options and the name that it was called by.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as Layer from "effect/Layer"
import * as EdumfaConfig from "../EdumfaConfig.ts"
import { type Given, value } from "./Given.ts"

/** What the command may be called by: it is installed under each server's name. */
export type Name = "edumfa-queue-huey" | "privacyidea-queue-huey"

/** A command of privacyIDEA's name speaks of its keys where no file tells whose they are. */
export const layer = (
  given: Given,
  name: Name
): Layer.Layer<EdumfaConfig.EdumfaConfig, EdumfaConfig.EdumfaConfigError, FileSystem.FileSystem> =>
  EdumfaConfig.layer({
    file: value(given, "config"),
    product: name === "privacyidea-queue-huey" ? "privacyIDEA" : "eduMFA"
  })
