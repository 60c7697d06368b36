import { join } from "node:path";

import { buildExecutable } from "../../../scripts/build.ts";
import { encode, noise } from "../audio.ts";
import { FakeEngine } from "../engines/fake-engine.ts";
import { inferenceReply } from "../engines/fake-inference.ts";
import { ADMIT_ALL } from "../in-process-server.ts";
import { waitUntil, withTimeout } from "../wait.ts";
import { UpgradeRefused, WebSocketClient } from "../websocket-client.ts";

const sample = join(import.meta.dir, "..", "..", "data", "two-speakers-48k.wav");
const MAX_SESSIONS = 12;
/** One request in so many is refused by an engine that is busy, and made again at the other one. */
const BUSY_EVERY = 10;

const SETTINGS = {
  // The flaky model keeps calls waiting while its only worker is replaced.
  ...ADMIT_ALL,
  "model.workers": 2,
  "model.delay": 0.01,
  // A model that fails and crashes, so that those metrics move, too.
  "models.flaky.name": "simulated",
  "models.flaky.workers": 1,
  "models.flaky.failure_rate": 0.3,
  "models.flaky.panic_rate": 0.1,
  "models.pinned.name": join(import.meta.dir, "..", "models", "incremental.ts"),
  "models.engine.name": "remote",
  "models.engine.model": "m",
  "limits.max_sessions": MAX_SESSIONS,
  "limits.read_ahead_seconds": 1,
};

/** A running `./streamer serve` under a load that moves every metric. */
export class LoadedServer implements AsyncDisposable {
  readonly executable: string;
  readonly port: number;
  readonly #child: Bun.Subprocess;
  readonly #collector: Bun.Server<undefined>;
  readonly #engines: readonly FakeEngine[];
  readonly #stop = new AbortController();
  #load: Promise<unknown> = Promise.resolve();

  static async start(): Promise<LoadedServer> {
    const executable = await buildExecutable();
    // Accepts traces and ignores them.
    const collector = Bun.serve({ port: 0, fetch: () => new Response() });
    const engines = [await FakeEngine.start(), await FakeEngine.start()];
    for (const engine of engines) {
      engine.script = (request) =>
        engine.requests.length % BUSY_EVERY === 0 ? { status: 503 } : inferenceReply(request);
    }
    const settings = { ...SETTINGS, "models.engine.urls": engines.map(({ url }) => url).join(",") };
    const sets = Object.entries(settings).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
    const child = Bun.spawn([executable, "serve", "--port", "0", "--log-level", "error", ...sets], {
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.port}` },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "inherit",
    });
    const output = await withTimeout("the server listens", child.stdout.getReader().read());
    const port = /:(\d+)\n$/.exec(new TextDecoder().decode(output.value))?.[1];
    if (port === undefined) throw new Error(`the server did not listen and exited with ${await child.exited}`);
    const server = new LoadedServer(executable, Number(port), child, collector, engines);
    server.#load = server.#keepBusy();
    return server;
  }

  private constructor(
    executable: string,
    port: number,
    child: Bun.Subprocess,
    collector: Bun.Server<undefined>,
    engines: readonly FakeEngine[],
  ) {
    this.executable = executable;
    this.port = port;
    this.#child = child;
    this.#collector = collector;
    this.#engines = engines;
  }

  /** Settles only when the load stops; rejects when it fails. */
  get load(): Promise<unknown> {
    return this.#load;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#load.catch(() => {});
    this.#child.kill("SIGTERM");
    await this.#child.exited;
    await this.#collector.stop(true);
    for (const engine of this.#engines) await engine[Symbol.asyncDispose]();
  }

  async #keepBusy(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await Promise.all([
        this.#speech(),
        this.#noise("simple"),
        this.#noise("stateful"),
        this.#noise("stateful", "pinned"),
        this.#noise("simple", "engine"),
        this.#failures(),
        this.#flood(),
      ]);
      await this.#crowd();
    }
  }

  /** Sends a conversation of two people, with interim results. */
  async #speech(): Promise<void> {
    const addr = `ws://127.0.0.1:${this.port}/api/v1/segmented`;
    const command = [this.executable, "send", "-i", sample, "--interim-results", "--addr", addr];
    const code = await Bun.spawn(command, { stdin: "ignore", stdout: "ignore", stderr: "inherit" }).exited;
    if (code !== 0) throw new Error(`send ended with ${code}`);
  }

  /** Sends noise to a pattern without voice activity detection. */
  async #noise(pattern: string, model?: string): Promise<void> {
    using client = await WebSocketClient.connect(this.port, { path: `/api/v1/${pattern}` });
    await client.sendStream(encode("s16", noise(2)), { timing: true, ...(model !== undefined && { model }) });
  }

  /** Causes errors, warnings, failed jobs, crashed workers and a client that disconnects. */
  async #failures(): Promise<void> {
    using client = await WebSocketClient.connect(this.port, { path: "/api/v1/simple" });
    client.sendText("{");
    client.start({ model: "nobody" });
    await client.sendStream(encode("s16", noise(5)), { model: "flaky" });
    client.start({ format: { channels: 2, sample_rate: 16_000, bit_depth: 16, is_float: false } });
    const channel = noise(3);
    await client.sendAudio(encode("s16", channel, channel));
    await client.nextEvent("segment");
    client.reset();
  }

  /** Sends more audio than may be read ahead, as fast as possible. */
  async #flood(): Promise<void> {
    using client = await WebSocketClient.connect(this.port, { path: "/api/v1/simple" });
    client.start();
    await client.sendInChunks(encode("s16", noise(60)), () => 64_000);
    client.stop();
    await client.nextEvent("stopped");
  }

  /** Opens as many sessions as allowed, and one more, which is refused. */
  async #crowd(): Promise<void> {
    const clients: WebSocketClient[] = [];
    try {
      for (let i = 0; i <= MAX_SESSIONS; i++)
        clients.push(await WebSocketClient.connect(this.port, { path: "/api/v1/simple" }));
    } catch (error) {
      if (!(error instanceof UpgradeRefused)) throw error;
    } finally {
      for (const client of clients) client[Symbol.dispose]();
    }
    await waitUntil("all sessions to be closed", async () => {
      const info = (await (await fetch(`http://127.0.0.1:${this.port}/api/v1/info`)).json()) as { sessions: number };
      return info.sessions === 0;
    });
  }
}
