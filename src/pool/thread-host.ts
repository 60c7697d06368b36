import { childEnvironment } from "../lib/child-environment.ts";
import { canOpen } from "../lib/descriptors.ts";
import { messageOf } from "../lib/thrown.ts";
import { isInterim } from "../model/job.ts";
import { libraryPath } from "../native/library.ts";
import { AddonFlag } from "../worker/addon-flag.ts";
import { CallRing } from "../worker/call-ring.ts";
import type {
  DoneMessage,
  JobMessage,
  LoadFailedMessage,
  LoadMessage,
  ReadyMessage,
  ToWorker,
} from "../worker/messages.ts";
import { decodeResults } from "../worker/messages.ts";
import { type CallEnd, ResultRing } from "../worker/result-ring.ts";
import { readReport } from "./read-report.ts";
import { ThreadCalls } from "./thread-calls.ts";
import type {
  AbortReason,
  CallResult,
  HostEvents,
  HostExit,
  HostOptions,
  LaneJob,
  StartHost,
  WorkerHost,
} from "./worker-host.ts";

const MAX_CAUSE_LENGTH = 500;
/** File descriptors of a thread, and as many for the files that its model loads. */
const DESCRIPTORS = 8;
/** Time after which a ring that is full is looked at again. */
const FULL_RING_MS = 5;
const NO_DESCRIPTORS = "too few file descriptors are left for its thread (ulimit -n)";

/** Returns a `StartHost` for Bun workers. @param workerUrl URL of `src/worker.ts` */
export function threadHost(workerUrl: string | URL): StartHost {
  return (options, events) => new ThreadHost(workerUrl, options, events);
}

/**
 * A worker thread, from its start to its end. Calls and results travel in shared memory, with slab numbers in place of
 * samples; the thread reads the arena itself.
 */
