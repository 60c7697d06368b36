import { canOpen } from "../lib/descriptors.ts";
import { codeOf, messageOf } from "../lib/thrown.ts";
import type { ModelInfo } from "../model/model-info.ts";
import { Channel } from "../worker/child/channel.ts";
import { CHANNEL_FD, type DeclaredMessage, type ReadyMessage } from "../worker/child/child-messages.ts";
import type { Frame } from "../worker/child/frames.ts";
import { type ChildEnd, ChildProcess } from "./child-process.ts";
import { isModelInfo, readDone, readExit } from "./child-reports.ts";
import { encodeCall } from "./encoded-call.ts";
import type { Launch } from "./launch.ts";
import { loadMessage } from "./load-message.ts";
import { ProcessCalls } from "./process-calls.ts";
import { readReport } from "./read-report.ts";
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

/** File descriptors of a child, and as many for what its start needs for a moment. */
const DESCRIPTORS = 12;
const NO_DESCRIPTORS = "too few file descriptors are left for its process (ulimit -n)";
/** Time that a channel has to be read to its end when its process has ended. */
const CHANNEL_REST_MS = 500;

/** Receives what a model prints. */
export type ModelOutput = (line: OutputLine) => void;

export interface OutputLine {
  /** The name that the model exports; undefined: it is not loaded. */
  readonly name: string | undefined;
  readonly worker: number;
  readonly stream: "stdout" | "stderr";
  readonly text: string;
  /** Lines before this one that were too many. */
  readonly leftOut: number;
}

/**
 * Returns a `StartHost` for processes. It must be called on the main thread: a child ends with the thread that has started
 * it.
 * @param launch returns the program for a model. Throws what the author of the model is to know.
 */
export function processHost(launch: (options: HostOptions) => Launch, output: ModelOutput): StartHost {
  return (options, events) => new ProcessHost(launch, options, events, output);
}

/** A process that runs a model, from its start to its end. Calls and results travel over its channel. */
class ProcessHost implements WorkerHost {
  /** A call could not be taken back. */
  readonly ahead = 0;
  readonly exclusive = true;
  readonly #events: HostEvents;
  readonly #options: HostOptions;
  #launch: Launch | undefined;
  #child: ChildProcess | undefined;
  #channel: Channel | undefined;
  #exit: HostExit | undefined;
  #info: ModelInfo | undefined;
  #closing = false;
  #end: ChildEnd | undefined;
  #channelEnded = false;
  #reported = false;
  readonly #calls = new ProcessCalls();
  /** Lanes whose options, or whose stream, the process has. */
  readonly #lanes = new Set<number>();

