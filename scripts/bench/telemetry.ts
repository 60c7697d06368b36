// What being measured and traced costs a message, inside of the server: sessions on a peer that takes everything, a model that answers at once, no
// sockets, threads or timers, so that a hundred nanoseconds show. Compare with what a message costs in all (`streams.ts`).
//
//   bun scripts/bench/telemetry.ts [--rounds 9]

import { parseArgs } from "node:util";

import { BasicTracerProvider, TraceIdRatioBasedSampler } from "@opentelemetry/sdk-trace-base";

import { PATTERNS } from "../../src/pipeline/patterns.ts";
import { Session } from "../../src/session/session.ts";
import { stageInstruments } from "../../src/telemetry/metrics/families/stages.ts";
import { MainThreadTimer } from "../../src/telemetry/metrics/main-thread-timer.ts";
import { MessageCounters } from "../../src/telemetry/metrics/message-counters.ts";
import { ServerMetrics } from "../../src/telemetry/metrics/server-metrics.ts";
import { StreamMetrics } from "../../src/telemetry/metrics/stream-metrics.ts";
import { NO_TRACING } from "../../src/telemetry/tracing/no-tracing.ts";
import { OtelTracing } from "../../src/telemetry/tracing/otel-tracing.ts";
import type { Tracing } from "../../src/telemetry/tracing/tracing.ts";
import { Desk, FakePeer } from "../../tests/support/session-harness.ts";

const SESSIONS = 200;
const MESSAGE_SAMPLES = 1_600;
const SPEECH_MESSAGES = 20;
const CYCLE_MESSAGES = 30;
const CYCLES = 4;

class NoTimer extends MainThreadTimer {
  override enterMessage(): void {}
  override enter(): undefined {}
  override leave(): void {}
  override decoded(): void {}
}

class NoCounters extends MessageCounters {
  override countAudio(): void {}
  override countText(): void {}
}

class NoStreamMetrics extends StreamMetrics {
  override started(): void {}
  override stopped(): void {}
  override finalSent(): void {}
}

/** Measures nothing: what a server without metrics would be. */
class NoMetrics extends ServerMetrics {
  override readonly mainThread = new NoTimer(
    {
      seconds: new Map(),
      audioStages: {
        decode: stageInstruments(this.families.stages, "decode"),
        vad: stageInstruments(this.families.stages, "vad"),
      },
    },
    () => 0,
  );
  override readonly received = new NoCounters(
    this.families.traffic.receivedMessages,
    this.families.traffic.receivedBytes,
  );
  override readonly sent = new NoCounters(this.families.traffic.sentMessages, this.families.traffic.sentBytes);
  readonly #streams = new NoStreamMetrics(this.registry, this.families, { pattern: "segmented", model: "simulated" });

  override stream(): StreamMetrics {
    return this.#streams;
  }

  override eventSent(): void {}
}

class DeafPeer extends FakePeer {
  override send(): void {}
}

/** Spans that are recorded and go nowhere. */
function traced(share: number): Tracing {
  const provider = new BasicTracerProvider({
    sampler: new TraceIdRatioBasedSampler(share),
  });
  return new OtelTracing(provider.getTracer("bench"), () => {});
}

let seed = 1;
function random(): number {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
  return seed / 2 ** 31 - 1;
}
const messages = Array.from({ length: CYCLE_MESSAGES }, (_, i) => {
  const amplitude = i < CYCLE_MESSAGES - SPEECH_MESSAGES ? 57 : 5_700;
  const samples = Int16Array.from({ length: MESSAGE_SAMPLES }, () => Math.round(random() * amplitude));
  return new Uint8Array(samples.buffer);
});

/** Sessions that go on from round to round. */
class Load {
  readonly nanoseconds: number[] = [];
  readonly #desk = new Desk({ "limits.arena_mb": 64 });
  readonly #sessions: Session[];

  constructor(metrics: ServerMetrics, tracing: Tracing) {
    const pattern = PATTERNS["segmented"];
    if (pattern === undefined) throw new Error("no pattern");
    const services = { ...this.#desk.services, metrics };
    this.#sessions = Array.from({ length: SESSIONS }, (_, i) => {
      const trace = tracing.startConnection(new Request("http://localhost/"), "/api/v1/segmented");
      const session = new Session({ id: `${i}`, peer: new DeafPeer(), pattern, services, trace });
      const format = { channels: 1, sample_rate: 16_000, bit_depth: 16, is_float: false };
      session.receive(JSON.stringify({ request: "start", format }));
      return session;
    });
  }

  async round(): Promise<void> {
    const before = process.threadCpuUsage();
    for (let i = 0; i < CYCLES; i++) {
      for (const message of messages) {
        for (const session of this.#sessions) session.receive(message);
        await this.#desk.answerAll();
      }
    }
    const { user, system } = process.threadCpuUsage(before);
    this.nanoseconds.push(((user + system) * 1_000) / (CYCLES * CYCLE_MESSAGES * SESSIONS));
  }
}

const { values } = parseArgs({ options: { rounds: { type: "string", default: "9" } } });
const loads: [name: string, load: Load][] = [
  ["nothing", new Load(new NoMetrics(), NO_TRACING)],
  ["metrics", new Load(new ServerMetrics(), NO_TRACING)],
  ["metrics, 1 % of streams traced", new Load(new ServerMetrics(), traced(0.01))],
  ["metrics, all streams traced", new Load(new ServerMetrics(), traced(1))],
];
for (const [, load] of loads) await load.round();
for (let round = 0; round < Number(values.rounds); round++) for (const [, load] of loads) await load.round();
console.log("on                              ns a message: least  median");
for (const [name, { nanoseconds }] of loads) {
  const sorted = nanoseconds.slice(1).sort((a, b) => a - b);
  const [least = NaN, median = NaN] = [sorted[0], sorted[sorted.length >> 1]];
  console.log(`${name.padEnd(32)}  ${least.toFixed(0).padStart(18)}  ${median.toFixed(0).padStart(6)}`);
}
process.exit(0);
