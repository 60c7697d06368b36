import { join } from "node:path";

import type { ErrorEvent } from "../../../src/protocol/events.ts";
import { encode, speech, wav } from "../audio.ts";
import { ServeProcess } from "../executable.ts";
import { encodeFrame, OPCODE } from "../frames.ts";
import { ADMIT_ALL } from "../in-process-server.ts";
import { ledgerProblems, onlyStream } from "../ledgers.ts";
import { OtlpReceiver } from "../otlp.ts";
import { S16_MONO } from "../requests.ts";
import { type CloseStatus, type ConnectOptions, UpgradeRefused, WebSocketClient } from "../websocket-client.ts";
import { isOfWorkers, type Seam } from "./boundaries.ts";
import { FAULT_MESSAGE, type FaultKind } from "./fault-switch.ts";
import { GuardedAccess } from "./guarded-access.ts";

const SETTINGS = {
  ...ADMIT_ALL,
  "model.workers": 2,
  "model.delay": 0,
  "model.constant_factor": 0,
  "model.jitter": 0,
  "model.warmup_penalty": 1,
  "model.inference_timeout_ms": 2_000,
  "limits.arena_mb": 32,
  "limits.finish_ms": 5_000,
  "limits.inbox_bytes": 6_000,
  "limits.read_ahead_seconds": 0.5,
  "simple.block_ms": 100,
  // For the clients that behave oddly.
  "models.fragile.name": "simulated",
  "models.fragile.workers": 1,
  "models.fragile.delay": 0,
  "models.fragile.panic_rate": 0.4,
  "models.fragile.failure_rate": 0.2,
};
/** Longest time of one client, far beyond what a stream takes. */
const CLIENT_MS = 6_000;
const API_PAGES = ["/api/v1/asyncapi.json", "/api/v1/openapi.json", "/api/v1/docs"];
const PAGES = ["/metrics", "/api/v1/info", "/api/v1/ready", "/api/v1/health", ...API_PAGES];
/** Where the clients stream, with their channels and what they show. The second route is public. */
const ROUTES = [
  ["segmented", 1, "token"],
  ["simple", 2, "nothing"],
  ["stateful", 1, "ticket"],
] as const;
type Route = (typeof ROUTES)[number];
/** Boundaries of what happens when the files of tokens and certificates change, which takes seconds. */
const OF_FILES: readonly string[] = ["admission", "server", "session"];
/** Longest time until changed files are in use. */
const FILES_MS = 6_000;
/** A line of a gauge that is 0 when nothing is open, with another value. */
const GAUGES =
  /^streamer_(?:(?:sessions|streams|channels)_active|sessions_paused|inference_waiting|inference_running|arena_used_bytes|arena_waiting_streams|inbox_bytes|queued_job_bytes|outbox_bytes)\b.* [^0]/;
const WORDS = [0.3, 0.4, 0.3];

/** Crashes of workers are logged so often at most, milliseconds. */
const LOG_INTERVAL_MS = 1_100;

/** What one client, or request, has seen of the fault. */
type Fate =
  | "unharmed"
  /** `error` with `internal`, close 1011. */
  | "internal"
  /** Close 1011 alone: the event itself could not be sent. */
  | "closed"
  /** 500 in place of the upgrade, or of a page. */
  | "refused"
  /** Errors with the bounds of spans; the stream went on. */
  | "spans";

export interface FaultReport {
  readonly fired: boolean;
  /** Sentences about what should not have happened. */
  readonly problems: readonly string[];
  /** What was not unharmed. */
  readonly fates: readonly string[];
}

/** A server in which faults can be made to happen. */
export class FaultServer implements AsyncDisposable {
  readonly #process: ServeProcess;
  readonly #receiver: OtlpReceiver;
  readonly #access: GuardedAccess;
  readonly #socket: string;
  #crashedAt = -Infinity;
  /** Gauges that a fault has left behind, as they were reported: what stays is not the next one's. */
  readonly #left = new Set<string>();

  /** Starts a server and waits until it is ready. @param command that runs the program with the switch */
  static async start(command: readonly string[]): Promise<FaultServer> {
    const receiver = new OtlpReceiver();
    const server = new FaultServer(command, await GuardedAccess.create(), receiver);
    await server.#process.waitUntilReady();
    return server;
  }

