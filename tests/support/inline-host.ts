import { messageOf } from "../../src/lib/thrown.ts";
import { isInterim } from "../../src/model/job.ts";
import type {
  AbortReason,
  CallResult,
  HostEvents,
  HostExit,
  HostOptions,
  LaneJob,
  StartHost,
  WorkerHost,
} from "../../src/pool/worker-host.ts";
import { AddonFlag } from "../../src/worker/addon-flag.ts";
import { isStateful, type LoadedModel, loadModel } from "../../src/worker/load-model.ts";
import { decodeResults, type JobMessage, type WorkerResult } from "../../src/worker/messages.ts";
import { CallSignal } from "../../src/worker/model-call.ts";
import { ModelCaller } from "../../src/worker/model-caller.ts";
import { SpanReaders } from "../../src/worker/span-reader.ts";

/** Starts a host that runs its model on this thread. A call that does not return cannot be terminated. */
export const inlineHost: StartHost = (options, events) => new InlineHost(options, events);

class InlineHost implements WorkerHost {
  readonly ahead = 0;
  readonly #events: HostEvents;
  readonly #laneOptions = new Map<number, unknown>();
  #model: LoadedModel["model"] | undefined;
  #caller: ModelCaller | undefined;
  #loading = true;
  readonly #running = new Map<number, CallSignal>();
  #closing = false;
  #ended = false;

  constructor({ model, settings, arena, spawn }: HostOptions, events: HostEvents) {
    this.#events = events;
    loadModel({ model, settings, spawn, addonFlag: new AddonFlag().buffer }).then(
      (loaded) => {
        if (this.#ended) return;
        this.#model = loaded.model;
        this.#caller = new ModelCaller(loaded, new SpanReaders(arena.samples), this.#laneOptions);
        this.#loading = false;
        if (this.#closing) void this.#leave();
        else {
          events.ready(loaded.info);
          loaded.reports.open((report) => {
            if (!this.#ended) events.reported(report);
          });
        }
      },
      (error: unknown) => this.#end({ cause: messageOf(error) }),
    );
  }

  call(call: number, jobs: readonly LaneJob[]): void {
    if (this.#caller === undefined || this.#closing || this.#ended) return;
    for (const { lane } of jobs) this.#laneOptions.set(lane.number, lane.options);
    const startedMs = performance.now();
    const signal = new CallSignal();
    this.#running.set(call, signal);
    const running = Promise.resolve(this.#caller.run(jobs.map(toMessage), signal));
    void running.then((results) => {
      const inferMs = performance.now() - startedMs;
      this.#running.delete(call);
      if (this.#closing && this.#running.size === 0)
        void this.#leave(jobs[0]?.job.step === "start" ? results[0] : undefined);
      else if (!this.#ended && !this.#closing) this.#events.done([{ call, inferMs, results: decodeResults(results) }]);
    });
  }

  /** Each call is taken at once. */
  withdraw(): boolean {
    return false;
  }

  hasTaken(call: number): boolean {
    return this.#running.has(call);
  }

  abort(call: number, reason: AbortReason): void {
    this.#running.get(call)?.abort(reason);
  }

  poll(): readonly CallResult[] {
    return [];
  }

  forget(lane: number): void {
    this.#laneOptions.delete(lane);
    this.#caller?.forget(lane);
  }

  close(): void {
    this.#closing = true;
    for (const signal of this.#running.values()) signal.abort("closed");
    if (!this.#loading && this.#running.size === 0) void this.#leave();
  }

  terminate(): void {
    queueMicrotask(() => this.#end({ cause: "terminated" }));
  }

  /** @param unsent result of a call that has started a stream */
  async #leave(unsent?: WorkerResult): Promise<void> {
    if (this.#ended) return;
    const model = this.#model;
    if (model !== undefined && isStateful(model) && unsent?.state !== undefined) await model.dispose?.(unsent.state);
    await this.#caller?.closeStreams();
    await model?.close?.();
    this.#end({ cause: "closed" });
  }

  #end(exit: HostExit): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#events.exited(exit);
  }
}

function toMessage({ job, lane }: LaneJob): JobMessage {
  const { audio, start, utterance, step, state, traceparent } = job;
  return {
    lane: lane.number,
    final: !isInterim(job),
    ...audio,
    start,
    ...(utterance !== undefined && { utterance }),
    ...(step !== undefined && { step }),
    ...(state !== undefined && { state: structuredClone(state) }),
    ...(traceparent !== undefined && { traceparent }),
  };
}
