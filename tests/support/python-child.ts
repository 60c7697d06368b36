// A worker in Python, driven frame by frame as a server does it.

import { Arena, type AudioSpan } from "../../src/audio/arena.ts";
import { BOOTSTRAP, hostProgram } from "../../src/worker/python/program.ts";
import { writeSpan } from "./pool-harness.ts";
import { waitUntil } from "./wait.ts";

export type Header = Readonly<Record<string, unknown>> & { readonly type: string };

/** A result of a call, with the bytes that followed the header. */
export interface ChildResult {
  readonly output?: Record<string, unknown>;
  readonly error?: string;
  readonly stack?: string;
  readonly wholeBatch?: boolean;
  readonly audio?: { readonly samples: Float32Array; readonly sampleRate: number };
  readonly state?: Uint8Array;
  readonly opened?: true;
  readonly endpoint?: true;
}

export interface ChildOptions {
  readonly python: string;
  readonly model: string;
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Path of the C library; undefined: the worker gets none. */
  readonly library?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** A command that starts the interpreter. */
  readonly under?: readonly string[];
  readonly parent?: number;
  /** Variables of OpenTelemetry. */
  readonly tracing?: Readonly<Record<string, string>>;
}

export interface ChildJob {
  readonly samples?: ArrayLike<number>;
  readonly lane?: number;
  readonly final?: boolean;
  readonly step?: string;
  readonly state?: Uint8Array;
  readonly traceparent?: string;
  /** Position of the first sample in the stream. */
  readonly start?: number;
  readonly utterance?: number;
}

export class PythonChild implements AsyncDisposable {
  readonly arena = new Arena(64);
  out = "";
  err = "";
  readonly headers: Header[] = [];
  #blobs: Uint8Array[] = [];
  #read = 0;
  /** Samples of the last call. */
  readonly #spans: AudioSpan[] = [];
  #calls = 0;
  #data = Buffer.alloc(0);
  #unsent = Buffer.alloc(0);
  #closed = false;
  readonly #child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  #socket: Bun.Socket | undefined;
  readonly #outputRead: Promise<unknown>;

  static async start(options: ChildOptions): Promise<PythonChild> {
    const child = new PythonChild(options);
    await child.#connect();
    child.#write(hostProgram());
    const { model, settings = {}, parent = process.pid, tracing = {} } = options;
    const arena = { slabs: 64 };
    child.send({ type: "load", model, settings, spawn: 0, arena, slabSamples: Arena.SLAB_SAMPLES, parent, tracing });
    return child;
  }

  /** Starts a worker and opens its model with the settings. */
  static async ready(options: ChildOptions): Promise<PythonChild> {
    const child = await PythonChild.start(options);
    await child.open(options.settings);
    return child;
  }

