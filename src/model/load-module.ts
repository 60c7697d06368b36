import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

import { describeImportError } from "./import-error.ts";
import type { ModelModule } from "./model.ts";
import { BUILT_IN, isModelPath, unknownModel } from "./models.ts";
import { findProblems } from "./module-fields.ts";
import { defaultExportPlace } from "./source-place.ts";

/**
 * Returns a built-in model, or the default export of a model file.
 * @param nameOrPath paths may be relative to the working folder
 * @throws Error for the author of the file: it cannot be imported, or does not export a `ModelModule`
 */
export async function loadModule(nameOrPath: string): Promise<ModelModule> {
  const builtIn = BUILT_IN.get(nameOrPath);
  if (builtIn !== undefined) return builtIn;
  if (!isModelPath(nameOrPath)) throw new Error(unknownModel(nameOrPath));
  const path = resolve(nameOrPath);
  const file = await importFile(path);
  if (file.default === undefined) {
    throw new Error(
      `the file has no default export; it must \`export default { name, load }\`, a ModelModule (${path})`,
    );
  }
  const problems = findProblems(file.default);
  if (problems.length > 0) {
    const place = defaultExportPlace(path);
    throw new Error(`the default export is not a ModelModule: ${problems.join("; ")} (${place})`);
  }
  return file.default as ModelModule;
}

async function importFile(path: string): Promise<{ default?: unknown }> {
  try {
    return await import(pathToFileURL(path).href);
  } catch (error) {
    throw new Error(describeImportError(error, path), { cause: error });
  }
}
