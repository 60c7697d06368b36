import { describeValue, excerpt } from "../lib/excerpt.ts";
import { nearestName } from "../lib/nearest-name.ts";
import { meantKey } from "./near-misses.ts";
import { canonical, type ComputeAuto, describeAllowed, findMisfit, type Setting, splitText } from "./setting.ts";
import { MODEL_SETTINGS, SETTINGS } from "./settings.ts";
import { type GivenValue, isEmptySection, parseScalar } from "./sources.ts";

/** One value of the effective configuration. */
export interface ConfigEntry {
  /** The dotted key, such as `server.port`. */
  readonly key: string;
  readonly value: unknown;
  readonly unit: string;
  readonly source: string;
}

/** A setting of a section, with the parts of its key. */
interface KnownSetting {
  readonly path: readonly string[];
  readonly setting: Setting;
}

type NestedObject = Record<string, unknown>;

/** A name that is valid in a `start` request and in an environment variable. */
export const MODEL_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/** A variable that every program can read. */
export const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,255}$/;
export const MAX_VARIABLE_CHARACTERS = 4_096;
const VARIABLES_ALLOWED =
  "an object of environment variables: names of 1 to 256 letters, digits and _, and their values";
const VARIABLE_ALLOWED = `a text of at most ${MAX_VARIABLE_CHARACTERS} characters, or a number`;

/**
 * Merges given values over the defaults. Collects the value and the source of every key, and one sentence for every
 * unknown key and every value that is not allowed.
 */
export class Resolution {
  /** By dotted key: the settings in the order of their table, then further models and models' own keys. */
  readonly entries = new Map<string, ConfigEntry>();
  readonly problems: string[] = [];
  /** Keys with a value that was not allowed. Checks between keys skip them. */
  readonly refused = new Set<string>();
  /** Keys of models' own without a value: what stands before them, and the name. */
  readonly absentOwn: (readonly [prefix: string, name: string])[] = [];
  /** The names of the further models. */
  readonly models = new Set<string>();
  /** The values `auto` that are to be computed, by dotted key, unless another value has replaced them. */
  readonly #autos = new Map<string, { readonly auto: ComputeAuto; readonly entry: ConfigEntry }>();
  /** The keys that belong to a model: dotted key to the path below the model's prefix. */
  readonly #ownKeys = new Map<string, readonly string[]>();

  constructor() {
    for (const { path, setting } of sectionSettings()) this.#setDefault(path, setting);
    for (const [key, setting] of Object.entries(MODEL_SETTINGS)) this.#setDefault(["model", key], setting);
  }

  add(given: GivenValue): void {
    const [section = "", ...rest] = given.path;
    if (given.path.includes("__proto__")) this.#rejectKey(given, given.path.join("."));
    else if (section === "model") this.#addModel(["model"], rest, given);
    else if (section === "models") this.#addFurtherModel(rest, given);
    else this.#addSectionKey(given, given.path);
  }

  /** Returns the value of `key`: the given one or the default. */
  value(key: string): unknown {
    return this.entries.get(key)?.value;
  }

  /** Returns the keys below `prefix` (`model` or `models.NAME`) that belong to the model, as a nested object. */
  ownSettings(prefix: string): NestedObject {
    const settings: NestedObject = {};
    for (const [key, path] of this.#ownKeys) {
      if (!key.startsWith(`${prefix}.`)) continue;
      let parent = settings;
      for (const part of path.slice(0, -1)) parent = childOf(parent, part);
      const value = this.value(key);
      // A copy, because a later source may add a key to an empty section.
      parent[path.at(-1) ?? ""] = isEmptySection(value) ? {} : value;
    }
    return settings;
  }

  /** Returns the environment variables below `prefix` (`model` or `models.NAME`). */
  variables(prefix: string): Record<string, string> {
    const start = `${prefix}.env.`;
    const entries = [...this.entries.values()].filter(({ key }) => key.startsWith(start));
    return Object.fromEntries(entries.map(({ key, value }) => [key.slice(start.length), String(value)]));
  }

