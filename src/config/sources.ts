import { readFileSync } from "node:fs";
import { extname } from "node:path";

/** One value that somebody gave, before anybody has looked whether it makes sense. */
export interface Given {
  /** `["model", "delay"]`: the key, part by part, as it was written. */
  readonly path: readonly string[];
  readonly value: unknown;
  /** A value from a command line or the environment is text, whatever the setting wants. */
  readonly isText: boolean;
  /** Who gave it, in words: the file's name, `environment variable X`, `--port`. */
  readonly source: string;
}

/** Where a configuration comes from. Each source overrides those before it. */
export interface Sources {
  /** Path of a JSON, JSON5, YAML or TOML file. */
  readonly file?: string | undefined;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Command line flags by name, without dashes; undefined means not given. */
  readonly flags?: Readonly<Partial<Record<Flag, string | number | undefined>>>;
  /** Each `key=value`. */
  readonly sets?: readonly string[];
}

/** Flags that are short for a key. */
const FLAGS = {
  host: ["server", "host"],
  port: ["server", "port"],
  model: ["model", "name"],
  workers: ["model", "workers"],
  "log-level": ["log", "level"],
  "log-format": ["log", "format"],
} as const;

export type Flag = keyof typeof FLAGS;

const PREFIX = "STREAMER__";

/** Everything that was given, in order of precedence, lowest first. What cannot be read at all goes to `problems`. */
export function gather(sources: Sources, problems: string[]): Given[] {
  return [
    ...fromFile(sources.file, problems),
    ...fromEnvironment(sources.env ?? {}),
    ...fromFlags(sources.flags ?? {}),
    ...fromSets(sources.sets ?? [], problems),
  ];
}

function fromFile(file: string | undefined, problems: string[]): Given[] {
  if (file === undefined) return [];
  let content: unknown;
  try {
    content = parse(readFileSync(file, "utf8"), extname(file).toLowerCase());
  } catch (error) {
    problems.push(`${file}: cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    return [];
  }
  if (content === null || content === undefined) return [];
  if (!isSection(content)) {
    problems.push(`${file}: allowed: an object of sections such as model, server and limits`);
    return [];
  }
  return leaves(content, [], file);
}

function parse(content: string, extension: string): unknown {
  if (extension === ".yaml" || extension === ".yml") return Bun.YAML.parse(content);
  if (extension === ".toml") return Bun.TOML.parse(content);
  if (extension === ".json5") return Bun.JSON5.parse(content);
  return JSON.parse(content);
}

function isSection(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

export function isEmptySection(value: unknown): boolean {
  return isSection(value) && Object.keys(value).length === 0;
}

/** Objects are walked, null counts as absent, all else is a value: an empty section too, whose name may be wrong, or a model's. */
function leaves(value: unknown, path: readonly string[], source: string): Given[] {
  if (value === null) return [];
  if (!isSection(value) || (isEmptySection(value) && path.length > 0)) return [{ path, value, isText: false, source }];
  return Object.entries(value).flatMap(([key, field]) => leaves(field, [...path, key], source));
}

function fromEnvironment(env: Readonly<Record<string, string | undefined>>): Given[] {
  const given: Given[] = [];
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || !name.toUpperCase().startsWith(PREFIX)) continue;
    const path = name.slice(PREFIX.length).toLowerCase().split("__");
    given.push({ path, value, isText: true, source: `environment variable ${name}` });
  }
  return given;
}

function fromFlags(flags: NonNullable<Sources["flags"]>): Given[] {
  const given: Given[] = [];
  for (const [flag, path] of Object.entries(FLAGS) as [Flag, readonly string[]][]) {
    const value = flags[flag];
    if (value !== undefined) given.push({ path, value: String(value), isText: true, source: `--${flag}` });
  }
  return given;
}

function fromSets(sets: readonly string[], problems: string[]): Given[] {
  const given: Given[] = [];
  for (const set of sets) {
    const at = set.indexOf("=");
    if (at > 0) {
      const path = set.slice(0, at).trim().split(".");
      given.push({ path, value: set.slice(at + 1), isText: true, source: "--set" });
    } else {
      problems.push(`--set ${set}: allowed: key=value, such as model.delay=0`);
    }
  }
  return given;
}

/** Text as a JSON scalar where it is one (`0`, `true`, `"0"`), else as it stands. */
export function scalar(given: Given): unknown {
  if (!given.isText || typeof given.value !== "string") return given.value;
  try {
    const value: unknown = JSON.parse(given.value);
    return typeof value === "object" ? given.value : value;
  } catch {
    return given.value;
  }
}
