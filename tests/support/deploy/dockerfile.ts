/** One instruction of a Dockerfile: continued lines joined, comments left out. */
export interface Instruction {
  readonly name: string;
  readonly text: string;
}

/** From one FROM to the next. */
export interface Stage {
  readonly name: string;
  /** An image, or a stage before this one. */
  readonly base: string;
  readonly instructions: readonly Instruction[];
}

/** The stages of a Dockerfile; what its head declares by ARG is put into each FROM. */
export function parseDockerfile(text: string): Stage[] {
  const args: Record<string, string> = {};
  const stages: { name: string; base: string; instructions: Instruction[] }[] = [];
  for (const instruction of instructionsOf(text)) {
    const stage = stages.at(-1);
    if (instruction.name === "FROM") {
      const [base = "", as, name = `${stages.length}`] = substitute(instruction.text, args).split(/\s+/);
      if (as !== undefined && as !== "AS") throw new Error(`FROM ${instruction.text}: not understood`);
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

/** `${X}` and `${X:-otherwise}`. */
export function substitute(text: string, values: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$\{(\w+)(?::-([^}]*))?\}/g, (_, name: string, otherwise = "") => values[name] ?? otherwise);
}

/** `A=1 B="two words"` with substitution, as ARG, ENV and LABEL have it; a name alone has no value. */
export function assignments(text: string, values: Readonly<Record<string, string>>): Record<string, string> {
  const pairs = [...text.matchAll(/([\w.]+)=(?:"([^"]*)"|(\S*))/g)];
  return Object.fromEntries(
    pairs.map(([, name = "", quoted, plain]) => [name, substitute(quoted ?? plain ?? "", values)]),
  );
}

/**
 * A predicate of paths, relative to the context, that a `.dockerignore` leaves out: the last pattern that matches
 * decides.
 */
export function ignored(dockerignore: string): (path: string) => boolean {
  const rules = dockerignore
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => ({ keeps: line.startsWith("!"), pattern: expression(line.replace(/^!/, "")) }));
  return (path) => rules.findLast(({ pattern }) => pattern.test(path))?.keeps === false;
}

/** A pattern matches what it names and all that is below. */
function expression(pattern: string): RegExp {
  const parts = pattern.split("/").map((part) => {
    if (part === "**") return ".*";
    return part.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", "[^/]*");
  });
  return new RegExp(`^${parts.join("/").replace(/^\.\*\//, "(?:.*/)?")}(?:/.*)?$`);
}