  #addModel(prefix: readonly string[], rest: readonly string[], given: GivenValue): void {
    const [key] = rest;
    if (key === undefined && isEmpty(given)) return;
    if (key === undefined || rest.includes("")) {
      this.#rejectValue(
        given,
        prefix.join("."),
        `an object with ${Object.keys(MODEL_SETTINGS).join(", ")} and the model's own keys`,
      );
    } else if (key === "env") {
      this.#addVariable(prefix, rest.slice(1), given);
    } else if (rest.length === 1 && Object.hasOwn(MODEL_SETTINGS, key)) {
      this.#set([...prefix, key], MODEL_SETTINGS[key as keyof typeof MODEL_SETTINGS], given);
    } else if (given.value === null) {
      this.absentOwn.push([prefix.join("."), key]);
    } else {
      this.#setOwn(prefix, rest, given);
    }
  }

  /** Adds an environment variable of the model's processes. */
  #addVariable(prefix: readonly string[], [name, ...further]: readonly string[], given: GivenValue): void {
    const section = [...prefix, "env"].join(".");
    if (name === undefined && isEmpty(given)) return;
    if (name === undefined || !VARIABLE_NAME.test(name)) {
      return this.#rejectValue(name === undefined ? given : { ...given, value: name }, section, VARIABLES_ALLOWED);
    }
    const key = `${section}.${name}`;
    if (given.value === null && further.length === 0) return;
    const value = further.length > 0 ? undefined : variableValue(given.value);
    if (value === undefined) {
      return this.#rejectValue(further.length > 0 ? { ...given, value: {} } : given, key, VARIABLE_ALLOWED);
    }
    this.entries.set(key, { key, value, unit: "", source: given.source });
  }

  #addFurtherModel(path: readonly string[], given: GivenValue): void {
    const [name = "", ...rest] = path;
    if (path.length === 0 && isEmpty(given)) return;
    // Environment variables ignore case: a name that an earlier source gave is matched without case.
    const known = [...this.models].find((other) => other.toLowerCase() === name.toLowerCase()) ?? name;
    if (!MODEL_NAME.test(known)) {
      this.#rejectValue({ ...given, value: name }, "models", "names of 1 to 64 letters, digits, _ and -");
      return;
    }
    if (rest.length === 0 && given.value === null) return;
    const prefix = ["models", known];
    if (!this.models.has(known)) {
      this.models.add(known);
      for (const [key, setting] of Object.entries(MODEL_SETTINGS)) {
        this.#setDefault([...prefix, key], setting, key === "name" ? known : setting.default);
      }
    }
    this.#addModel(prefix, rest, given);
  }

  #addSectionKey(given: GivenValue, path: readonly string[]): void {
    const key = path.join(".");
    const known = sectionSettings().find((candidate) => candidate.path.join(".") === key);
    if (known !== undefined) this.#set(known.path, known.setting, given);
    else if (Object.hasOwn(SETTINGS, key)) {
      if (isEmpty(given)) return;
      this.#rejectValue(given, key, `an object with ${Object.keys(SETTINGS[key as keyof typeof SETTINGS]).join(", ")}`);
    } else this.#rejectKey(given, key);
  }

  #setDefault(path: readonly string[], setting: Setting, value: unknown = setting.default): void {
    const key = path.join(".");
    this.#setEntry(key, value, setting, "default");
  }

  #set(path: readonly string[], setting: Setting, given: GivenValue): void {
    if (given.value === null) return;
    const key = path.join(".");
    const value = canonical(setting, readText(setting, given));
    const misfit = findMisfit(setting, value);
    if (misfit === undefined) this.#setEntry(key, value, setting, given.source);
    else this.#rejectValue({ ...given, value: misfit.found }, key, describeAllowed(setting));
  }

  /** Replaces each value `auto` that can be computed by its number. To be called when all values have been added. */
  resolveAuto(): void {
    for (const [key, { auto, entry }] of this.#autos) {
      if (this.entries.get(key) !== entry) continue;
      const { value, reason } = auto((other) => this.value(other));
      this.entries.set(key, { ...entry, value, source: `${entry.source}, ${reason}` });
    }
  }

  #setEntry(key: string, value: unknown, setting: Setting, source: string): void {
    const entry: ConfigEntry = { key, value, unit: setting.unit, source };
    this.entries.set(key, entry);
    if (value === "auto" && "min" in setting && typeof setting.auto === "function") {
      this.#autos.set(key, { auto: setting.auto, entry });
    }
  }

  #setOwn(prefix: readonly string[], rest: readonly string[], given: GivenValue): void {
    const written = [...prefix, ...rest].join(".");
    const known = [...this.#ownKeys.keys()].find((other) => other.toLowerCase() === written.toLowerCase());
    const key = known ?? written;
    if (known === undefined) this.#ownKeys.set(key, rest);
    this.entries.set(key, { key, value: parseScalar(given), unit: "", source: given.source });
  }

  #rejectValue(given: GivenValue, key: string, allowed: string): void {
    this.refused.add(key);
    this.problems.push(`${key}: found ${describeValue(given.value)}; allowed: ${allowed} (${given.source})`);
  }

  #rejectKey(given: GivenValue, key: string): void {
    const keys = [...this.entries.keys()];
    const last = given.path.at(-1);
    const sections = [...Object.keys(SETTINGS), "model", "models"];
    const meant =
      nearestName(key, keys) ??
      meantKey(key, keys) ??
      keys.find((other) => other.endsWith(`.${last}`)) ??
      nearestName(key, sections);
    const hint = meant === undefined ? `allowed: keys of ${sections.join(", ")}` : `did you mean "${meant}"?`;
    this.problems.push(`unknown key "${excerpt(key)}"; ${hint} (${given.source})`);
  }
}

/** Returns true for a section without keys. Null counts as absent. */
function isEmpty({ value }: GivenValue): boolean {
  return value === null || isEmptySection(value);
}

function sectionSettings(): KnownSetting[] {
  return Object.entries(SETTINGS).flatMap(([section, table]) =>
    Object.entries(table).map(([key, setting]) => ({ path: [...section.split("."), key], setting })),
  );
}

/** Returns the value of an environment variable; undefined: it cannot have this one. */
function variableValue(value: unknown): string | undefined {
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (typeof value !== "string" || value.length > MAX_VARIABLE_CHARACTERS || value.includes("\0")) return undefined;
  return value;
}

/** Returns the value that is given, by the type of its setting: text may stand for a number or a list. */
function readText(setting: Setting, given: GivenValue): unknown {
  if (!given.isText || typeof given.value !== "string" || "min" in setting) return parseScalar(given);
  return splitText(setting, given.value);
}

/** Returns the object at `key`; puts an empty one there if there is none. */
function childOf(parent: NestedObject, key: string): NestedObject {
  const existing = parent[key];
  if (typeof existing === "object" && existing !== null && !Array.isArray(existing)) return existing as NestedObject;
  const created: NestedObject = {};
  parent[key] = created;
  return created;
}
