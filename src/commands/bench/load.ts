import type { ClientTls } from "../../client/tls.ts";
import { clientFrame, OPCODE } from "../../client/websocket-frames.ts";
import { BenchStream } from "./bench-stream.ts";
import { Meter } from "./meter.ts";
import type { Recording } from "./recording.ts";
import type { Tally } from "./tally.ts";

/** Time between two looks at the clock. */
const TICK_MS = 1;
/** Messages of the recording between the beginnings of two streams: a prime, so that all places come up. */
const SHIFT_MESSAGES = 7;

export interface Load {
  readonly url: URL;
  /** Headers of every upgrade. */
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: ClientTls;
  /** Streams take the recordings in turn. All have the same message time. */
  readonly recordings: readonly Recording[];
  /** Fields of `start` besides `format`. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** Streams of all processes, and which of them this process has: `part`, `part + parts`, ... */
  readonly streams: number;
  readonly part: number;
  readonly parts: number;
  /** Milliseconds over which the streams connect, then until counting starts, then counted. */
  readonly rampMs: number;
  readonly settleMs: number;
  readonly countMs: number;
  /** Milliseconds to wait for a connection, a reply to `start`, and `stopped`. */
  readonly timeoutMs: number;
}

/** Processor time of the generator while counting, in cores: all its processes, and the busiest of them. */
export interface GeneratorUse {
  cores: number;
  busiest: number;
}

export interface LoadResult {
  readonly tally: Tally;
  readonly generator: GeneratorUse;
  /** Streams that were open when counting ended. */
  readonly open: number;
  /** Milliseconds for which streams were counted: less than planned if all of them ended before. */
  readonly countedMs: number;
}

export interface LoadEvents {
  /** Counting starts, and later ends. */
  counting?(): void;
  /** Called about once a second. */
  progress?(open: number, elapsedMs: number): void;
}

/**
 * Runs paced streams on an absolute clock: stream i has place i in every message time, so that messages are spread
 * evenly. A stream that the server does not read falls behind and catches up; the latencies of its results count from
 * when the audio was due, so that waiting is not hidden. Without any stream left, the run is over.
 */
export async function runLoad(load: Load, beginAt: number, events: LoadEvents = {}): Promise<LoadResult> {
  const { recordings, streams: total, part, parts, rampMs, settleMs, countMs, timeoutMs } = load;
  const messageMs = recordings[0]?.messageMs ?? 0;
  const meter = new Meter(messageMs);
  const starts = recordings.map(({ format }) => {
    const request = JSON.stringify({ request: "start", format, ...load.fields });
    return clientFrame(OPCODE.text, new TextEncoder().encode(request));
  });
  const now = (): number => performance.now();
  const places = Array.from({ length: Math.ceil((total - part) / parts) }, (_, i) => part + i * parts);
  const streams = places.map((place) => {
    const which = place % recordings.length;
    const recording = recordings[which]!;
    const firstMessage = (place * SHIFT_MESSAGES) % recording.frames.length;
    return new BenchStream(
      {
        url: load.url,
        headers: load.headers,
        tls: load.tls,
        start: starts[which]!,
        recording,
        firstMessage,
        timeoutMs,
      },
      meter,
      now,
    );
  });
  const end = rampMs + settleMs + countMs;
  let cpu: NodeJS.CpuUsage | undefined;
  let cores = 0;
  let [opened, over, nextProgress] = [0, 0, 0];
  for (const { done } of streams) void done.then(() => over++);
  let elapsed = 0;
  /** Turns taken so far: turn t is stream t % n in message time t / n. */
  let turn = 0;
  for (; elapsed < end && over < streams.length; elapsed = now() - beginAt) {
    while (opened < streams.length && elapsed >= ((places[opened] ?? 0) / total) * rampMs)
      void streams[opened++]!.open();
    if (!meter.counting && elapsed >= rampMs + settleMs) {
      meter.counting = true;
      cpu = process.cpuUsage();
      events.counting?.();
    }
    for (; ; turn++) {
      const index = turn % streams.length;
      const due = Math.floor(turn / streams.length) * messageMs + ((places[index] ?? 0) / total) * messageMs;
      if (due > elapsed) break;
      streams[index]!.tick(now(), beginAt + due);
    }
    if (elapsed >= nextProgress) {
      events.progress?.(meter.open, elapsed);
      nextProgress = elapsed + 1000;
    }
    await Bun.sleep(TICK_MS);
  }
  const countedMs = Math.max(0, Math.min(elapsed, end) - rampMs - settleMs);
  if (cpu !== undefined && countedMs > 0) {
    const { user, system } = process.cpuUsage(cpu);
    cores = (user + system) / 1000 / countedMs;
  }
  if (meter.counting) events.counting?.();
  meter.counting = false;
  const { open } = meter;
  await stopAll(streams, messageMs, timeoutMs);
  return { tally: meter.tally, generator: { cores, busiest: cores }, open, countedMs };
}

/** Ends the streams over one message time, and gives up those that do not end. */
async function stopAll(streams: readonly BenchStream[], messageMs: number, timeoutMs: number): Promise<void> {
  const batch = Math.max(1, Math.ceil((streams.length * TICK_MS) / messageMs));
  for (let i = 0; i < streams.length; i++) {
    streams[i]!.stop();
    if (i % batch === batch - 1) await Bun.sleep(TICK_MS);
  }
  const giveUp = setTimeout(() => {
    for (const stream of streams) stream.abandon();
  }, timeoutMs);
  await Promise.all(streams.map(({ done }) => done));
  clearTimeout(giveUp);
}
