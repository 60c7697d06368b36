import { runPlan } from "../../../src/commands/bench/parts.ts";
import { ServerProcess } from "./server-process.ts";
import { speechPlan } from "./speech-plan.ts";

/** Seconds in which the streams connect. */
const RAMP = 2;
const TIMEOUT = 10;
/** The interval of a Prometheus that scrapes often. */
const SCRAPE_MS = 5_000;
/** Messages of each stream in a second. */
const MESSAGES = 10;

/** A server to measure. */
export interface Case {
  readonly name: string;
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface StreamRun {
  readonly pattern: string;
  readonly streams: number;
  /** Seconds before counting starts, and counted. */
  readonly settle: number;
  readonly seconds: number;
  /** Hz. */
  readonly sampleRate: number;
}

export interface StreamResult {
  /** Milliseconds of the server's processor time for a second of one stream. */
  readonly cpuMs: number;
  /** Microseconds of the same for a message. */
  readonly messageUs: number;
  /** Milliseconds from the message with the deciding sample to the final result. */
  readonly delays: readonly number[];
  readonly rssMib: number;
  /** Streams that ended with `stopped`, of all that were offered. */
  readonly served: number;
  /** Messages that the generator sent more than the time of one message late. */
  readonly late: number;
  /** Turns of the event loop with more than 20 ms of processor time; NaN for servers that do not count them. */
  readonly longTurns: number;
}

/** The arguments of `serve` with an instant model on a free port. */
export function instantServer(more: readonly string[] = []): string[] {
  const instant = ["delay", "constant_factor", "jitter"].flatMap((key) => ["--set", `model.${key}=0`]);
  return ["serve", "--port", "0", ...instant, ...more];
}

/** The bare `Bun.serve` socket that Streamer is compared with. */
export const RAW_SINK: Case = { name: "raw", command: [process.execPath, `${import.meta.dir}/raw-socket.ts`] };

/** Starts a server, drives it with paced streams of the built-in speech, and ends it. `/metrics` is scraped meanwhile. */
export async function measureStreams(
  { name, command, env }: Case,
  { pattern, streams, settle, seconds, sampleRate }: StreamRun,
  executable: string,
): Promise<StreamResult> {
  await using server = await ServerProcess.start(command, env);
  const scrape = async (): Promise<string> => await (await fetch(`http://${server.host}/metrics`)).text();
  // The first scrape loads modules, which is not part of the cost of a scrape.
  await scrape();
  const scrapes = setInterval(() => void scrape(), SCRAPE_MS);
  const readings: { cpuMs: number; at: number; metrics: Promise<string> }[] = [];
  try {
    const addr = `ws://${server.host}/api/v1/${pattern}`;
    const plan = speechPlan({ addr, streams, ramp: RAMP, settle, seconds, timeout: TIMEOUT, sampleRate });
    const { tally } = await runPlan(plan, [executable], {
      counting: () => readings.push({ cpuMs: server.cpuMs, at: performance.now(), metrics: scrape() }),
    });
    const [begin, end] = readings;
    if (begin === undefined || end === undefined) throw new Error(`${name}: all streams ended before counting`);
    const cpuMs = (end.cpuMs - begin.cpuMs) / ((streams * (end.at - begin.at)) / 1000);
    return {
      cpuMs,
      messageUs: (cpuMs * 1000) / MESSAGES,
      delays: tally.finals,
      rssMib: server.rssMib,
      served: tally.stopped,
      late: tally.late,
      longTurns: longTurns(await end.metrics) - longTurns(await begin.metrics),
    };
  } finally {
    clearInterval(scrapes);
  }
}

function longTurns(metrics: string): number {
  const count = (pattern: RegExp): number => {
    const values = [...metrics.matchAll(pattern)].map(([, value]) => Number(value));
    return values.length === 0 ? NaN : values.reduce((a, b) => a + b);
  };
  return (
    count(/^streamer_event_loop_turn_seconds_count\{[^}]*\} (\d+)/gm) -
    count(/^streamer_event_loop_turn_seconds_bucket\{le="0\.02"[^}]*\} (\d+)/gm)
  );
}
