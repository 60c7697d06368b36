import type { ModelModule } from "./model.ts";
import { findFieldProblems } from "./module-fields.ts";
import { resolveSettings } from "./settings.ts";

/** The fields of `ModelModule` that a model file in Python declares, by their names there. */
const FIELDS: Readonly<Record<string, keyof ModelModule>> = {
  name: "name",
  sample_rate: "sampleRate",
  max_batch: "maxBatch",
  max_batch_wait_ms: "maxBatchWaitMs",
  idempotent: "idempotent",
  stateful: "stateful",
  pinned: "pinned",
  traces: "traces",
  settings: "settings",
  options: "options",
};

/** What a model file in Python declares at its module level. */
interface Declaration {
  /** Values by their names, as far as JSON has them. */
  readonly values: Readonly<Record<string, unknown>>;
  /** What other values are, after "found". */
  readonly kinds: Readonly<Record<string, string>>;
  /** Names that have the spelling of TypeScript. */
  readonly misspelled: readonly string[];
}

/**
 * Returns the settings for a model in Python, and a sentence for each that is unknown or not allowed.
 * @param declared what its worker has sent
 * @param path of the model file, for messages
 * @throws Error for the author of the file: its declarations are not those of a model
 */
export function resolvePythonSettings(
  declared: unknown,
  configured: Readonly<Record<string, unknown>>,
  path: string,
): { settings: Record<string, unknown>; problems: string[] } {
  if (!isDeclaration(declared)) throw new Error("its worker sends no declaration of a model");
  const problems = findDeclarationProblems(declared);
  if (problems.length > 0) throw new Error(`what the file declares is refused: ${problems.join("; ")} (${path})`);
  const { settings } = declared.values as Pick<ModelModule, "settings">;
  return resolveSettings(settings === undefined ? {} : { settings }, configured);
}

function findDeclarationProblems({ values, kinds, misspelled }: Declaration): string[] {
  const spelled = new Map(Object.entries(FIELDS).map(([python, field]) => [field as string, python]));
  const spell = (field: string): string => spelled.get(field) ?? field;
  const declared = Object.entries(FIELDS).filter(
    ([python]) => python === "name" || python in values || python in kinds,
  );
  const value = (field: string): unknown => values[spell(field)] ?? (spell(field) in kinds ? Symbol() : undefined);
  const fields = declared.map(([, field]) => field);
  const describe = (field: string): string | undefined => kinds[spell(field)];
  return [
    ...findFieldProblems(fields, value, spell, describe),
    ...findConcurrencyProblems(values["concurrency"]),
    ...misspelled.map((name) => `${name}: in Python its name is ${spell(name)}`),
  ];
}

/** A field of the interface in TypeScript that Python does not have. */
function findConcurrencyProblems(concurrency: unknown): string[] {
  if (typeof concurrency !== "number" || concurrency === 1) return [];
  const remedy = "a worker in Python makes one call at a time; model.workers and max_batch serve more streams";
  return [`concurrency: found ${concurrency}; allowed: 1 (${remedy})`];
}

function isDeclaration(declared: unknown): declared is Declaration {
  const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;
  return (
    isObject(declared) &&
    isObject(declared["values"]) &&
    isObject(declared["kinds"]) &&
    Array.isArray(declared["misspelled"])
  );
}
