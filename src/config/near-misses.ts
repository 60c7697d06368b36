import { excerpt } from "../lib/excerpt.ts";
import { nearestName } from "../lib/nearest-name.ts";
import { SETTINGS } from "./settings.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const PREFIX = "STREAMER__";
const SECTIONS: readonly string[] = [...Object.keys(SETTINGS), "models", "model"];

/** Keys that are known by a name without their section, as flags are. */
const SHORT_NAMES: Readonly<Record<string, string>> = {
  host: "server.host",
  hosts: "server.hosts",
  port: "server.port",
  processes: "server.processes",
  admin: "server.admin",
  model: "model.name",
  workers: "model.workers",
};

/** Variables that Kubernetes sets in every container for a service, here one whose name starts with `streamer`. */
const KUBERNETES_NAME = /_SERVICE_(?:HOST|PORT)(?:_|$)|_PORT_\d+_(?:TCP|UDP|SCTP)(?:_|$)/i;
const KUBERNETES_VALUE = /^(?:tcp|udp|sctp):\/\//;

/**
 * Returns a sentence for each environment variable that has no effect because its name is spelt differently from that
 * of a setting: `STREAMER_MODEL_DELAY` with single underscores, or a misspelt prefix.
 * @param keys all known keys
 */
export function nearMisses(env: Environment, keys: readonly string[]): string[] {
  return Object.entries(env).flatMap(([name, value = ""]) => {
    if (name.toUpperCase().startsWith(PREFIX) || KUBERNETES_NAME.test(name) || KUBERNETES_VALUE.test(value)) return [];
    const [prefix = "", ...words] = name.toLowerCase().split(/_+/).filter(Boolean);
    // A name that only resembles the prefix may belong to another program, unless it is spelt as ours are.
    const isOurs = prefix === "streamer" || (name.includes("__") && nearestName(prefix, ["streamer"]) !== undefined);
    const meant = isOurs ? (SHORT_NAMES[words.join("_")] ?? meantKey(words.join("_"), keys)) : undefined;
    if (meant === undefined) return [];
    const variable = PREFIX + meant.replaceAll(".", "__").toUpperCase();
    return [`environment variable ${excerpt(name)} is ignored; did you mean ${variable}?`];
  });
}

/**
 * Returns the key that is most likely meant by one whose section is misspelt, or is followed by an underscore:
 * `model_delay`, `modle.delay`. Undefined if no section is near.
 */
export function meantKey(written: string, keys: readonly string[]): string | undefined {
  const words = written.toLowerCase().split(/[_.]+/).filter(Boolean);
  const [first = "", ...rest] = words;
  const section = SECTIONS.includes(first) ? first : nearestName(first, SECTIONS);
  if (section === undefined || rest.length === 0) return undefined;
  const key = `${section}.${rest.join("_")}`;
  const known = keys.includes(key) ? key : nearestName(key, keys);
  // The own keys of a model are not known here.
  if (section === "model") return known?.startsWith("model.") === true ? known : key;
  if (section !== "models") return known;
  const [model = "", ...setting] = rest;
  return setting.length === 0 ? undefined : `models.${model}.${setting.join("_")}`;
}
