import type { Call, ModelModule } from "../../../src/model/model.ts";

/** What a call does, by the first sample of its audio; else it waits so many milliseconds. */
export const WAITS = { forAbort: -1, forEver: -2, blocking: -3, reason: -4, refused: -5, crash: -6, meet: -7 } as const;
/** Calls that run at once at most. */
const CONCURRENCY = 4;
/** How long `WAITS.blocking` blocks the worker, ms. */
export const BLOCKED_MS = 300;

let running = 0;
let aborted = 0;
let last: string | undefined;

const met: (() => void)[] = [];

/** Resolves when as many calls run as the model takes, of the last one first. */
function meet(): Promise<void> {
  return new Promise((resolve) => {
    met.push(resolve);
    if (met.length < CONCURRENCY) return;
    setImmediate(() => {
      for (const go of met.splice(0).toReversed()) go();
    });
  });
}

/** Settles when the call is aborted: it rejects with the reason. */
function untilAborted({ signal }: Call): Promise<never> {
  return new Promise((_, reject) => {
    const fail = (): void => {
      aborted++;
      last = String((signal?.reason as Error).name);
      reject(signal?.reason as Error);
    };
    if (signal?.aborted === true) fail();
    else signal?.addEventListener("abort", fail);
  });
}

/** Waits without blocking, up to `concurrency` calls at once. An output has the calls that ran when it was called. */
async function infer(audio: Float32Array, call: Call): Promise<object> {
  const together = ++running;
  const [order = 0] = audio;
  try {
    switch (order) {
      case WAITS.forAbort:
        return await untilAborted(call);
      case WAITS.forEver:
        return await new Promise<never>(() => {});
      case WAITS.blocking:
        Bun.sleepSync(BLOCKED_MS);
        return { together };
      case WAITS.reason:
        return { aborted, last: last ?? null };
      case WAITS.refused:
        throw Object.assign(new Error("the engine is away"), { code: "model_unavailable" });
      case WAITS.crash:
        Bun.sleepSync(BLOCKED_MS);
        return process.exit(3);
    }
    await (order === WAITS.meet ? meet() : Bun.sleep(order));
    // Other calls have not changed the audio meanwhile.
    return { together, first: audio[0], last: audio.at(-1), count: audio.length };
  } finally {
    running--;
  }
}

export default {
  name: "waiting",
  concurrency: CONCURRENCY,
  settings: { warm: { default: true } },
  load: () => ({ infer, warmUp: () => {} }),
} satisfies ModelModule;
