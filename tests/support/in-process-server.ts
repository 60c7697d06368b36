import { afterAll } from "bun:test";
import { join } from "node:path";

import { type Config, loadConfig } from "../../src/config/config.ts";
import { validateModelSettings } from "../../src/model/models.ts";
import type { Admit } from "../../src/server/admission.ts";
import type { ReloadResult } from "../../src/server/model-entry.ts";
import { Server } from "../../src/server/server.ts";
import type { TlsCredentials } from "../../src/server/tls/credentials.ts";
import { openLog } from "../../src/telemetry/log/log.ts";
import type { Tracing } from "../../src/telemetry/tracing/tracing.ts";
import { ScrapedMetrics } from "./scraped-metrics.ts";
import { waitUntil } from "./wait.ts";
import { type ConnectOptions, WebSocketClient } from "./websocket-client.ts";

/** Command line of a process that runs a model. */
const modelCommand = [process.execPath, join(import.meta.dir, "../../src/main.ts"), "model-process"];
export const workerUrl = new URL("../../src/worker.ts", import.meta.url).href;

/** Values by configuration key, such as `"limits.idle_timeout_ms"`. */
export type Settings = Readonly<Record<string, string | number>>;

/** The simulated model without delay, in one worker. */
const INSTANT_MODEL: Settings = {
  "model.workers": 1,
  "model.delay": 0,
  "model.constant_factor": 0,
  "model.jitter": 0,
  "model.warmup_penalty": 1,
};

/** Tests of other things offer more than their small servers and slow models would admit. */
export const ADMIT_ALL: Settings = {
  "limits.admission.arena": 1,
  "limits.admission.wait_ms": 3_600_000,
  "limits.admission.load": 1_000,
};

/** Connections from the machine itself count for the limits of an address, because they may be those of a proxy. */
export const LOOPBACK_IS_LIMITED: Settings = { "server.trusted_proxies": "127.0.0.0/8,::1" };

/** A process that runs all tests has many servers. The lists of slabs of a large memory would be most of their heap. */
const SMALL_ARENA: Settings = { "limits.arena_mb": 32 };

/**
 * Returns a valid configuration with these settings. Its model has no delay, unless the settings name another model,
 * and its arena is small.
 */
export function configure(settings: Settings = {}): Config {
  const preset = "model.name" in settings ? { "model.workers": 1 } : INSTANT_MODEL;
  const sets = Object.entries({ ...SMALL_ARENA, ...ADMIT_ALL, ...preset, ...settings }).map(
    ([key, value]) => `${key}=${value}`,
  );
  return loadConfig({ flags: { port: 0 }, sets, validateModelSettings }).config;
}

export interface ServerOptions {
  readonly clock?: () => number;
  /** False: `start` does not load the models. */
  readonly load?: boolean;
  /** Decides who may open a session; default: the server's own decision. */
  readonly admit?: Admit;
  readonly tracing?: Tracing;
  readonly tls?: TlsCredentials;
}

/** A server in the process of the test, on a free port. */
export class InProcessServer implements AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** Records of the log, debug level included. */
  readonly log: Record<string, unknown>[] = [];
  readonly #server: Server;
  readonly #log: Disposable;
  readonly #clients: WebSocketClient[] = [];

  /** Starts a server and waits until its models are loaded. */
  static async start(settings: Settings = {}, options: ServerOptions = {}): Promise<InProcessServer> {
    const server = new InProcessServer(configure(settings), options);
    if (options.load !== false) await server.load();
    return server;
  }

  private constructor(config: Config, { clock, admit, tracing, tls }: ServerOptions) {
    const log = openLog({
      level: "debug",
      write: (line) => this.log.push(JSON.parse(line) as Record<string, unknown>),
    });
    this.#log = log;
    const given = {
      ...(clock && { clock }),
      ...(admit && { admit }),
      ...(tracing && { telemetry: { tracing } }),
      ...(tls && { tls }),
    };
    this.#server = new Server({ config, log, program: { version: "0.0.0", workerUrl, modelCommand }, ...given });
    this.url = this.#server.url;
    this.port = Number(new URL(this.url).port);
  }

  /** The number of open sessions. */
  get sessions(): number {
    return this.#server.sessions;
  }

  useCredentials(credentials: TlsCredentials): void {
    this.#server.useCredentials(credentials);
  }

  async load(): Promise<void> {
    await this.#server.load();
  }

  /** Loads a model again; default: all that are from files. */
  async reload(model?: string): Promise<readonly ReloadResult[]> {
    return await this.#server.models.reload(model);
  }

  async drain(): Promise<void> {
    await this.#server.drain();
  }

  /** Connects a client, which is disconnected when the server is disposed. */
  async connect(options: ConnectOptions = {}): Promise<WebSocketClient> {
    const client = await WebSocketClient.connect(this.port, options);
    this.#clients.push(client);
    return client;
  }

  async fetch(path: string, init: RequestInit = {}): Promise<Response> {
    // Whether a client checks the certificate is tested elsewhere.
    return await fetch(`${this.url}${path}`, { ...init, tls: { rejectUnauthorized: false } });
  }

  async metrics(): Promise<ScrapedMetrics> {
    return new ScrapedMetrics(await (await this.fetch("/metrics", { headers: { accept: "text/plain" } })).text());
  }

  /** Reads `/api/v1/info`. */
  async info(): Promise<{ sessions: number; arena: { used_slabs: number; slabs: number }; models: unknown[] }> {
    return (await (await this.fetch("/api/v1/info")).json()) as Awaited<ReturnType<InProcessServer["info"]>>;
  }

  /** Waits until no session is open and all audio memory is free. */
  async waitUntilIdle(): Promise<void> {
    await waitUntil("all sessions to be closed", () => this.sessions === 0);
    await waitUntil("the arena to be empty", async () => (await this.info()).arena.used_slabs === 0);
  }

  /** Returns the log's records of one event. */
  logged(event: string): Record<string, unknown>[] {
    return this.log.filter((record) => Object.values(record).includes(event));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client[Symbol.dispose]();
    await this.#server.close();
    this.#log[Symbol.dispose]();
  }
}

/**
 * Starts one server for all tests of the calling file. After them it must become idle without help, and is then closed.
 */
export async function sharedServer(settings: Settings = {}): Promise<InProcessServer> {
  const server = await InProcessServer.start(settings);
  afterAll(async () => {
    await server.waitUntilIdle();
    await server[Symbol.asyncDispose]();
  });
  return server;
}
