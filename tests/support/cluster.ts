import { connect } from "../../src/client/client.ts";
import { LedgerCheck } from "../../src/client/ledger.ts";
import type { ServerEvent } from "../../src/protocol/events.ts";
import type { Executable, ServeProcess } from "./executable.ts";
import type { Settings } from "./in-process-server.ts";
import { resumes } from "./killed-servers.ts";
import { rounds } from "./proof.ts";
import { documented, freePort, replaceEach, ReverseProxy } from "./proxies.ts";
import { waitUntil } from "./wait.ts";

export const RATE = 16_000;
/** Of a message. The clients of all streams are one process. */
const MESSAGE_MS = rounds(200, 500);
const FORMAT = { channels: 1, sample_rate: RATE, bit_depth: 16, is_float: false } as const;

/** Servers that share a key behind HAProxy, with the configuration of docs/proxies.md. */
export class Cluster implements AsyncDisposable {
  readonly proxy: ReverseProxy;
  readonly #executable: Executable;
  readonly #settings: Settings;
  readonly #ports: readonly number[];
  readonly #servers: ServeProcess[];

  static async start(executable: Executable, size: number, drainMs: number): Promise<Cluster> {
    const settings = {
      ...resumes(executable),
      "model.constant_factor": 0,
      "model.jitter": 0,
      "limits.drain_timeout_ms": drainMs,
    };
    const ports = await Promise.all(Array.from({ length: size }, freePort));
    const [one = 0, two = 0, ...others] = ports;
    const more = others.map((port, index) => `  server more${index} 127.0.0.1:${port}`);
    const configuration = `${documented("haproxy", [one, two]).trimEnd()}\n${more.join("\n")}\n`;
    // A balancer that carries all of these streams.
    const proxy = await ReverseProxy.start(
      "haproxy",
      replaceEach(configuration, ["defaults\n", "  maxconn 5000\ndefaults\n"]),
    );
    const servers = await Promise.all(ports.map((port) => serve(executable, settings, port)));
    const cluster = new Cluster(executable, settings, proxy, ports, servers);
    await cluster.untilUp();
    return cluster;
  }

  private constructor(
    executable: Executable,
    settings: Settings,
    proxy: ReverseProxy,
    ports: readonly number[],
    servers: ServeProcess[],
  ) {
    this.#executable = executable;
    this.#settings = settings;
    this.proxy = proxy;
    this.#ports = ports;
    this.#servers = servers;
  }

  get size(): number {
    return this.#servers.length;
  }

  /** Drains a server, and starts another one in its place when it has ended. Returns the exit code of the first. */
  async replace(index: number): Promise<number | null> {
    const server = this.#servers[index]!;
    server.signal("SIGTERM");
    const { code } = await server.waitForExit();
    await this.restart([index]);
    return code;
  }

  /** Kills servers, all at once. */
  async kill(indices: readonly number[]): Promise<void> {
    const killed = indices.map((index) => this.#servers[index]!);
    for (const server of killed) server.signal("SIGKILL");
    await Promise.all(killed.map((server) => server.waitForExit()));
  }

  /** Starts servers in the place of those that have ended. */
  async restart(indices: readonly number[]): Promise<void> {
    const start = async (index: number): Promise<void> => {
      this.#servers[index] = await serve(this.#executable, this.#settings, this.#ports[index]!);
    };
    await Promise.all(indices.map(start));
    await this.untilUp();
  }

  /** Waits until the balancer sends streams to all servers. */
  async untilUp(): Promise<void> {
    await waitUntil("all servers to be up", async () => {
      const states = Object.values(await this.proxy.serverStates());
      return states.length === this.size && states.every((state) => state.startsWith("UP L7OK"));
    });
  }

  /** Open streams of each server; of one that has ended: -1. */
  async streams(): Promise<number[]> {
    return await Promise.all(
      this.#servers.map(async (server) => {
        if (server.exited) return -1;
        const info = (await (await fetch(`${server.url}/api/v1/info`)).json()) as { live: { streams: number } };
        return info.live.streams;
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy[Symbol.asyncDispose]();
  }
}

async function serve(executable: Executable, settings: Settings, port: number): Promise<ServeProcess> {
  return await executable.serve({ ...settings, "server.port": port });
}

/** A stream that goes on until it is told to end. */
export class LongStream {
  /** Times from the loss of a connection to the start at another one, in milliseconds. */
  readonly gaps: number[] = [];
  readonly finals: string[] = [];
  periods = 0;
  #isEnding = false;

  /**
   * Sends the same audio again and again, in real time or as fast as it is taken, and ends after a whole period. Returns
   * what is wrong with its results, and nothing if every sample is accounted for.
   * @param periods after which it ends; default: when `end` was called
   */
  async run(url: string, audio: Uint8Array, { realTime = true, periods = Infinity } = {}): Promise<string[]> {
    let lost = 0;
    using client = await connect(
      url,
      { format: FORMAT },
      {
        onResume: ({ state }) => {
          if (state === "lost") lost = performance.now();
          else this.gaps.push(performance.now() - lost);
        },
      },
    );
    const { sample_rate } = await client.started();
    const check = new LedgerCheck(sample_rate);
    const receiving = (async () => {
      for await (const { event } of client.events) {
        check.add(event);
        this.#add(event);
        if (event.type === "stopped") return event;
      }
      throw new Error("no stopped");
    })();
    const began = performance.now();
    const bytes = (RATE * 2 * MESSAGE_MS) / 1000;
    for (let sent = 0; !this.#isEnding && this.periods < periods; this.periods++) {
      for (let at = 0; at < audio.length; at += bytes) {
        await client.send(audio.slice(at, at + bytes));
        const due = began + ++sent * MESSAGE_MS;
        if (realTime) await Bun.sleep(Math.max(0, due - performance.now()));
      }
    }
    client.stop();
    const stopped = await receiving;
    const sent = { bytes: client.sentBytes, frameBytes: 2, channels: 1, sampleRate: RATE, modelRate: sample_rate };
    const problems = check.problems(stopped, { ...sent, isResumed: true });
    if (stopped.reason !== "stop") problems.push(`stopped: ${stopped.reason}`);
    return problems;
  }

  /** Ends after this period. */
  end(): void {
    this.#isEnding = true;
  }

  #add(event: ServerEvent): void {
    if (event.type === "error") this.finals.push(`error ${event.code}`);
    if (event.type !== "segment" || event.is_final === false) return;
    const { type: _type, ...result } = event;
    this.finals.push(JSON.stringify(result));
  }
}

/** A value that so many of the others do not exceed. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN;
}
