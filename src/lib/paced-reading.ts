/** Period in which the bytes of a stream are counted. */
export const READ_PERIOD_MS = 1000;
/** Pause between two reads of a stream that is over its limit, so that its reader costs little. */
export const SLOW_READ_MS = 20;

export interface PacedReading {
  /** Bytes in `READ_PERIOD_MS` that are read as fast as they come. Further ones are read slowly. */
  readonly bytes: number;
  /** Ends the reading, and closes the stream. */
  readonly signal?: AbortSignal;
  readonly now?: () => number;
  /** Lets the event loop run, for so many milliseconds at least. */
  readonly pause?: (ms: number) => Promise<void>;
}

/**
 * Reads a stream to its end, so that other tasks of this thread run between any two reads. Resolves at the end of the
 * stream, also when its pipe breaks. A writer that is too fast waits, because its pipe is full.
 */
export async function readPaced(
  stream: ReadableStream<Uint8Array>,
  receive: (bytes: Uint8Array) => void,
  { bytes: limit, signal, now = () => performance.now(), pause = takeTurn }: PacedReading,
): Promise<void> {
  const reader = stream.getReader();
  const read = () => reader.read().catch(() => ({ done: true, value: undefined }) as const);
  const stop = () => void reader.cancel().catch(() => {});
  signal?.addEventListener("abort", stop, { once: true });
  if (signal?.aborted === true) stop();
  let periodEnd = 0;
  let count = 0;
  for (let part = await read(); part.value !== undefined; part = await read()) {
    receive(part.value);
    if (now() >= periodEnd) {
      periodEnd = now() + READ_PERIOD_MS;
      count = 0;
    }
    count += part.value.length;
    // Reads of a pipe that has data resolve without a turn of the event loop.
    await pause(count > limit ? SLOW_READ_MS : 0);
  }
  signal?.removeEventListener("abort", stop);
}

function takeTurn(ms: number): Promise<void> {
  return ms > 0 ? Bun.sleep(ms) : new Promise((resolve) => void setImmediate(resolve));
}
