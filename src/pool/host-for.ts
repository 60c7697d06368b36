import { modelVariables } from "../lib/model-variables.ts";
import { isPythonPath } from "../model/models.ts";
import { type ModelOutput, processHost } from "./process-host.ts";
import { pythonLaunch } from "./python-launch.ts";
import { threadHost } from "./thread-host.ts";
import type { StartHost } from "./worker-host.ts";

/** What decides where a model runs. */
export interface HostedModel {
  /** Name of a built-in model or path of a model file. */
  readonly name: string;
  readonly isolation: "thread" | "process";
  /** Interpreter of a model in Python, by name or path; "auto": see `findInterpreter`. */
  readonly python: string;
  /** Variables of its processes, beside those that pass. */
  readonly env: Readonly<Record<string, string>>;
}

/** How this program runs models. */
export interface HostPrograms {
  /** URL of `src/worker.ts`. */
  readonly workerUrl: string | URL;
  /** Command line of a process that runs a TypeScript model. */
  readonly modelCommand: readonly string[];
}

/** Returns where the workers of a model run. @param output receives what models in processes print */
export function hostFor(model: HostedModel, programs: HostPrograms, output: ModelOutput): StartHost {
  if (model.isolation === "thread") return threadHost(programs.workerUrl);
  const { env } = model;
  if (isPythonPath(model.name))
    return processHost(({ model: path }) => pythonLaunch(path, model.python, modelVariables(env)), output);
  const launch = { command: programs.modelCommand, argv0: "streamer-model", environment: modelVariables(env) };
  return processHost(() => launch, output);
}