  private constructor({ python, env = {}, cwd = "/", library, under = [] }: ChildOptions) {
    const arena = this.arena.samples.fd;
    this.#child = Bun.spawn([...under, python, "-c", BOOTSTRAP], {
      cwd,
      env: { PATH: process.env["PATH"] ?? "", HOME: "/nowhere", ...env },
      stdio: ["ignore", "pipe", "pipe", "pipe", arena, ...(library === undefined ? [] : [library])],
    }) as Bun.Subprocess<"ignore", "pipe", "pipe">;
    this.#outputRead = Promise.all([
      readText(this.#child.stdout, (text) => (this.out += text)),
      readText(this.#child.stderr, (text) => (this.err += text)),
    ]);
  }

  get pid(): number {
    return this.#child.pid;
  }

  get info(): Record<string, unknown> {
    return this.headers.find(({ type }) => type === "ready")?.["info"] as Record<string, unknown>;
  }

  async #connect(): Promise<void> {
    const fd = (this.#child.stdio as unknown as number[])[3]!;
    this.#socket = await Bun.connect({
      fd,
      socket: {
        data: (_socket: unknown, data: Uint8Array) => this.#receive(data),
        drain: () => this.#flush(),
        close: () => void (this.#closed = true),
        error: () => {},
      },
    } as unknown as Bun.UnixSocketOptions<undefined>);
  }

  #receive(data: Uint8Array): void {
    this.#data = Buffer.concat([this.#data, data]);
    while (this.#data.length >= 8) {
      const [header, blob] = [this.#data.readUInt32LE(0), this.#data.readUInt32LE(4)];
      if (this.#data.length < 8 + header + blob) return;
      this.headers.push(JSON.parse(this.#data.toString("utf8", 8, 8 + header)) as Header);
      this.#blobs.push(new Uint8Array(this.#data.subarray(8 + header, 8 + header + blob)));
      this.#data = this.#data.subarray(8 + header + blob);
    }
  }

  send(header: Header, blob: Uint8Array = new Uint8Array()): void {
    const text = Buffer.from(JSON.stringify(header));
    const sizes = Buffer.alloc(8);
    sizes.writeUInt32LE(text.length, 0);
    sizes.writeUInt32LE(blob.length, 4);
    this.#write(Buffer.concat([sizes, text, blob]));
  }

  #write(bytes: Uint8Array): void {
    this.#unsent = Buffer.concat([this.#unsent, bytes]);
    this.#flush();
  }

  #flush(): void {
    if (this.#unsent.length === 0 || this.#closed) return;
    this.#unsent = this.#unsent.subarray(Math.max(0, this.#socket?.write(this.#unsent) ?? 0));
  }

  /** Returns the next header; undefined when the worker has ended instead. */
  async next(): Promise<Header | undefined> {
    await waitUntil("a frame of the worker", () => this.headers.length > this.#read || this.#closed);
    return this.headers[this.#read++];
  }

  /** Sends the settings when the file has declared itself, and waits until the model is ready. */
  async open(settings: Readonly<Record<string, unknown>> = {}): Promise<void> {
    const declared = await this.next();
    if (declared?.type !== "declared") throw new Error(`found ${JSON.stringify(declared)}: ${this.err}`);
    this.send({ type: "open", settings });
    const ready = await this.next();
    if (ready?.type !== "ready") throw new Error(`found ${JSON.stringify(ready)}: ${this.err}`);
  }

  /** Returns the message of a load that fails, with the stack. */
  async failure(settings: Readonly<Record<string, unknown>> = {}, problems: string[] = []): Promise<Header> {
    for (;;) {
      const header = await this.next();
      if (header?.type === "declared") this.send({ type: "open", settings, problems });
      else if (header?.type === "load_failed") return header;
      else throw new Error(`found ${JSON.stringify(header)}: ${this.err}`);
    }
  }

  /** Starts a call and does not wait for its result. */
  start(...jobs: ChildJob[]): number {
    for (const span of this.#spans.splice(0)) this.arena.releaseSpan(span);
    const states = jobs.flatMap(({ state }) => (state === undefined ? [] : [state]));
    const messages = jobs.map(({ samples = [], state, lane = 1, final = true, ...rest }) => {
      const span = writeSpan(this.arena, samples);
      this.#spans.push(span);
      const { slabs, offset, length } = span;
      return { ...rest, lane, final, slabs, offset, length, state: state?.length };
    });
    this.send({ type: "call", call: ++this.#calls, jobs: messages }, Buffer.concat(states));
    return this.#calls;
  }

  /** Runs a call. Rejects when the worker ends instead. */
  async call(...jobs: ChildJob[]): Promise<ChildResult[]> {
    this.start(...jobs);
    return await this.results();
  }

  /** Returns the results of the call that runs. */
  async results(): Promise<ChildResult[]> {
    const done = await this.next();
    if (done?.type !== "done") throw new Error(`the worker ended: ${await this.ended()}`);
    let at = 0;
    const blob = this.#blobs[this.#read - 1]!;
    const bytes = (length: number): Uint8Array => blob.slice(at, (at += length));
    const sent = done["results"] as (Omit<ChildResult, "audio" | "state"> & {
      audio?: { length: number; sampleRate: number };
      state?: number;
    })[];
    return sent.map(({ audio, state, ...rest }) => {
      const sound = audio && {
        samples: new Float32Array(bytes(audio.length * 4).buffer),
        sampleRate: audio.sampleRate,
      };
      return { ...rest, ...(sound && { audio: sound }), ...(state !== undefined && { state: bytes(state) }) };
    });
  }

  /** Runs statements in the model `obedient`, and returns the result. */
  async order(statements: string, job: ChildJob = {}): Promise<ChildResult> {
    this.setOptions(job.lane ?? 1, statements);
    return (await this.call(job))[0]!;
  }

  setOptions(lane: number, options: unknown): void {
    this.send({ type: "options", lane, options });
  }

  /** Waits for the end of the process. Returns the exit code or the signal. */
  async ended(): Promise<number | string> {
    await this.#child.exited;
    await this.#outputRead;
    return this.#child.signalCode ?? this.#child.exitCode!;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Closes the channel, as the end of a server does. */
  disconnect(): void {
    this.#closed = true;
    this.#socket?.terminate();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    this.#socket?.terminate();
    await this.#child.exited;
  }
}

async function readText(stream: ReadableStream<Uint8Array>, append: (text: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  for await (const part of stream) append(decoder.decode(part, { stream: true }));
}