  private constructor(command: readonly string[], access: GuardedAccess, receiver: OtlpReceiver) {
    this.#access = access;
    this.#receiver = receiver;
    this.#socket = join(access.folder, "faults.sock");
    // Streams can be resumed, so that they have checkpoints.
    const all = { ...SETTINGS, ...access.settings, "limits.resume_ms": 60_000 };
    const sets = Object.entries(all).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
    this.#process = new ServeProcess(
      Bun.spawn([...command, "serve", "--port", "0", ...sets], {
        env: { ...receiver.env, STREAMER_TEST_FAULTS: this.#socket },
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
      }),
    );
  }

  /** The process has ended. */
  get ended(): boolean {
    return this.#process.exited;
  }

  /** Resident memory after a collection, bytes. */
  async memory(): Promise<number> {
    return (await this.#command("/collect")).rss;
  }

  /** Lets one call of a method fail while clients stream. */
  async run(seam: Seam, kind: FaultKind, skip = 0): Promise<FaultReport> {
    // What is left out of the log would not be seen.
    if (performance.now() - this.#crashedAt < LOG_INTERVAL_MS) await Bun.sleep(LOG_INTERVAL_MS);
    const { fired: before } = await this.#command("/state");
    const logged = this.#process.err.length;
    const place = isOfWorkers(seam) ? "worker" : "main";
    await this.#command(`/arm?name=${seam.name}&kind=${kind}&skip=${skip}&in=${place}`);
    const fired = async (): Promise<boolean> => (await this.#command("/state")).fired > before;
    const problems: string[] = [];
    const fates: string[] = [];
    const record = (what: string, fate: Fate): void => {
      if (fate !== "unharmed") fates.push(`${what}: ${fate}`);
    };
    const problem = (what: string, error: unknown): void =>
      void problems.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    const pages = PAGES.map(async (page) => {
      try {
        record(page, await this.#get(page));
      } catch (error) {
        problem(page, error);
      }
    });
    const clients = ROUTES.map(async (route, n) => {
      try {
        record(route[0], await this.#stream(route, n));
      } catch (error) {
        problem(route[0], error);
      }
    });
    await Promise.all([...pages, ...clients]);
    if (!this.ended && !(await fired())) await this.#behaveOddly();
    // A first call is waited for; whether there are more depends on what the method does.
    const waits = skip === 0 && OF_FILES.includes(seam.boundary);
    if (!this.ended && waits && !(await fired())) await this.#changeFiles(logged, fired);
    const hasFired = this.ended || (await fired());
    if (this.ended)
      return {
        fired: true,
        problems: [`the process has ended: ${this.#process.err.slice(logged).slice(-600)}`],
        fates,
      };
    await this.#command("/disarm");
    problems.push(...(await this.#aftermath(logged, hasFired, fates)));
    return { fired: hasFired, problems, fates };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
    await this.#receiver[Symbol.asyncDispose]();
    await this.#access[Symbol.asyncDispose]();
  }

  /** Sentences about what the fault has left behind. */
  async #aftermath(logged: number, hasFired: boolean, fates: string[]): Promise<string[]> {
    const problems: string[] = [];
    const hurt = fates.filter((fate) => !fate.endsWith("spans"));
    if (hurt.length > 1) problems.push(`it costs more than one session: ${hurt.join(", ")}`);
    const records = (): string[] =>
      this.#process.err
        .slice(logged)
        .split("\n")
        .filter((line) => line.includes(FAULT_MESSAGE));
    if (hasFired) {
      const deadline = performance.now() + 1_000;
      while (records().length === 0 && performance.now() < deadline) await Bun.sleep(10);
      const found = records();
      if (this.#process.err.slice(logged).includes('"worker_crashed"')) this.#crashedAt = performance.now();
      if (found.length !== 1)
        problems.push(`it is logged ${found.length} times: ${found.map((each) => each.slice(0, 300)).join("\n")}`);
      else if (!/"level":"(?:warning|error)"/.test(found[0] ?? "") || !found[0]?.includes("fault-switch"))
        problems.push(`it is not logged with its stack: ${found[0]?.slice(0, 300)}`);
    }
    try {
      await this.#untilIdle();
    } catch (error) {
      problems.push(String(error));
    }
    return problems;
  }

  async #untilIdle(): Promise<void> {
    const deadline = performance.now() + 8_000;
    for (;;) {
      const response = await this.#fetch("/metrics");
      const text = await response.text();
      const left = text.split("\n").filter((line) => GAUGES.test(line) && !this.#left.has(line));
      if (left.length === 0) return;
      if (performance.now() > deadline) {
        for (const line of left) this.#left.add(line);
        throw new Error(`is left: ${left.join("; ")}`);
      }
      await Bun.sleep(20);
    }
  }

  async #get(page: string): Promise<Fate> {
    const response = await this.#fetch(page);
    await response.text();
    if (response.ok) return "unharmed";
    if (response.status === 500) return "refused";
    throw new Error(`status ${response.status}`);
  }

  async #fetch(path: string, method = "GET"): Promise<Response> {
    const { tls } = this.#access;
    return await fetch(this.#process.url + path, { method, headers: this.#access.headers(), tls });
  }

  /** Returns the options of a connection; undefined: no ticket is issued, because of the fault. */
  async #optionsOf([route, , shown]: Route): Promise<ConnectOptions | undefined> {
    const options = { path: `/api/v1/${route}`, tls: this.#access.tls };
    if (shown === "nothing") return options;
    if (shown === "token") return { ...options, headers: this.#access.headers() };
    const response = await this.#fetch("/api/v1/tickets", "POST");
    if (response.status === 500) return undefined;
    const { ticket } = (await response.json()) as { ticket: string };
    return { ...options, headers: { "Sec-WebSocket-Protocol": `streamer.v1, ticket.${ticket}` } };
  }

  async #stream(route: Route, n: number): Promise<Fate> {
    const [, channels] = route;
    let client: WebSocketClient;
    try {
      const options = await this.#optionsOf(route);
      if (options === undefined) return "refused";
      client = await WebSocketClient.connect(this.#process.port, options);
    } catch (error) {
      if (error instanceof UpgradeRefused && error.status === 500) return "refused";
      throw error;
    }
    using open = client;
    const tone = speech(WORDS, { rate: 16_000, seed: n });
    const bytes = encode("s16", ...Array.from({ length: channels }, () => tone));
    const fields = { interim_results: true, interim_interval_ms: 100, timing: true, flush_after_ms: 60_000 };
    open.start({ format: { channels, sample_rate: 16_000, bit_depth: 16, is_float: false }, ...fields });
    const step = 8_000;
    for (let at = 0; at < bytes.length && open.closed === undefined; at += step) {
      await open.sendAudio(bytes.subarray(at, at + step)).catch(() => {});
      if (at === 2 * step) open.flush();
      if (at === 3 * step) await open.write(encodeFrame(OPCODE.ping, Buffer.from("x"))).catch(() => {});
      await Bun.sleep(1);
    }
    open.stop({ disconnect: true });
    const { code, reason } = await within(CLIENT_MS, open);
    const errors = open.eventsOf("error");
    if (code === 1000) {
      const problems = ledgerProblems(onlyStream(open.events), { bytes: bytes.length, frameBytes: 2 * channels });
      if (problems.length > 0) throw new Error(problems.join("; "));
      return errors.length === 0 ? "unharmed" : spansOnly(errors);
    }
    if (code !== 1011 || reason !== "internal") throw new Error(`close ${code} ${reason}`);
    const { channels: ledgers = [] } = open.eventsOf("stopped").at(-1) ?? {};
    for (const { decoded, inferred, silent, failed } of ledgers) {
      if (inferred + silent + failed !== decoded) throw new Error(`a ledger of ${JSON.stringify(ledgers)}`);
    }
    return errors.some((error) => error.code === "internal" && error.fatal) ? "internal" : "closed";
  }

  /** Clients that do what others do rarely, for as long as the server takes to look twice. */
  async #behaveOddly(): Promise<void> {
    const { tls, operator } = this.#access;
    const known = { path: "/api/v1/segmented", tls, headers: this.#access.headers() };
    const open = async (
      act: (client: WebSocketClient) => Promise<unknown> | void,
      options: ConnectOptions = known,
    ): Promise<void> => {
      try {
        using client = await WebSocketClient.connect(this.#process.port, options);
        await act(client);
        await Bun.sleep(1_200);
        client.reset();
      } catch {
        // The fault.
      }
    };
    const bytes = encode("s16", speech(WORDS));
    const stereo = { format: { channels: 2, sample_rate: 44_100, bit_depth: 16, is_float: false } };
    await Promise.all([
      open((client) => client.start()),
      open(async (client) => {
        client.start({ model: "fragile" });
        for (let i = 0; i < 4; i++) await client.sendAudio(bytes);
      }),
      open(async (client) => {
        client.sendText("no JSON");
        client.start(stereo);
        await client.sendAudio(bytes);
        client.start();
        await client.sendAudio(wav(S16_MONO, bytes));
        client.start();
        await client.sendAudio(Buffer.alloc(40_000, "text, which is no audio. "));
      }),
      open(async (client) => {
        client.pause();
        client.start({ interim_results: true });
        for (let i = 0; i < 40; i++) await client.sendAudio(bytes).catch(() => {});
        client.resume();
      }),
      open(async (client) => {
        client.start();
        await client.sendAudio(bytes);
        client.reset();
      }),
      open((client) => client.sendAudio(Buffer.alloc(1_100_000))),
      open((client) => this.#resume(client, bytes)),
      open((client) => client.start({ model: "unknown" })),
      open(async (client) => {
        client.start();
        // Nothing but zeros for more than ten seconds, which gives a warning.
        await client.sendAudio(Buffer.alloc(11 * 32_000));
      }),
      // A stranger, and an operator at the address for operators.
      open(() => {}, { ...known, headers: {} }),
      open(() => {}, { ...known, headers: { Origin: "https://evil.example" } }),
      ...[this.#access.token, operator].map(async (token) => {
        const admin = /"admin":"(http[^"]+)"/.exec(this.#process.err)?.[1]?.replace("0.0.0.0", "127.0.0.1");
        await fetch(`${admin}/api/v1/info`, { headers: this.#access.headers(token) }).then(
          (response) => response.text(),
          () => "the fault",
        );
      }),
    ]);
  }

  /** Streams until there is a checkpoint, then goes on with the stream over another connection. */
  async #resume(client: WebSocketClient, bytes: Uint8Array): Promise<void> {
    client.start();
    await client.sendAudio(bytes);
    client.flush();
    const { token, position } = await client.nextEvent("checkpoint");
    using next = await WebSocketClient.connect(this.#process.port, {
      path: "/api/v1/segmented",
      tls: this.#access.tls,
      headers: this.#access.headers(),
    });
    next.start({ resume: { token } });
    await next.sendAudio(bytes.subarray(2 * position));
    next.stop();
    await next.nextEvent("stopped");
  }

  /** Changes the files of tokens and certificates, and waits until they are in use or the fault has been made. */
  async #changeFiles(logged: number, fired: () => Promise<boolean>): Promise<void> {
    const { tls, leaving } = this.#access;
    const headers = this.#access.headers(leaving);
    const client = await WebSocketClient.connect(this.#process.port, { tls, headers }).catch(() => undefined);
    using _ = client;
    client?.start();
    await client?.sendAudio(encode("s16", speech(WORDS)));
    await this.#access.changeTokens();
    await this.#access.renewCertificate();
    const isUsed = (event: string): boolean => this.#process.err.slice(logged).includes(`"event":"${event}"`);
    const deadline = performance.now() + FILES_MS;
    while (!this.ended && performance.now() < deadline && !(await fired())) {
      const isOver = client === undefined || client.closed !== undefined;
      if (isUsed("token_file_loaded") && isUsed("certificate_loaded") && isOver) break;
      await Bun.sleep(100);
    }
  }

  async #command(path: string): Promise<{ fired: number; rss: number }> {
    const response = await fetch(`http://faults${path}`, { unix: this.#socket });
    return (await response.json()) as { fired: number; rss: number };
  }
}

function spansOnly(errors: readonly ErrorEvent[]): Fate {
  if (errors.every((error) => error.start_time !== undefined)) return "spans";
  throw new Error(`errors ${errors.map(({ code }) => code).join(", ")}`);
}

async function within(ms: number, client: WebSocketClient): Promise<CloseStatus> {
  const late = Bun.sleep(ms).then(() => {
    throw new Error(`the connection is still open, after ${client.events.map(({ type }) => type).join(", ")}`);
  });
  return await Promise.race([client.waitForClose(), late]);
}
