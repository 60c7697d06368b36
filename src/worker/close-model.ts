import { isStateful, type LoadedModel } from "./load-model.ts";
import { disposeUnsent } from "./stream-steps.ts";

/** Disposes of a state that the server does not get, if there is a model that keeps states. Errors are printed. */
export async function disposeOf(loaded: LoadedModel | undefined, state: unknown): Promise<void> {
  if (loaded !== undefined && isStateful(loaded.model)) await disposeUnsent(loaded.model, state);
}

/** Disposes of states that the server has not had, and closes the model, if there is one. Errors are printed. */
export async function closeModel(loaded: LoadedModel | undefined, unsent: readonly unknown[]): Promise<void> {
  for (const state of unsent) await disposeOf(loaded, state);
  for (const part of [loaded?.model, loaded?.tracing]) {
    try {
      await part?.close?.();
    } catch (error) {
      console.error(`close() failed: ${String(error)}`);
    }
  }
  loaded?.reports.flush();
}
