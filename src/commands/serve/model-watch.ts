import { basename, relative, resolve } from "node:path";

import type { Config } from "../../config/config.ts";
import { messageOf } from "../../lib/thrown.ts";
import { fileName, isModelPath } from "../../model/models.ts";
import type { ReloadResult } from "../../server/model-entry.ts";
import { WatchedFiles } from "./watched-files.ts";

/** Interval between two looks at the files of models. A change is used when two looks in a row have found the same. */
const LOOK_MS = 250;

export interface ModelWatchOptions {
  readonly config: Config;
  /** Loads a model again; undefined: all. */
  readonly reload: (model: string | undefined) => Promise<readonly ReloadResult[]>;
  /** Receives a line for people. */
  readonly print: (line: string) => void;
}

/** A model file, and the name by which its model is reloaded. */
interface Watched {
  readonly files: WatchedFiles;
  readonly model: string | undefined;
}

/** Reloads models when their files change, for authors, and says what happens. */
export class ModelWatch implements Disposable {
  readonly #options: ModelWatchOptions;
  readonly #watched: readonly Watched[];
  readonly #timer: Timer;

  constructor(options: ModelWatchOptions) {
    this.#options = options;
    this.#watched = watchedModels(options.config);
    for (const { files } of this.#watched) options.print(`watching ${describeFiles(files)}`);
    if (this.#watched.length === 0) options.print("watching nothing: no model is from a file");
    this.#timer = setInterval(() => this.look(), LOOK_MS);
    this.#timer.unref();
  }

  /** Looks at all files, and has the models reloaded whose files have changed. */
  look(): void {
    for (const watched of this.#watched) {
      const changed = watched.files.look();
      if (changed !== undefined) void this.#reload(watched, changed);
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  async #reload({ files, model }: Watched, changed: string): Promise<void> {
    const { reload, print } = this.#options;
    print(`${basename(changed)} has changed: loading ${basename(files.path)}`);
    try {
      const results = await reload(model);
      files.searches = results.some(({ result }) => result === "failed");
      for (const result of results) print(describeResult(result));
    } catch (error) {
      print(`${basename(files.path)} is not loaded: ${messageOf(error)}`);
    }
  }
}

function watchedModels({ model, models }: Config): Watched[] {
  const alias = fileName(model.name);
  const own = { path: model.name, model: alias === undefined || Object.hasOwn(models, alias) ? undefined : alias };
  const all = [own, ...Object.entries(models).map(([key, { name }]) => ({ path: name, model: key }))];
  return all
    .filter(({ path }) => isModelPath(path))
    .map(({ path, model: name }) => ({ files: new WatchedFiles(resolve(path)), model: name }));
}

function describeFiles({ path, count }: WatchedFiles): string {
  const shown = relative("", path);
  const imports = count - 1;
  if (imports === 0) return shown;
  return `${shown} and ${imports === 1 ? "1 file that it imports" : `${imports} files that it imports`}`;
}

/** Describes what became of a reload, for people. */
export function describeResult({
  process,
  model,
  result,
  generation,
  load_ms: loadMs,
  reason,
  earlier,
}: ReloadResult): string {
  const name = process === undefined ? model : `process ${process}, ${model}`;
  if (result !== "loaded") return `${name}: generation ${generation} goes on, because ${reason}`;
  const streams = earlier.reduce((sum, each) => sum + each.streams, 0);
  const rest = streams === 0 ? "" : `; ${streams === 1 ? "1 stream ends" : `${streams} streams end`} on earlier ones`;
  return `${name}: generation ${generation} serves new streams, loaded in ${loadMs} ms${rest}`;
}
