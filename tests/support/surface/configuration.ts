import type { Item, Program } from "./program.ts";

/** Settings without which a model cannot be served. */
const NEEDED: Readonly<Record<string, readonly string[]>> = { remote: ["urls=http://127.0.0.1:8000", "model=m"] };

/**
 * Every key of the configuration, with the own keys of a built-in model: default, unit, range, variable of the
 * environment.
 */
export async function configurationItems(program: Program, model: string): Promise<Item[]> {
  const print = ["serve", "--print-config", "--model", model, "--set", `models.other.name=${model}`];
  for (const setting of NEEDED[model] ?? []) {
    print.push("--set", `model.${setting}`, "--set", `models.other.${setting}`);
  }
  const printed = await program.run(print);
  const entries = [...printed.out.matchAll(/^(\S+) +(.+?) +(?:default(?:, auto: .*)?|--\S+)$/gm)].map(
    ([, key = "", value = ""]): Entry => ({ key, value }),
  );
  const variables = entries.filter(({ key }) => !key.startsWith("models.")).map(variable);
  const emptied = entries
    .filter(({ key }) => !key.endsWith(".name"))
    .flatMap(({ key, value }) => {
      // An empty text is an empty list, and one of two empty texts is none.
      return ["--set", `${key}=${value.startsWith("[") ? "," : ""}`];
    });
  const [refused, read] = await Promise.all([
    program.run([...print, ...emptied]),
    program.run(["serve", "--print-config"], Object.fromEntries(variables)),
  ]);
  const allowed = new Map(
    [...refused.err.matchAll(/(\S+): found .*?[;,] allowed(?: is|:) (.*?)(?: \(--set\))?$/gm)].map(
      ([, key = "", text = ""]) => [key, range(text)],
    ),
  );
  return [
    ...variables.map(([name]): Item => [`environment ${name}`, read.out.includes(name) ? "is read" : "is not read"]),
    ...entries.map(({ key, value }): Item => {
      const ofModel = key.startsWith("model.") ? ` (${model})` : "";
      const own = key.replace(/^(?:model|models\.other)\./, "");
      return [
        `key ${key.replace("models.other.", "models.NAME.")}${ofModel}`,
        `default ${preset(key, value)}; allowed ${allowed.get(key) ?? allowed.get(own) ?? "any text"}`,
      ];
    }),
  ];
}

interface Entry {
  readonly key: string;
  /** As printed: JSON, and the unit. */
  readonly value: string;
}

function preset(key: string, value: string): string {
  if (key.startsWith("models.") && key.endsWith(".name")) return "NAME";
  if (key === "limits.arena_mb") return value.replace(/^\d+/, "a third of all memory,");
  if (key === "limits.max_connections") return value.replace(/^\d+/, "as there are file descriptors,");
  if (key.endsWith("_per_address")) return value.replace(/^\d+/, "a tenth,");
  return key.endsWith(".workers") ? value.replace(/^\d+/, "one a core,") : value;
}

/** Name and value of the environment's variable that sets a key. */
function variable({ key, value }: Entry): [name: string, value: string] {
  const [, text = "", number = ""] = /^(?:"(.*)"|(\S+))/.exec(value) ?? [];
  return [`STREAMER__${key.toUpperCase().replaceAll(".", "__")}`, text + number];
}

/** What a refusal says after "allowed": two numbers, or a list of words. */
function range(text: string): string {
  const [, least, most] = /(\S+) to ([^\s,]+)/.exec(text) ?? [];
  const list = /^a list of at most (\d+) (.*)/.exec(text);
  if (list !== null) return `a list, at most ${list[1]}; ${list[2]}`;
  const kind = /characters/.test(text) ? "characters" : /whole|integer/.test(text) ? "whole number" : "number";
  if (least !== undefined) return `${kind}, ${least} to ${most}${text.endsWith(", or auto") ? ", or auto" : ""}`;
  return /^(?:one of )?(.*, .*)/.exec(text)?.[1] ?? kind;
}
