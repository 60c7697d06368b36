import type { Config } from "../../config/config.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { ReloadResult } from "../model-entry.ts";
import type { ServerChild } from "./server-child.ts";

/** Time for the answer of a process beyond the longest load of each of its models. */
const MARGIN_MS = 30_000;

/**
 * Reloads a model in all processes, one after the other; undefined: all models. After a process in which one is not
 * loaded, the others keep what they have.
 * @throws ProtocolError when there is no such model, or no process is ready
 */
export async function reloadProcesses(
  children: () => Iterable<ServerChild>,
  config: Config,
  model: string | undefined,
): Promise<readonly ReloadResult[]> {
  const ready = [...children()].filter(({ state }) => state === "ready").sort((a, b) => a.number - b.number);
  if (ready.length === 0) throw new ProtocolError("not_ready", "no process is ready");
  const all: ReloadResult[] = [];
  for (const child of ready) {
    const results = await reloadOne(child, longestMs(config), model).catch((error: unknown) => {
      // What other processes have done is not to be lost.
      if (all.length === 0 || !(error instanceof ProtocolError)) throw error;
      return [failure(model, error.message)];
    });
    all.push(...results.map((result) => ({ process: child.number, ...result })));
    if (results.some(({ result }) => result !== "loaded")) break;
  }
  return all;
}

async function reloadOne(
  child: ServerChild,
  timeoutMs: number,
  model: string | undefined,
): Promise<readonly ReloadResult[]> {
  const answer = await child.ask("reload", timeoutMs, model);
  if (answer === undefined) {
    const reason = `the process has ended, or has not answered within ${timeoutMs / 1000} s`;
    return [failure(model, reason)];
  }
  if ("refused" in answer) throw new ProtocolError(answer.refused.code, answer.refused.message);
  return answer.results;
}

function failure(model: string | undefined, reason: string): ReloadResult {
  return { model: model ?? "", result: "failed", generation: 0, reason, earlier: [] };
}

function longestMs(config: Config): number {
  const models = [config.model, ...Object.values(config.models)];
  return models.reduce((sum, { load_timeout_ms }) => sum + load_timeout_ms, MARGIN_MS);
}