  constructor(launch: (options: HostOptions) => Launch, options: HostOptions, events: HostEvents, output: ModelOutput) {
    this.#events = events;
    this.#options = options;
    try {
      if (!canOpen(DESCRIPTORS)) throw new Error(NO_DESCRIPTORS);
      this.#launch = launch(options);
      const { worker = 0 } = options;
      this.#child = new ChildProcess(this.#launch, options.arena, {
        ended: (end) => this.#attempt(() => this.#ended(end)),
        output: (line) => this.#attempt(() => output({ ...line, name: this.#info?.name, worker })),
      });
    } catch (error) {
      this.#reported = true;
      const cause = describeStart(error, this.#launch);
      queueMicrotask(() => events.exited({ cause }));
      return;
    }
    this.#channel = new Channel(this.#child.channelFd, {
      frame: (frame) => this.#attempt(() => this.#receive(frame)),
      closed: (problem) => this.#attempt(() => this.#closed(problem)),
    });
    if (this.#launch.program !== undefined) this.#channel.sendBytes(this.#launch.program);
    this.#channel.send(loadMessage(options));
  }

  get pid(): number | undefined {
    return this.#end === undefined ? this.#child?.pid : undefined;
  }

  call(call: number, jobs: readonly LaneJob[]): void {
    if (this.#reported) return;
    for (const { lane } of jobs) {
      if (this.#lanes.has(lane.number)) continue;
      const { number, options } = lane;
      if (options !== undefined) this.#channel?.send({ type: "options", lane: number, options });
      else if (this.#info?.pinned !== true) continue;
      this.#lanes.add(number);
    }
    const { header, blobs } = encodeCall(call, jobs);
    this.#calls.add(call, jobs.length);
    this.#channel?.send(header, blobs);
  }

  /** A call cannot be taken back, but an ended process has not taken one that it has not reported. */
  withdraw(call: number): boolean {
    return this.#reported && !this.#calls.hasTaken(call) && this.#calls.remove(call);
  }

  hasTaken(call: number): boolean {
    return this.#calls.hasTaken(call);
  }

  abort(call: number, reason: AbortReason): void {
    if (this.#calls.find(call) !== undefined) this.#channel?.send({ type: "abort", call, reason });
  }

  poll(): readonly CallResult[] {
    return [];
  }

  forget(lane: number): void {
    if (this.#lanes.delete(lane)) this.#channel?.send({ type: "forget", lane });
  }

  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#channel?.send({ type: "close", unanswered: this.#calls.numbers });
  }

  terminate(): void {
    this.#closing = true;
    this.#child?.terminate();
  }

  /** Does something of this host alone. After a fault the host ends, because a call or a result may be lost. */
  #attempt(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#exit ??= { cause: messageOf(error), fault: error };
      this.#child?.kill();
    }
  }

  #receive({ header, blob }: Frame): void {
    const { type } = header;
    const report = type === "report" && this.#info !== undefined ? readReport(header["report"]) : undefined;
    if (report !== undefined && !this.#reported) return this.#events.reported(report);
    if (this.#closing) return;
    if (type === "done" && this.#calls.size > 0) return this.#done({ header, blob });
    const taken = type === "taken" ? this.#calls.find(header["call"]) : undefined;
    if (taken !== undefined) return void (taken.taken = true);
    if (type === "crashed") return void (this.#exit ??= readExit(header));
    if (this.#info === undefined) {
      if (type === "ready") return this.#ready(header as Partial<ReadyMessage>);
      if (type === "load_failed") return this.#loadFailed(readExit(header));
      if (type === "declared" && this.#launch?.declared !== undefined)
        return this.#declared(header as Partial<DeclaredMessage>);
    }
    this.#breach(`a message of the type ${JSON.stringify(type)?.slice(0, 40)} came out of turn`);
  }

  #done({ header, blob }: Frame): void {
    const result = readDone(header, blob, this.#calls);
    if (typeof result === "string") return this.#breach(result);
    this.#calls.remove(result.call);
    this.#events.done([result]);
  }

  #ready({ info }: Readonly<Partial<Record<keyof ReadyMessage, unknown>>>): void {
    if (!isModelInfo(info)) return this.#breach("ready: the description of the model is incomplete");
    this.#info = { ...info, encodesStates: true };
    this.#calls.reportsTaken = info.concurrency !== undefined;
    this.#events.ready(this.#info);
  }

  #loadFailed(exit: HostExit): void {
    this.#exit = exit;
    this.close();
  }

  #declared({ module }: Partial<DeclaredMessage>): void {
    try {
      const answer = this.#launch?.declared?.(module, this.#options.settings);
      this.#channel?.send({ type: "open", ...answer });
    } catch (error) {
      this.#exit ??= { cause: messageOf(error) };
      this.terminate();
    }
  }

  /** The process has sent what it must not, and ends. */
  #breach(problem: string): void {
    this.#exit ??= { cause: `its process sent a broken message over descriptor ${CHANNEL_FD}: ${problem}` };
    this.#closing = true;
    this.#child?.kill();
  }

  #closed(problem: string | undefined): void {
    this.#channelEnded = true;
    if (problem !== undefined && !this.#closing && this.#end === undefined) this.#breach(problem);
    // Without a channel the process is of no use.
    if (this.#end === undefined) this.#child?.terminate();
    this.#report();
  }

  #ended(end: ChildEnd): void {
    this.#end = end;
    if (this.#channelEnded) return this.#report();
    // A process that it has started may have the channel, too.
    setTimeout(() => this.#report(), CHANNEL_REST_MS);
  }

  #report(): void {
    if (this.#reported || this.#end === undefined) return;
    this.#reported = true;
    this.#channel?.close();
    const exit = this.#exit ?? { cause: describeEnd(this.#end, this.#info !== undefined, this.#launch?.note) };
    // A fault of the receiver is not this host's, which has ended: `#attempt` must not keep it to itself.
    queueMicrotask(() => this.#events.exited(exit));
  }
}

/** Describes why a process could not be started. */
function describeStart(error: unknown, launch: Launch | undefined): string {
  if (launch === undefined || codeOf(error) !== "ENOEXEC") return messageOf(error);
  // A text without a first line for the system, or a program for another processor.
  return `${launch.command[0]} cannot be run: it is no program for this system (ENOEXEC)`;
}

function describeEnd({ code, signal }: ChildEnd, wasReady: boolean, note?: string): string {
  const what = signal === undefined ? `ended with exit code ${code}` : `was ended by ${signal}`;
  const hint = signal === "SIGKILL" ? ", as by the system when memory runs out" : "";
  const cause = `the process ${what}${hint}`;
  if (wasReady) return cause;
  return `${cause} before it was ready${note === undefined ? "" : ` (${note})`}`;
}
