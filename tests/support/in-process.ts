import { type Config, loadConfig } from "../../src/config/config.ts";
import { validateModelSettings } from "../../src/model/models.ts";
import type { Admit } from "../../src/server/admission.ts";
import { Server } from "../../src/server/server.ts";
import { openLog } from "../../src/telemetry/log/log.ts";
import type { Tracing } from "../../src/telemetry/tracing/tracing.ts";
import { Peer, type PeerOptions } from "./peer.ts";
import { waitUntil } from "./wait.ts";

export const workerUrl = new URL("../../src/worker.ts", import.meta.url).href;

/** Settings by key, such as `"limits.idle_timeout_ms"`. */
export type Keys = Readonly<Record<string, string | number>>;

/** A model that answers at once, in one worker. */
const QUICK: Keys = {
  "model.workers": 1,
  "model.delay": 0,
  "model.constant_factor": 0,
  "model.jitter": 0,
  "model.warmup_penalty": 1,
};

export function configure(keys: Keys = {}): Config {
  // Other models have other settings.
  const preset = "model.name" in keys ? { "model.workers": 1 } : QUICK;
  const sets = Object.entries({ ...preset, ...keys }).map(([key, value]) => `${key}=${value}`);
  return loadConfig({ flags: { port: 0 }, sets, validateModelSettings }).config;
}

export interface RunningOptions {
  readonly clock?: () => number;
  /** False: the models are not waited for. */
  readonly load?: boolean;
  /** Decides who may open a session; default: the server's own decision. */
  readonly admit?: Admit;
  readonly tracing?: Tracing;
}

/** A server in this process, on a free port, and what it logs. */
export class Running implements AsyncDisposable {
  readonly server: Server;
  readonly port: number;
  readonly url: string;
  readonly log: Record<string, unknown>[] = [];
  readonly #log: Disposable;
  readonly #peers: Peer[] = [];

  static async start(keys: Keys = {}, options: RunningOptions = {}): Promise<Running> {
    const running = new Running(configure(keys), options);
    if (options.load !== false) await running.server.load();
    return running;
  }

  private constructor(config: Config, { clock, admit, tracing }: RunningOptions) {
    const log = openLog({
      level: "debug",
      write: (line) => this.log.push(JSON.parse(line) as Record<string, unknown>),
    });
    this.#log = log;
    const given = { ...(clock && { clock }), ...(admit && { admit }), ...(tracing && { tracing }) };
    this.server = new Server({ config, log, version: "0.0.0", workerUrl, ...given });
    this.url = this.server.url;
    this.port = Number(new URL(this.url).port);
  }

  async connect(options: PeerOptions = {}): Promise<Peer> {
    const peer = await Peer.connect(this.port, options);
    this.#peers.push(peer);
    return peer;
  }

  async get(path: string, init: RequestInit = {}): Promise<Response> {
    return await fetch(`${this.url}${path}`, init);
  }

  /** What `info` says about the moment. */
  async info(): Promise<{ sessions: number; arena: { used_slabs: number; slabs: number }; models: unknown[] }> {
    return (await (await this.get("/api/v1/info")).json()) as Awaited<ReturnType<Running["info"]>>;
  }

  /** Waits until no connection is left and all audio memory is free again. */
  async settled(): Promise<void> {
    await waitUntil("all sessions closed", () => this.server.sessions === 0);
    await waitUntil("the arena empty", async () => (await this.info()).arena.used_slabs === 0);
  }

  /** The log's records of one event. */
  logged(event: string): Record<string, unknown>[] {
    return this.log.filter((record) => Object.values(record).includes(event));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of this.#peers) peer[Symbol.dispose]();
    await this.server.close();
    this.#log[Symbol.dispose]();
  }
}
