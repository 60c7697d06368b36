import { join } from "node:path";

import { buildExecutable } from "../../../scripts/build.ts";
import { encode, noise } from "../audio.ts";
import { Peer, Refused } from "../peer.ts";
import { soon, until } from "../until.ts";

const sample = join(import.meta.dir, "..", "..", "data", "two-speakers-48k.wav");
const MAX_SESSIONS = 12;

const SETTINGS = {
  "model.workers": 2,
  "model.delay": 0.01,
  // One that fails and dies, so that there is something to see of that, too.
  "models.flaky.name": "simulated",
  "models.flaky.workers": 1,
  "models.flaky.failure_rate": 0.3,
  "models.flaky.panic_rate": 0.1,
  "limits.max_sessions": MAX_SESSIONS,
  "limits.read_ahead_seconds": 1,
};

/** A `./streamer serve` under a load in which everything happens that there are metrics for. */
export class LoadedServer implements AsyncDisposable {
  readonly executable: string;
  readonly port: number;
  readonly #child: Bun.Subprocess;
  readonly #collector: Bun.Server<undefined>;
  readonly #stop = new AbortController();
  #load: Promise<unknown> = Promise.resolve();

  static async start(): Promise<LoadedServer> {
    const executable = await buildExecutable();
    // Takes traces, and does not look at them.
    const collector = Bun.serve({ port: 0, fetch: () => new Response() });
    const sets = Object.entries(SETTINGS).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
    const child = Bun.spawn([executable, "serve", "--port", "0", "--log-level", "error", ...sets], {
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.port}` },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "inherit",
    });
    const said = await soon("the server listens", child.stdout.getReader().read());
    const port = /:(\d+)\n$/.exec(new TextDecoder().decode(said.value))?.[1];
    if (port === undefined) throw new Error(`the server did not listen, and ended with ${await child.exited}`);
    const server = new LoadedServer(executable, Number(port), child, collector);
    server.#load = server.#keepBusy();
    return server;
  }

  private constructor(executable: string, port: number, child: Bun.Subprocess, collector: Bun.Server<undefined>) {
    this.executable = executable;
    this.port = port;
    this.#child = child;
    this.#collector = collector;
  }

  /** Rejects when the load could not go on. */
  get load(): Promise<unknown> {
    return this.#load;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#load.catch(() => {});
    this.#child.kill("SIGTERM");
    await this.#child.exited;
    await this.#collector.stop(true);
  }

  async #keepBusy(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await Promise.all([
        this.#speech(),
        this.#pieces("simple"),
        this.#pieces("stateful"),
        this.#trouble(),
        this.#flood(),
      ]);
      await this.#crowd();
    }
  }

  /** Two people speak, with interim results. */
  async #speech(): Promise<void> {
    const addr = `ws://127.0.0.1:${this.port}/api/v1/segmented`;
    const command = [this.executable, "send", "-i", sample, "--interim-results", "--addr", addr];
    const code = await Bun.spawn(command, { stdin: "ignore", stdout: "ignore", stderr: "inherit" }).exited;
    if (code !== 0) throw new Error(`send ended with ${code}`);
  }

  async #pieces(pattern: string): Promise<void> {
    using peer = await Peer.connect(this.port, { path: `/api/v1/${pattern}` });
    peer.start({ timing: true });
    await peer.audio(encode("s16", noise(2)));
    peer.stop();
    await peer.next("stopped");
  }

  /** Errors, warnings, failures, deaths, and a client that goes away. */
  async #trouble(): Promise<void> {
    using peer = await Peer.connect(this.port, { path: "/api/v1/simple" });
    peer.say("{");
    peer.start({ model: "nobody" });
    peer.start({ model: "flaky" });
    await peer.audio(encode("s16", noise(5)));
    peer.stop();
    await peer.next("stopped");
    peer.start({ format: { channels: 2, sample_rate: 16_000, bit_depth: 16, is_float: false } });
    const same = noise(3);
    await peer.audio(encode("s16", same, same));
    await peer.next("segment");
    peer.reset();
  }

  /** More than may be read ahead, as fast as it can be sent. */
  async #flood(): Promise<void> {
    using peer = await Peer.connect(this.port, { path: "/api/v1/simple" });
    peer.start();
    await peer.cut(encode("s16", noise(60)), () => 64_000);
    peer.stop();
    await peer.next("stopped");
  }

  /** As many as are let in, and one more. */
  async #crowd(): Promise<void> {
    const peers: Peer[] = [];
    try {
      for (let i = 0; i <= MAX_SESSIONS; i++) peers.push(await Peer.connect(this.port, { path: "/api/v1/simple" }));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
    } finally {
      for (const peer of peers) peer[Symbol.dispose]();
    }
    await until("the server to see that they are gone", async () => {
      const info = (await (await fetch(`http://127.0.0.1:${this.port}/api/v1/info`)).json()) as { sessions: number };
      return info.sessions === 0;
    });
  }
}
