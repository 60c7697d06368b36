/** One instruction of a Dockerfile, with its lines joined and without comments. */
export interface Instruction {
  readonly name: string;
  readonly text: string;
}

/** The instructions from one FROM to the next. */
export interface Stage {
  readonly name: string;
  /** An image, or the name of an earlier stage. */
  readonly base: string;
  readonly instructions: readonly Instruction[];
}

/** Parses a Dockerfile into stages. Arguments declared before the first FROM are substituted in each FROM. */
export function parseDockerfile(text: string): Stage[] {
  const args: Record<string, string> = {};
  const stages: { name: string; base: string; instructions: Instruction[] }[] = [];
  for (const instruction of instructionsOf(text)) {
    const stage = stages.at(-1);
    if (instruction.name === "FROM") {
      const [base = "", as, name = `${stages.length}`] = substitute(instruction.text, args).split(/\s+/);
      if (as !== undefined && as !== "AS") throw new Error(`FROM ${instruction.text}: not supported`);
      stages.push({ name, base, instructions: [] });
    } else if (stage !== undefined) stage.instructions.push(instruction);
    else if (instruction.name === "ARG") Object.assign(args, assignments(instruction.text, args));
    else throw new Error(`${instruction.name} before FROM`);
  }
  return stages;
}

function instructionsOf(text: string): Instruction[] {
  const lines = text.split("\n").filter((line) => !/^\s*(#|$)/.test(line));
  return lines
    .join("\n")
    .replaceAll(/\\\n/g, " ")
    .split("\n")
    .map((line) => {
      const [, name = "", rest = ""] = /^(\S+)\s+(.*)$/.exec(line) ?? [];
      return { name, text: rest.replaceAll(/\s+/g, " ").trim() };
    });
}

/** Substitutes `${X}` and `${X:-fallback}`. */
export function substitute(text: string, values: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$\{(\w+)(?::-([^}]*))?\}/g, (_, name: string, fallback = "") => values[name] ?? fallback);
}

/** Parses `A=1 B="two words"`, the arguments of ARG, ENV and LABEL, with substitution. A name alone is ignored. */
export function assignments(text: string, values: Readonly<Record<string, string>>): Record<string, string> {
  const pairs = [...text.matchAll(/([\w.]+)=(?:"([^"]*)"|(\S*))/g)];
  return Object.fromEntries(
    pairs.map(([, name = "", quoted, plain]) => [name, substitute(quoted ?? plain ?? "", values)]),
  );
}

/**
 * Returns a predicate of the paths, relative to the context, that a `.dockerignore` excludes. The last match decides.
 */
export function ignoredBy(dockerignore: string): (path: string) => boolean {
  const rules = dockerignore
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => ({ includes: line.startsWith("!"), pattern: toRegExp(line.replace(/^!/, "")) }));
  return (path) => rules.findLast(({ pattern }) => pattern.test(path))?.includes === false;
}

/** A pattern matches the path that it names and everything below. */
function toRegExp(pattern: string): RegExp {
  const parts = pattern.split("/").map((part) => {
    if (part === "**") return ".*";
    return part.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", "[^/]*");
  });
  return new RegExp(`^${parts.join("/").replace(/^\.\*\//, "(?:.*/)?")}(?:/.*)?$`);
}
