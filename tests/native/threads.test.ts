import { expect, test } from "bun:test";

const THREADS = 4;
const ROOM = 400_000;

function bytesOf(samples: Float32Array): Uint8Array {
  return new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
}

test("threads that share the filters and write to one shared memory get the same bits", async () => {
  const memory = new SharedArrayBuffer(THREADS * ROOM * 4);
  // More pairs than the table of filters holds, so that filters come and go under way.
  const rates = Array.from({ length: 24 }, (_, i) => 12_000 + 1371 * i);
  const workers = Array.from(
    { length: THREADS },
    () => new Worker(new URL("../support/native/threads.worker.ts", import.meta.url).href),
  );
  const lengths = await Promise.all(
    workers.map(
      (worker, i) =>
        new Promise<number>((resolve, reject) => {
          worker.onmessage = (event: MessageEvent<number>) => resolve(event.data);
          worker.onerror = (event) => reject(new Error(event.message));
          worker.postMessage({ memory, offset: i * ROOM, rates });
        }),
    ),
  );
  for (const worker of workers) worker.terminate();
  const [first = 0] = lengths;
  expect(first).toBeGreaterThan(50_000);
  expect(lengths).toEqual(Array.from({ length: THREADS }, () => first));
  const runs = lengths.map((_, i) => new Float32Array(memory, i * ROOM * 4, first));
  for (const run of runs) expect(Buffer.compare(bytesOf(run), bytesOf(runs[0] ?? run))).toBe(0);
  expect(runs[0]?.some((sample) => sample !== 0)).toBe(true);
});
