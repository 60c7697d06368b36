/** A model that sleeps, as a graphics card computes while the processor waits. */
export interface Sleeper {
  readonly maxBatch: number;
  readonly maxBatchWaitMs?: number;
  /** Milliseconds of a call, and more for each item of its batch. */
  readonly callMs: number;
  readonly itemMs?: number;
}

/** The source of a model file. */
export function sleeperModel({ maxBatch, maxBatchWaitMs = 0, callMs, itemMs = 0 }: Sleeper): string {
  return `
  const cell = new Int32Array(new SharedArrayBuffer(4));
  const block = (items) => void Atomics.wait(cell, 0, 0, ${callMs} + ${itemMs} * items);
  const answer = (audio) => ({ count: audio.length });
  export default {
    name: "sleeper",
    maxBatch: ${maxBatch},
    maxBatchWaitMs: ${maxBatchWaitMs},
    load: () => ({
      infer: (audio) => (block(1), answer(audio)),
      inferBatch: (audios) => (block(audios.length), audios.map(answer)),
    }),
  };`;
}
