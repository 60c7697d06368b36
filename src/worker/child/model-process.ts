import { deserialize } from "bun:jsc";
import { closeSync, fstatSync } from "node:fs";

import { guardChild, mapArena } from "../../native/child.ts";
import { adoptLibrary, native } from "../../native/library.ts";
import { AddonFlag } from "../addon-flag.ts";
import { closeModel, disposeOf } from "../close-model.ts";
import { describeError, MAX_LOAD_ERROR_LENGTH } from "../failures.ts";
import { type LoadedModel, loadModel } from "../load-model.ts";
import type { JobMessage, WorkerResult } from "../messages.ts";
import { CallSignal } from "../model-call.ts";
import { ModelCaller } from "../model-caller.ts";
import { SpanReaders } from "../span-reader.ts";
import { Channel } from "./channel.ts";
import {
  ARENA_FD,
  type CallMessage,
  CHANNEL_FD,
  type CloseMessage,
  type CrashedMessage,
  LIBRARY_FD,
  type LoadFailedMessage,
  type LoadMessage,
  type ReadyMessage,
  type ReportMessage,
  type TakenMessage,
  type ToChild,
} from "./child-messages.ts";
import type { Frame } from "./frames.ts";
import { encodeResults } from "./results.ts";

/** Returns whether a server has started this process and waits at its channel. */
export function hasChannel(): boolean {
  try {
    return fstatSync(CHANNEL_FD).isSocket() && fstatSync(ARENA_FD).isFile();
  } catch {
    return false;
  }
}

/** Serves one model in this process until it ends. Its end comes with that of the channel, at the latest. */
export function serveModelProcess(): void {
  new ModelProcess();
}

interface RunningCall {
  readonly jobs: CallMessage["jobs"];
  readonly signal: CallSignal;
}

class ModelProcess {
  readonly #channel: Channel;
  readonly #options = new Map<number, unknown>();
  #loaded: LoadedModel | undefined;
  #caller: ModelCaller | undefined;
  /** The model is being loaded or closed. */
  #away = true;
  /** Running calls, by their numbers. */
  readonly #running = new Map<number, RunningCall>();
  /** Lanes that have ended during a call of theirs. */
  readonly #forgotten = new Set<number>();
  /** The last states that calls have started, which the server may not have. */
  readonly #started: { readonly call: number; readonly state: unknown }[] = [];
  #close: CloseMessage | undefined;