class ThreadHost implements WorkerHost {
  readonly ahead = CallRing.CAPACITY - 1;
  readonly #events: HostEvents;
  /** Undefined: could not be started, or has ended. */
  #worker: Worker | undefined;
  #exit: HostExit | undefined;
  readonly #addon = new AddonFlag();
  readonly #results = new ResultRing();
  #ready = false;
  #closes = false;
  #pinned = false;
  #closing = false;
  readonly #calls = new ThreadCalls((position, jobs) => this.#post({ type: "jobs", position, jobs }));
  /** Lanes whose options, or whose stream, the thread has. */
  readonly #lanes = new Set<number>();
  /** The thread is to be woken at the end of this turn of the event loop. */
  #waking = false;
  readonly #wake = (): void => {
    this.#waking = false;
    this.#attempt(() => {
      const { ring } = this.#calls;
      if (this.#calls.hasWaiting) this.#calls.queueWaiting();
      if (ring.wake()) this.#post({ type: "wake" });
      if (this.#calls.hasWaiting && !this.#closing) setTimeout(this.#wake, FULL_RING_MS);
    });
  };

  constructor(workerUrl: string | URL, { model, settings, arena, spawn }: HostOptions, events: HostEvents) {
    this.#events = events;
    try {
      // Bun 1.4.5 ends the whole process when a thread gets no descriptor.
      if (!canOpen(DESCRIPTORS)) throw new Error(NO_DESCRIPTORS);
      this.#worker = new Worker(workerUrl, { env: childEnvironment() });
    } catch (error) {
      queueMicrotask(() => events.exited({ cause: messageOf(error) }));
      return;
    }
    this.#worker.onmessage = (event: MessageEvent) => this.#attempt(() => this.#receive(event.data));
    this.#worker.onerror = (event: ErrorEvent) => {
      this.#exit ??= { cause: firstError(event.message), stack: event.message };
    };
    this.#worker.addEventListener("close", (event) => this.#closed((event as CloseEvent).code));
    const { address, length } = arena.samples;
    const shared = { addonFlag: this.#addon.buffer, calls: this.#calls.ring.buffer, results: this.#results.buffer };
    const library = libraryPath();
    const load: LoadMessage = { type: "load", library, arena: { address, length }, ...shared, model, settings, spawn };
    this.#worker.postMessage(load);
  }

  call(call: number, jobs: readonly LaneJob[]): void {
    for (const { lane } of jobs) {
      if (this.#lanes.has(lane.number)) continue;
      if (lane.options !== undefined) this.#post({ type: "options", lane: lane.number, options: lane.options });
      else if (!this.#pinned) continue;
      this.#lanes.add(lane.number);
    }
    this.#calls.add(call, jobs.map(jobMessage));
    this.#wakeLater();
  }

  withdraw(call: number): boolean {
    return this.#calls.withdraw(call);
  }

  hasTaken(call: number): boolean {
    return this.#calls.hasTaken(call);
  }

  abort(call: number, reason: AbortReason): void {
    const position = this.#calls.positionOf(call);
    if (position !== undefined) this.#post({ type: "abort", position, reason });
  }

  poll(): readonly CallResult[] {
    return this.#closing ? [] : this.#calls.end(this.#results.read());
  }

  forget(lane: number): void {
    if (!this.#lanes.delete(lane)) return;
    this.#calls.forget(lane, (last) => this.#post({ type: "forget", lane, ...(last !== undefined && { last }) }));
  }

  close(): void {
    this.#closing = true;
    this.#calls.withdrawAll();
    const unanswered = this.#calls.positions;
    if (this.#ready && unanswered.length === 0 && !this.#closes) this.terminate();
    else this.#post({ type: "close", unanswered });
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

  /** Does something of this host alone. After a fault the host ends, because a call or a result may be lost. */
  #attempt(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#exit ??= { cause: messageOf(error), fault: error };
      this.terminate();
    }
  }

  /** Wakes the thread at the end of the turn of the event loop, if it waits for calls then: once for all of a turn. */
  #wakeLater(): void {
    if (this.#waking) return;
    this.#waking = true;
    setImmediate(this.#wake);
  }

  #post(message: ToWorker): void {
    this.#calls.ring.countPosted();
    this.#worker?.postMessage(message);
  }

  #receive(data: unknown): void {
    if (this.#worker === undefined) return;
    const message = typeof data === "object" && data !== null ? (data as Record<string, unknown>) : {};
    const { type } = message;
    const report = type === "report" && this.#ready ? readReport(message["report"]) : undefined;
    if (report !== undefined) return this.#events.reported(report);
    if (this.#closing) return;
    if (!this.#ready && type === "ready") this.#loaded(message as unknown as ReadyMessage);
    else if (!this.#ready && type === "load_failed") this.#loadFailed(message as unknown as LoadFailedMessage);
    else if (type === "results") this.#report([]);
    else if (this.#endsCall(message)) this.#endCall(message as unknown as DoneMessage);
    else this.#events.strangeMessage();
  }

  #loaded({ info, closes }: ReadyMessage): void {
    this.#ready = true;
    this.#closes = closes;
    this.#pinned = info.pinned;
    this.#events.ready(info);
  }

  #loadFailed({ message, stack }: LoadFailedMessage): void {
    this.#exit = { cause: message, ...(stack !== undefined && { stack }) };
    this.close();
  }

  /** Returns whether the message ends an open call. It may be one that the model posted itself. */
  #endsCall({ type, position, results }: Record<string, unknown>): boolean {
    if (type !== "done") return false;
    return Array.isArray(results) && results.length === this.#calls.jobsAt(position as number);
  }

  #endCall({ position, inferMs, results }: DoneMessage): void {
    this.#report([{ position, inferMs, results: decodeResults(results) }]);
  }

  /** Reports the results in the ring, and others, which came later. */
  #report(later: readonly CallEnd[]): void {
    const results = this.#calls.end([...this.#results.read(), ...later]);
    if (results.length > 0) this.#events.done(results);
  }

  #closed(code: number): void {
    this.#worker = undefined;
    if (!this.#closing) this.#report([]);
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
  const { audio, start, utterance, step, state, traceparent } = job;
  return {
    lane: lane.number,
    final: !isInterim(job),
    slabs: audio.slabs,
    offset: audio.offset,
    length: audio.length,
    start,
    ...(utterance !== undefined && { utterance }),
    ...(step !== undefined && { step }),
    ...(state !== undefined && { state }),
    ...(traceparent !== undefined && { traceparent }),
  };
}

/** Returns the line `error: ...` of an uncaught error, which Bun reports as a page with the source around it. */
function firstError(page: string): string {
  const line = page.split("\n").find((text) => /^\s*(\w*error|BuildMessage)\b.*:/i.test(text));
  return (line ?? page).trim().slice(0, MAX_CAUSE_LENGTH);
}
