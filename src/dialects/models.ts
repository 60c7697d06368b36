import type { Config } from "../config/config.ts";
import { modelAliases } from "../config/dialect-settings.ts";
import { describeValue } from "../lib/excerpt.ts";
import { type Pattern, serves } from "../pipeline/pattern.ts";
import { segmented } from "../pipeline/segmented.ts";
import { stateful } from "../pipeline/stateful.ts";
import { ProtocolError } from "../protocol/errors.ts";
import type { OfferedModel } from "./dialect.ts";

/** The model of a connection. */
export interface ChosenModel {
  /** For `model` of a start; undefined: the client gets the default. */
  readonly name: string | undefined;
  /** Undefined: none is known yet. */
  readonly model: OfferedModel | undefined;
  readonly pattern: Pattern;
}

/**
 * Chooses the model for the name that a client sends, which may be that of another service's model: the one that has
 * this name here, or else the one that `dialects.models` has for it, or else the default. Throws ProtocolError when
 * there is none, with `dialects.strict_models`.
 * @param models those that the client may use, the default first
 */
export function chooseModel(
  asked: string | undefined,
  models: readonly OfferedModel[],
  { models: aliases, strict_models: strict }: Config["dialects"],
): ChosenModel {
  const find = (name: string | undefined): OfferedModel | undefined =>
    name === undefined ? undefined : models.find((each) => each.name === name || each.alias === name);
  const found = asked === undefined ? undefined : (find(asked) ?? find(modelAliases(aliases).get(asked)));
  if (asked !== undefined && found === undefined && strict === "on") {
    const names = models.map(({ name }) => name).join(", ");
    const message = `model: found ${describeValue(asked)}; allowed: ${names || "no model of this server"}`;
    throw new ProtocolError("invalid_request", message, { param: "model" });
  }
  const model = found ?? models[0];
  const pattern = model === undefined || serves(segmented, model) ? segmented : stateful;
  return { name: found?.name, model, pattern };
}

/** Options of a start that recognisers have, as far as a client of another dialect may give them. */
export interface RecogniserOptions {
  readonly language?: string | undefined;
  /** Words and phrases that are likely. */
  readonly vocabulary?: readonly string[] | undefined;
  /** Text that comes before. */
  readonly prompt?: string | undefined;
}

/**
 * Returns the options that a model takes; undefined: none. A model refuses what it does not know, and clients of other
 * services name a language even if they do not care: a model that does not declare its options is given none.
 */
export function optionsFor(
  model: OfferedModel | undefined,
  options: RecogniserOptions,
): Record<string, unknown> | undefined {
  const known = model?.options ?? [];
  const taken = Object.entries(options).filter(([name, value]) => value !== undefined && known.includes(name));
  return taken.length === 0 ? undefined : Object.fromEntries(taken);
}
