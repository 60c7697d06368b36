import { excerpt, shown } from "../lib/excerpt.ts";
import { nearest } from "../lib/nearest.ts";
import { accepts, allowed, MODEL_SETTINGS, type Setting, SETTINGS } from "./settings.ts";
import { type Given, isEmptySection, scalar } from "./sources.ts";

/** One line of the effective configuration. */
export interface Entry {
  readonly key: string;
  readonly value: unknown;
  readonly unit: string;
  readonly source: string;
}

/** A setting that is known by the dotted key, in the order of the table. */
interface Known {
  readonly path: readonly string[];
  readonly setting: Setting;
}

type Tree = Record<string, unknown>;

/** A name that a start may ask for, and that an environment variable can spell. */
const MODEL_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/**
 * Puts what was given over the defaults. Collects the value of every key, with its source, and one sentence for
 * every key that is unknown and every value that is not allowed.
 */
export class Resolution {
  /** By dotted key, defaults first, in the order of the table. */
  readonly entries = new Map<string, Entry>();
  readonly problems: string[] = [];
  /** Keys whose value was refused: checks between keys leave them alone. */
  readonly refused = new Set<string>();
  readonly models = new Set<string>();
  /** The models' own keys: where each value goes, part by part. */
  readonly #own = new Map<string, readonly string[]>();

  constructor() {
    for (const { path, setting } of sectionSettings()) this.#preset(path, setting);
    for (const [key, setting] of Object.entries(MODEL_SETTINGS)) this.#preset(["model", key], setting);
  }

  add(given: Given): void {
    const [section = "", ...rest] = given.path;
    if (given.path.includes("__proto__")) this.#unknown(given, given.path.join("."));
    else if (section === "model") this.#addModel(["model"], rest, given);
    else if (section === "models") this.#addFurther(rest, given);
    else this.#addKnown(given, given.path);
  }

  /** The value of `key`, or of its default. */
  value(key: string): unknown {
    return this.entries.get(key)?.value;
  }

  /** The models' own keys below `prefix`, as the nested object that was given. */
  ownSettings(prefix: string): Tree {
    const settings: Tree = {};
    for (const [key, path] of this.#own) {
      if (!key.startsWith(`${prefix}.`)) continue;
      let at = settings;
      for (const part of path.slice(0, -1)) at = child(at, part);
      const value = this.value(key);
      // A later source may put something into an empty section.
      at[path.at(-1) ?? ""] = isEmptySection(value) ? {} : value;
    }
    return settings;
  }

  #addModel(prefix: readonly string[], rest: readonly string[], given: Given): void {
    const [key] = rest;
    if (key === undefined && isEmptySection(given.value)) return;
    if (key === undefined || rest.includes("")) {
      this.#refuse(
        given,
        prefix.join("."),
        `an object with ${Object.keys(MODEL_SETTINGS).join(", ")} and the model's own keys`,
      );
    } else if (rest.length === 1 && Object.hasOwn(MODEL_SETTINGS, key)) {
      this.#set([...prefix, key], MODEL_SETTINGS[key as keyof typeof MODEL_SETTINGS], given);
    } else {
      this.#setOwn(prefix, rest, given);
    }
  }

  #addFurther(path: readonly string[], given: Given): void {
    const [name = "", ...rest] = path;
    if (path.length === 0 && isEmptySection(given.value)) return;
    // An environment variable has no lower case: it means the model that the file has named already, if any.
    const known = [...this.models].find((other) => other.toLowerCase() === name.toLowerCase()) ?? name;
    if (!MODEL_NAME.test(known)) {
      this.#refuse({ ...given, value: name }, "models", "names of 1 to 64 letters, digits, _ and -");
      return;
    }
    const prefix = ["models", known];
    if (!this.models.has(known)) {
      this.models.add(known);
      for (const [key, setting] of Object.entries(MODEL_SETTINGS)) {
        this.#preset([...prefix, key], setting, key === "name" ? known : setting.default);
      }
    }
    this.#addModel(prefix, rest, given);
  }

  #addKnown(given: Given, path: readonly string[]): void {
    const key = path.join(".");
    const known = sectionSettings().find((candidate) => candidate.path.join(".") === key);
    if (known !== undefined) this.#set(known.path, known.setting, given);
    else if (path.length === 1 && Object.hasOwn(SETTINGS, key)) {
      if (isEmptySection(given.value)) return;
      this.#refuse(given, key, `an object with ${Object.keys(SETTINGS[key as keyof typeof SETTINGS]).join(", ")}`);
    } else this.#unknown(given, key);
  }

  #preset(path: readonly string[], setting: Setting, value: unknown = setting.default): void {
    const key = path.join(".");
    this.entries.set(key, { key, value, unit: setting.unit, source: "default" });
  }

  #set(path: readonly string[], setting: Setting, given: Given): void {
    const key = path.join(".");
    const value = "min" in setting || !given.isText ? scalar(given) : given.value;
    if (accepts(setting, value)) this.entries.set(key, { key, value, unit: setting.unit, source: given.source });
    else this.#refuse({ ...given, value }, key, allowed(setting));
  }

  #setOwn(prefix: readonly string[], rest: readonly string[], given: Given): void {
    const spelled = [...prefix, ...rest].join(".");
    const known = [...this.#own.keys()].find((other) => other.toLowerCase() === spelled.toLowerCase());
    const key = known ?? spelled;
    if (known === undefined) this.#own.set(key, rest);
    this.entries.set(key, { key, value: scalar(given), unit: "", source: given.source });
  }

  #refuse(given: Given, key: string, what: string): void {
    this.refused.add(key);
    this.problems.push(`${key}: found ${shown(given.value)}; allowed: ${what} (${given.source})`);
  }

  #unknown(given: Given, key: string): void {
    const keys = [...this.entries.keys()];
    const last = given.path.at(-1);
    const sections = [...Object.keys(SETTINGS), "model", "models"];
    const meant = nearest(key, keys) ?? keys.find((other) => other.endsWith(`.${last}`)) ?? nearest(key, sections);
    const hint = meant === undefined ? `allowed: keys of ${sections.join(", ")}` : `did you mean "${meant}"?`;
    this.problems.push(`unknown key "${excerpt(key)}"; ${hint} (${given.source})`);
  }
}

function sectionSettings(): Known[] {
  return Object.entries(SETTINGS).flatMap(([section, table]) =>
    Object.entries(table).map(([key, setting]) => ({ path: [section, key], setting })),
  );
}

function child(parent: Tree, key: string): Tree {
  const existing = parent[key];
  if (typeof existing === "object" && existing !== null && !Array.isArray(existing)) return existing as Tree;
  const created: Tree = {};
  parent[key] = created;
  return created;
}
