import { commandItems } from "./commands.ts";
import { configurationItems } from "./configuration.ts";
import { Program } from "./program.ts";
import { serverItems } from "./server.ts";

/** Everything that users of the program build on, one text for each named item. */
export type Surface = Readonly<Record<string, string>>;

/**
 * Observes the surface of a build: its help, its configuration, the answers of its server. `command` starts the
 * program; none of its modules is imported, so builds with different sources can be compared.
 */
export async function surfaceOf(command: readonly string[]): Promise<Surface> {
  const program = new Program(command);
  const parts = await Promise.all([
    commandItems(program),
    ...(await builtInModels(program)).map((model) => configurationItems(program, model)),
    serverItems(program),
  ]);
  return Object.fromEntries(parts.flat().sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Names of the built-in models, from the error about a model that does not exist. */
async function builtInModels(program: Program): Promise<string[]> {
  const { err } = await program.run(["serve", "--print-config", "--model", "no-such-model"]);
  return /built in: (.*?) \(/.exec(err)?.[1]?.split(", ") ?? [];
}

export interface Difference {
  readonly item: string;
  /** Undefined: the item is new. */
  readonly was: string | undefined;
  /** Undefined: the item is gone. */
  readonly is: string | undefined;
}

/** Every item whose text differs, in the order of the names. */
export function differences(before: Surface, after: Surface): Difference[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .sort()
    .map((item) => ({ item, was: before[item], is: after[item] }))
    .filter(({ was, is }) => was !== is);
}