  constructor() {
    this.#channel = new Channel(CHANNEL_FD, {
      frame: (frame) => this.#receive(frame),
      closed: (problem) => {
        if (problem !== undefined) console.error(`the channel to the server failed: ${problem}`);
        endGroup();
      },
    });
    process.on("uncaughtException", (error) => this.#crash(error));
    process.on("unhandledRejection", (error) => this.#crash(error));
  }

  #receive({ header, blob }: Frame): void {
    const message = header as unknown as ToChild;
    switch (message.type) {
      case "load":
        return void this.#load(message);
      case "options":
        return void this.#options.set(message.lane, message.options);
      case "forget":
        return this.#forget(message.lane);
      case "call":
        return this.#call(message, blob);
      case "abort":
        return this.#running.get(message.call)?.signal.abort(message.reason);
      case "close":
        this.#close = message;
        for (const { signal } of this.#running.values()) signal.abort("closed");
        this.#callEnded();
    }
  }

  async #load({ model, settings, spawn, arena, parent, tracing }: LoadMessage): Promise<void> {
    try {
      const samples = this.#open(parent, arena.slabs);
      this.#loaded = await loadModel({ model, settings, spawn, tracing, addonFlag: new AddonFlag().buffer });
      this.#caller = new ModelCaller(this.#loaded, samples, this.#options);
      const ready: ReadyMessage = { type: "ready", info: this.#loaded.info };
      this.#channel.send(ready);
      this.#loaded.reports.open((report) => {
        const message: ReportMessage = { type: "report", report };
        this.#channel.send(message);
      });
    } catch (error) {
      const failed: LoadFailedMessage = { type: "load_failed", ...describeError(error, MAX_LOAD_ERROR_LENGTH) };
      this.#channel.send(failed);
    }
    this.#away = false;
    this.#callEnded();
  }

  /** Takes what the process has inherited. Throws when the server has ended meanwhile. */
  #open(parent: number, slabs: number): SpanReaders {
    const library = `/proc/self/fd/${LIBRARY_FD}`;
    const inherited = isOpen(LIBRARY_FD);
    if (inherited) adoptLibrary(library);
    native();
    guardChild(CHANNEL_FD, parent);
    const reader = new SpanReaders(mapArena(ARENA_FD, slabs));
    closeSync(ARENA_FD);
    if (inherited) closeSync(LIBRARY_FD);
    return reader;
  }

  #call({ call, jobs }: CallMessage, blob: Uint8Array): void {
    if (this.#caller === undefined) return;
    const signal = new CallSignal();
    this.#running.set(call, { jobs, signal });
    if (this.#loaded?.info.concurrency !== undefined) {
      const taken: TakenMessage = { type: "taken", call };
      this.#channel.send(taken);
    }
    const startedMs = performance.now();
    const done = (results: WorkerResult[]): void => {
      this.#running.delete(call);
      const { json, blobs, hasStates } = encodeResults(results);
      const inferMs = performance.now() - startedMs;
      this.#channel.send(`{"type":"done","call":${call},"inferMs":${inferMs},"results":${json}}`, blobs);
      const state = jobs[0]?.step === "start" ? results[0]?.state : undefined;
      if (state !== undefined && hasStates) this.#streamStarted(call, state);
      else if (state !== undefined) void disposeOf(this.#loaded, state);
      this.#callEnded();
    };
    const results = runCall(this.#caller, jobs, blob, signal);
    if (results instanceof Promise) void results.then(done);
    else done(results);
  }

  /** Keeps a state until the server has it: it has at most as many calls without a result as it may. */
  #streamStarted(call: number, state: unknown): void {
    this.#started.push({ call, state });
    if (this.#started.length > (this.#loaded?.info.concurrency ?? 1)) this.#started.shift();
  }

  /** Forgets a lane that has ended, now or after its running call. */
  #forget(lane: number): void {
    const isRunning = [...this.#running.values()].some(({ jobs }) => jobs.some((job) => job.lane === lane));
    if (isRunning) return void this.#forgotten.add(lane);
    this.#forgotten.delete(lane);
    this.#options.delete(lane);
    this.#caller?.forget(lane);
  }

  #callEnded(): void {
    for (const lane of this.#forgotten) this.#forget(lane);
    if (this.#close !== undefined && !this.#away && this.#running.size === 0) void this.#leave(this.#close);
  }

  /** Closes the model and ends the process. */
  async #leave({ unanswered }: CloseMessage): Promise<void> {
    this.#away = true;
    await this.#caller?.closeStreams();
    const unsent = this.#started.filter(({ call }) => unanswered.includes(call));
    await closeModel(
      this.#loaded,
      unsent.map(({ state }) => state),
    );
    process.exit(this.#loaded === undefined ? 1 : 0);
  }

  /** Reports an error outside of a call, which ends the process. */
  #crash(error: unknown): void {
    console.error(error);
    const crashed: CrashedMessage = { type: "crashed", ...describeError(error) };
    this.#channel.send(crashed);
    process.exit(1);
  }
}

/**
 * Ends this process and those that the model has started, since the server has ended. The thread of `guardChild` does it,
 * too, but may see it later than the event loop.
 */
function endGroup(): never {
  try {
    process.kill(-process.pid, "SIGKILL");
  } catch {
    // The process leads no group yet.
  }
  process.exit(1);
}

/** Runs a call. One whose states cannot be decoded fails, and costs nothing else. */
function runCall(
  caller: ModelCaller,
  jobs: CallMessage["jobs"],
  blob: Uint8Array,
  signal: CallSignal,
): ReturnType<ModelCaller["run"]> {
  let read: JobMessage[];
  try {
    read = readJobs(jobs, blob);
  } catch (error) {
    const message = `the model's state cannot be restored: ${describeError(error).message}`;
    return jobs.map(() => ({ error: message }));
  }
  return caller.run(read, signal);
}

function readJobs(jobs: CallMessage["jobs"], blob: Uint8Array): JobMessage[] {
  let at = 0;
  return jobs.map(({ state, ...job }): JobMessage => {
    if (state === undefined) return job;
    // Not `slice`, which is a view of a Buffer.
    const bytes = new Uint8Array(state);
    bytes.set(blob.subarray(at, at + state));
    at += state;
    return { ...job, state: deserialize(bytes.buffer) };
  });
}

function isOpen(fd: number): boolean {
  try {
    return fstatSync(fd).isFile();
  } catch {
    return false;
  }
}
