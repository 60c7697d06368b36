import { remote } from "../../../src/model/built-in/remote.ts";
import type { AnyModel, Call, Model, PinnedModel, StatefulModel } from "../../../src/model/model.ts";
import type { RemoteState } from "../../../src/model/remote/remote-requests.ts";
import { resolveSettings } from "../../../src/model/settings.ts";

type Output = Record<string, unknown>;

/** A remote model as a worker loads it, warm, and what it has reported. */
export interface LoadedRemote extends AsyncDisposable {
  readonly model: AnyModel;
  readonly stateless: Model<Output>;
  readonly stateful: StatefulModel<Output, RemoteState>;
  readonly pinned: PinnedModel<Output>;
  /** Reasons for being unavailable, in order; undefined: available again. */
  readonly reasons: readonly (string | undefined)[];
}

/** A call of a final of the first utterance. */
export const FINAL: Call = { final: true, sampleRate: 16_000, startSeconds: 0, options: undefined };

/** Loads the model `m` of engines. Their failures are found fast, and out of service they stay for 50 ms at first. */
export async function loadRemote(urls: readonly string[], settings: Output = {}): Promise<LoadedRemote> {
  const resolved = resolveSettings(remote, { urls, model: "m", breaker_open_ms: 50, ...settings });
  if (resolved.problems.length > 0) throw new Error(resolved.problems.join("; "));
  const reasons: (string | undefined)[] = [];
  const metrics = { add: () => {}, set: () => {}, observe: () => {} };
  const unavailable = (reason: string | undefined) => void reasons.push(reason);
  const model = await remote.load(resolved.settings, { spawn: 0, metrics, unavailable });
  await model.warmUp?.();
  return {
    model,
    stateless: model as Model<Output>,
    stateful: model as StatefulModel<Output, RemoteState>,
    pinned: model as PinnedModel<Output>,
    reasons,
    [Symbol.asyncDispose]: async () => await model.close?.(),
  };
}
