import { parseKeyring } from "../../../src/auth/keyring.ts";
import { Headroom } from "../../../src/capacity/headroom.ts";
import type { StreamLoad } from "../../../src/capacity/stream-load.ts";
import { streamer } from "../../../src/dialects/streamer.ts";
import { WebSockets } from "../../../src/server/websocket.ts";
import { withResumption } from "../../../src/server/with-resumption.ts";
import type { Place } from "../../../src/session/session-places.ts";
import type { Session } from "../../../src/session/session.ts";
import { newSessionId, Sessions } from "../../../src/session/sessions.ts";
import { StreamAdmission } from "../../../src/stream/stream-admission.ts";
import { FaultLog } from "../../../src/telemetry/log/fault-log.ts";
import { takeSnapshot } from "../../../src/telemetry/metrics/metric-snapshot.ts";
import { untracedConnection } from "../../../src/telemetry/tracing/no-tracing.ts";
import { encode, speech } from "../audio.ts";
import { FLUSH, startRequest } from "../requests.ts";
import { SessionHarness } from "../session-harness.ts";
import { FakeSocket } from "./fake-socket.ts";

const SETTINGS = { "limits.session_ms": 60_000, "limits.resume_ms": 60_000, "limits.arena_mb": 1 };
const GAUGES = new Set(["streamer_streams_active", "streamer_channels_active"]);
const SWEEP_MS = 500;
const audio = encode("s16", speech([0.3, 0.3]));
const STEP = 8_000;

/** Counts what has been entered and not left. */
class CountedHeadroom extends Headroom {
  readonly entered = new Set<StreamLoad>();
  expected = 0;

  override expect(...args: Parameters<Headroom["expect"]>): () => void {
    const arrived = super.expect(...args);
    let waits = 1;
    this.expected++;
    return () => {
      this.expected -= waits;
      waits = 0;
      arrived();
    };
  }

  override enter(...args: Parameters<Headroom["enter"]>): StreamLoad {
    const load = super.enter(...args);
    this.entered.add(load);
    return load;
  }

  override leave(load: StreamLoad): void {
    super.leave(load);
    this.entered.delete(load);
  }
}

/** One client that streams over the WebSocket transport, without a network. The model is the test. */
export class FaultConversation implements Disposable {
  readonly harness = new SessionHarness(SETTINGS);
  readonly sessions: Sessions;
  readonly socket: FakeSocket;
  readonly #headroom: CountedHeadroom;
  readonly #websockets: WebSockets;
  readonly #faults: FaultLog;
  #placesHeld = 1;

  constructor() {
    const { services, arena } = this.harness;
    const { config, log, clock } = services;
    this.#headroom = new CountedHeadroom({ arena: 1, waitMs: Infinity, load: Infinity }, arena, () => ({
      hold: 1,
      compute: 0,
    }));
    const admission = new StreamAdmission(this.#headroom, services);
    this.#faults = new FaultLog(log, clock);
    const keyring = parseKeyring(`test ${"11".repeat(32)}`, "keys");
    this.sessions = new Sessions(withResumption({ ...services, admission }, keyring));
    const { limits } = config;
    this.#websockets = new WebSockets({
      sessions: this.sessions,
      limits,
      faults: this.#faults,
      clock,
      handled: () => {},
    });
    const path = "/api/v1/segmented";
    const place: Place = { release: () => void this.#placesHeld-- };
    this.socket = new FakeSocket(this.#websockets.handler, {
      id: newSessionId(),
      caller: { id: "client", address: "192.0.2.1", limits: { maxSessions: 0 } },
      place,
      opened: streamer.open(path, new Request(`http://localhost${path}`), config),
      trace: untracedConnection(),
    });
  }

  /** A client connects and streams two utterances; the first one is answered. */
  async stream(): Promise<void> {
    this.socket.open();
    this.socket.receive(startRequest({ interim_results: true, interim_interval_ms: 100, flush_after_ms: 60_000 }));
    for (let at = 0; at < audio.length; at += STEP) {
      this.socket.receive(audio.subarray(at, at + STEP));
      await this.harness.runDeferred();
      if (at === 2 * STEP) while (this.harness.pendingJobs.length > 0) this.harness.answer();
    }
    this.socket.receive(FLUSH);
    await this.harness.runDeferred();
  }

  /** Calls a method of the session, if it is open, as the server does for all of them. */
  each(call: (session: Session) => void): void {
    const { session } = this.socket.data;
    if (session === undefined) return;
    try {
      call(session);
    } catch (error) {
      session.failed(error);
    }
  }

  /** The timers of the server go on for this time. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= SWEEP_MS) {
      const now = (this.harness.now += SWEEP_MS);
      this.#faults.contain("tick", () => this.sessions.tick(now));
      this.#faults.contain("sweep", () => this.sessions.sweep(now));
      this.#faults.contain("socket", () => this.#websockets.sweep(now));
      await this.harness.runDeferred();
    }
  }

  /** What is left when the client and all jobs are gone, by its name; empty: nothing is. */
  async left(): Promise<Record<string, number>> {
    await this.harness.answerAll();
    this.socket.vanish();
    await this.harness.answerAll();
    const { arena, memory, metrics } = this.harness;
    const { paused, ...waiting } = this.sessions.load();
    const all: Record<string, number> = {
      sessions: this.sessions.size,
      connections: this.#websockets.size,
      places: this.#placesHeld,
      expected: this.#headroom.expected,
      entered: this.#headroom.entered.size,
      slabs: arena.used,
      streams: memory.streams,
      paused,
      ...waiting,
    };
    for (const { name, samples } of takeSnapshot(metrics.registry)) {
      if (GAUGES.has(name)) for (const { value } of samples) all[name] = (all[name] ?? 0) + value;
    }
    return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== 0));
  }

  [Symbol.dispose](): void {
    this.harness[Symbol.dispose]();
  }
}
