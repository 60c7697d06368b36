import { canOpen } from "../lib/descriptors.ts";
import { messageOf } from "../lib/thrown.ts";
import { AddonFlag } from "../worker/addon-flag.ts";
import type {
  CallMessage,
  DoneMessage,
  JobMessage,
  LoadFailedMessage,
  ReadyMessage,
  ToWorker,
} from "../worker/messages.ts";
import { decodeDone, decodeMessage, encodeCall } from "../worker/messages.ts";
import type { HostEvents, HostExit, HostOptions, LaneJob, StartHost, WorkerHost } from "./worker-host.ts";

const MAX_CAUSE_LENGTH = 500;
/** File descriptors of a thread, and as many for the files that its model loads. */
const DESCRIPTORS = 8;
const NO_DESCRIPTORS = "too few file descriptors are left for its thread (ulimit -n)";

/** Returns a `StartHost` for Bun workers. @param workerUrl URL of `src/worker.ts` */
export function threadHost(workerUrl: string | URL): StartHost {
  return (options, events) => new ThreadHost(workerUrl, options, events);
}

/** A worker thread, from its start to its end. Messages carry slab numbers; the thread reads the arena itself. */
class ThreadHost implements WorkerHost {
  readonly #events: HostEvents;
  /** Undefined: could not be started, or has ended. */
  #worker: Worker | undefined;
  #exit: HostExit | undefined;
  readonly #addon = new AddonFlag();
  #ready = false;
  #closes = false;
  #closing = false;
  /** Number of the running call; undefined: none. */
  #call: number | undefined;
  /** Jobs of the running call. */
  #jobs = 0;
  /** Lanes whose options the thread has. */
  readonly #lanes = new Set<number>();

  constructor(workerUrl: string | URL, { model, settings, arena, spawn }: HostOptions, events: HostEvents) {
    this.#events = events;
    try {
      // Bun 1.4.5 ends the whole process when a thread gets no descriptor.
      if (!canOpen(DESCRIPTORS)) throw new Error(NO_DESCRIPTORS);
      this.#worker = new Worker(workerUrl);
    } catch (error) {
      queueMicrotask(() => events.exited({ cause: messageOf(error) }));
      return;
    }
    this.#worker.onmessage = (event: MessageEvent) => this.#receive(event.data);
    this.#worker.onerror = (event: ErrorEvent) => {
      this.#exit ??= { cause: firstError(event.message), stack: event.message };
    };
    this.#worker.addEventListener("close", (event) => this.#closed((event as CloseEvent).code));
    const { address, length } = arena.samples;
    const memory = { address, length };
    this.#post({ type: "load", arena: memory, addonFlag: this.#addon.buffer, model, settings, spawn });
  }

  call(call: number, jobs: readonly LaneJob[]): void {
    for (const { lane } of jobs) {
      if (lane.options === undefined || this.#lanes.has(lane.number)) continue;
      this.#post({ type: "options", lane: lane.number, options: lane.options });
      this.#lanes.add(lane.number);
    }
    this.#call = call;
    this.#jobs = jobs.length;
    const message: CallMessage = { type: "call", call, jobs: jobs.map(jobMessage) };
    this.#post(encodeCall(message));
  }

  forget(lane: number): void {
    if (this.#lanes.delete(lane)) this.#post({ type: "forget", lane });
  }

  close(): void {
    this.#closing = true;
    const unanswered = this.#call;
    if (this.#ready && unanswered === undefined && !this.#closes) this.terminate();
    else this.#post({ type: "close", ...(unanswered !== undefined && { unanswered }) });
  }

  /**
   * Bun 1.4.5 ends the whole process when a thread is terminated within a native add-on: the next call of Node-API
   * fails, which add-ons do not expect. A thread that has loaded one is therefore not interrupted.
   */
  terminate(): void {
    this.#closing = true;
    if (this.#addon.isSet) this.#post({ type: "exit" });
    else this.#worker?.terminate();
  }

  #post(message: ToWorker | string): void {
    this.#worker?.postMessage(message);
  }

  #receive(data: unknown): void {
    if (this.#worker === undefined || this.#closing) return;
    const message = parse(data);
    if (!this.#ready && message?.["type"] === "ready") this.#loaded(message as unknown as ReadyMessage);
    else if (!this.#ready && message?.["type"] === "load_failed")
      this.#loadFailed(message as unknown as LoadFailedMessage);
    else if (message !== undefined && this.#endsCall(message)) this.#endCall(message as unknown as DoneMessage);
    else this.#events.strangeMessage();
  }

  #loaded({ info, closes }: ReadyMessage): void {
    this.#ready = true;
    this.#closes = closes;
    this.#events.ready(info);
  }

  #loadFailed({ message, stack }: LoadFailedMessage): void {
    this.#exit = { cause: message, ...(stack !== undefined && { stack }) };
    this.close();
  }

  /** Returns whether the message ends the running call. It may be one that the model posted itself. */
  #endsCall({ type, call, results }: Record<string, unknown>): boolean {
    if (type !== "done" || this.#call === undefined || call !== this.#call) return false;
    return Array.isArray(results) && results.length === this.#jobs;
  }

  #endCall(message: DoneMessage): void {
    this.#call = undefined;
    this.#events.done(decodeDone(message));
  }

  #closed(code: number): void {
    this.#worker = undefined;
    this.#events.exited(this.#exit ?? { cause: this.#describeExit(code) });
  }

  #describeExit(code: number): string {
    const cause = `the thread ended with exit code ${code}`;
    if (this.#ready) return cause;
    // Bun 1.4.5 ends the worker of a compiled program with code 0 and no message when the worker's file is missing.
    const reason = code === 0 ? ": the model ends it, or the worker's program is missing" : "";
    return `${cause} before it was ready${reason}`;
  }
}

function jobMessage({ job, lane }: LaneJob): JobMessage {
  const { kind, audio, step, state, traceparent } = job;
  return {
    lane: lane.number,
    final: kind === "final",
    slabs: audio.slabs,
    offset: audio.offset,
    length: audio.length,
    ...(step !== undefined && { step }),
    ...(state !== undefined && { state }),
    ...(traceparent !== undefined && { traceparent }),
  };
}

function parse(data: unknown): Record<string, unknown> | undefined {
  try {
    const message = decodeMessage(data);
    return typeof message === "object" && message !== null ? (message as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Returns the line `error: ...` of an uncaught error, which Bun reports as a page with the source around it. */
function firstError(page: string): string {
  const line = page.split("\n").find((text) => /^\s*(\w*error|BuildMessage)\b.*:/i.test(text));
  return (line ?? page).trim().slice(0, MAX_CAUSE_LENGTH);
}
