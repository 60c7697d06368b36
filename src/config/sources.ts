import { describeValue } from "../lib/excerpt.ts";
import { readConfigFile } from "./config-file.ts";

/** One value of the configuration as a source gives it, not yet checked. */
export interface GivenValue {
  /** The parts of the key as written: `["model", "delay"]`. */
  readonly path: readonly string[];
  readonly value: unknown;
  /** True for a value from the command line or the environment: it is a string whatever the type of the setting. */
  readonly isText: boolean;
  /** The source for messages: a file name, `environment variable X` or `--port`. */
  readonly source: string;
}

/** The sources of a configuration. Each one overrides those before it. */
export interface ConfigSources {
  /** Path of a JSON, JSON5, YAML or TOML file. */
  readonly file?: string | undefined;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Command line flags by name, without dashes; undefined: not given. */
  readonly flags?: Readonly<Partial<Record<Flag, string | number | undefined>>>;
  /** The values of `--set`, each `key=value`. */
  readonly sets?: readonly string[];
}

/** The command line flags that set one key. */
const FLAGS = {
  host: ["server", "host"],
  port: ["server", "port"],
  model: ["model", "name"],
  workers: ["model", "workers"],
  processes: ["server", "processes"],
  admin: ["server", "admin"],
  "tls-cert": ["server", "tls_cert"],
  "tls-key": ["server", "tls_key"],
  "log-level": ["log", "level"],
  "log-format": ["log", "format"],
} as const;

export type Flag = keyof typeof FLAGS;

const PREFIX = "STREAMER__";

/**
 * Reads every source. Returns the values by precedence, lowest first; adds sources that cannot be read to `problems`.
 */
export function readSources(sources: ConfigSources, problems: string[]): GivenValue[] {
  return [
    ...fromFile(sources.file, problems),
    ...withoutEmptyNames(fromEnvironment(sources.env ?? {}), problems),
    ...fromFlags(sources.flags ?? {}),
    ...withoutEmptyNames(fromSets(sources.sets ?? [], problems), problems),
  ];
}

/** Refuses keys with a separator too many, such as `model.delay.`. */
function withoutEmptyNames(given: readonly GivenValue[], problems: string[]): GivenValue[] {
  return given.filter(({ path, source }) => {
    if (!path.includes("")) return true;
    const meant = path.filter(Boolean).join(".");
    const hint = meant === "" ? "allowed: a section and a name, such as model.delay" : `did you mean "${meant}"?`;
    problems.push(`unknown key "${path.join(".")}"; ${hint} (${source})`);
    return false;
  });
}

function fromFile(file: string | undefined, problems: string[]): GivenValue[] {
  if (file === undefined) return [];
  const content = readConfigFile(file);
  if ("problem" in content) {
    problems.push(content.problem);
    return [];
  }
  const { value } = content;
  if (value === null || value === undefined) return [];
  if (!isSection(value)) {
    problems.push(
      `${file}: found ${describeValue(value)}; allowed: an object with sections such as model, server and limits`,
    );
    return [];
  }
  const { $schema: schema, ...sections } = value;
  if (schema !== undefined && schema !== null && typeof schema !== "string") {
    problems.push(`$schema: found ${describeValue(schema)}; allowed: the address of a schema, for editors (${file})`);
  }
  return leaves(sections, [], file);
}

function isSection(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

export function isEmptySection(value: unknown): boolean {
  return isSection(value) && Object.keys(value).length === 0;
}

/**
 * Flattens nested objects. Null counts as absent, and is a value only for its name to be checked. So is an empty object,
 * which a setting of a model may be.
 */
function leaves(value: unknown, path: readonly string[], source: string): GivenValue[] {
  if (!isSection(value) || (isEmptySection(value) && path.length > 0)) return [{ path, value, isText: false, source }];
  return Object.entries(value).flatMap(([key, field]) => leaves(field, [...path, key], source));
}

function fromEnvironment(env: Readonly<Record<string, string | undefined>>): GivenValue[] {
  const given: GivenValue[] = [];
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || !name.toUpperCase().startsWith(PREFIX)) continue;
    const written = name.slice(PREFIX.length).split("__");
    const lower = written.map((part) => part.toLowerCase());
    // Below `model.env` and `models.NAME.env` are names of variables, whose case counts.
    const env = { model: 1, models: 2 }[lower[0] ?? ""];
    const variable = env !== undefined && lower[env] === "env" ? env + 1 : lower.length;
    const path = [...lower.slice(0, variable), ...written.slice(variable)];
    given.push({ path, value, isText: true, source: `environment variable ${name}` });
  }
  return given;
}

function fromFlags(flags: NonNullable<ConfigSources["flags"]>): GivenValue[] {
  const given: GivenValue[] = [];
  for (const [flag, path] of Object.entries(FLAGS) as [Flag, readonly string[]][]) {
    const value = flags[flag];
    if (value !== undefined) given.push({ path, value: String(value), isText: true, source: `--${flag}` });
  }
  return given;
}

function fromSets(sets: readonly string[], problems: string[]): GivenValue[] {
  const given: GivenValue[] = [];
  for (const set of sets) {
    const separator = set.indexOf("=");
    if (separator > 0) {
      const path = set.slice(0, separator).trim().split(".");
      given.push({ path, value: set.slice(separator + 1), isText: true, source: "--set" });
    } else {
      problems.push(`--set: found ${describeValue(set)}; allowed: key=value, such as model.delay=0`);
    }
  }
  return given;
}

/** Converts text that is a JSON scalar (`0`, `true`, `"0"`) to its value. Returns other values unchanged. */
export function parseScalar(given: GivenValue): unknown {
  if (!given.isText || typeof given.value !== "string") return given.value;
  try {
    const value: unknown = JSON.parse(given.value);
    return typeof value === "object" ? given.value : value;
  } catch {
    return given.value;
  }
}
