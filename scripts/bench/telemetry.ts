// Cost of metrics and traces per message within a session. There are no sockets, threads or timers, and the model
// answers at once, so differences of a hundred nanoseconds show. `streams` gives the whole cost of a message.
//
//   bun run bench telemetry [--rounds 9]

import { parseArgs } from "node:util";

import { BasicTracerProvider, TraceIdRatioBasedSampler } from "@opentelemetry/sdk-trace-base";

import { streamer } from "../../src/dialects/streamer.ts";
import { Session } from "../../src/session/session.ts";
import { stageInstruments } from "../../src/telemetry/metrics/families/stages.ts";
import { MainThreadTimer } from "../../src/telemetry/metrics/main-thread-timer.ts";
import { MessageCounters } from "../../src/telemetry/metrics/message-counters.ts";
import { ServerMetrics } from "../../src/telemetry/metrics/server-metrics.ts";
import { StreamMetrics } from "../../src/telemetry/metrics/stream-metrics.ts";
import { NO_TRACING } from "../../src/telemetry/tracing/no-tracing.ts";
import { OtelTracing } from "../../src/telemetry/tracing/otel-tracing.ts";
import type { Tracing } from "../../src/telemetry/tracing/tracing.ts";
import { FakeConnection, SessionHarness } from "../../tests/support/session-harness.ts";
import { generator, LOUD, noise, QUIET } from "./support/bursts.ts";
import { printMachine } from "./support/machine.ts";
import { median } from "./support/statistics.ts";

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

/** Counts nothing, like a server without metrics. */
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

class DeafConnection extends FakeConnection {
  override send(): void {}
}

/** Records spans and exports none. */
function traced(share: number): Tracing {
  const provider = new BasicTracerProvider({
    sampler: new TraceIdRatioBasedSampler(share),
  });
  return new OtelTracing(provider.getTracer("bench"), () => {});
}

const messages = Array.from({ length: CYCLE_MESSAGES }, (_, i) => {
  const peak = i < CYCLE_MESSAGES - SPEECH_MESSAGES ? QUIET : LOUD;
  return new Uint8Array(noise(generator(i + 1), MESSAGE_SAMPLES, peak).buffer);
});

/** Sessions that stay open over all rounds. */
class Load {
  readonly nanoseconds: number[] = [];
  readonly #harness = new SessionHarness({ "limits.arena_mb": 64 });
  readonly #sessions: Session[];

  constructor(metrics: ServerMetrics, tracing: Tracing) {
    const services = { ...this.#harness.services, metrics };
    const request = new Request("http://localhost/api/v1/segmented");
    const opened = streamer.open("/api/v1/segmented", request, services.config);
    const caller = { id: "bench", address: "", limits: { maxSessions: 0 } };
    this.#sessions = Array.from({ length: SESSIONS }, (_, i) => {
      const trace = tracing.startConnection(request, "/api/v1/segmented");
      const accepted = { id: `${i}`, caller, place: { release: () => undefined }, opened, trace };
      const session = new Session(new DeafConnection(), accepted, services);
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
        await this.#harness.answerAll();
      }
    }
    const { user, system } = process.threadCpuUsage(before);
    this.nanoseconds.push(((user + system) * 1_000) / (CYCLES * CYCLE_MESSAGES * SESSIONS));
  }
}

printMachine();
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
  const counted = nanoseconds.slice(1);
  const [least, middle] = [Math.min(...counted), median(counted)];
  console.log(`${name.padEnd(32)}  ${least.toFixed(0).padStart(18)}  ${middle.toFixed(0).padStart(6)}`);
}
process.exit(0);
