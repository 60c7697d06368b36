import { messageOf } from "../../src/lib/thrown.ts";
import type { HostEvents, HostExit, HostOptions, LaneJob, StartHost, WorkerHost } from "../../src/pool/worker-host.ts";
import { type LoadedModel, loadModel } from "../../src/worker/load-model.ts";
import { decodeDone, type JobMessage } from "../../src/worker/messages.ts";
import { ModelCaller } from "../../src/worker/model-caller.ts";
import { SpanReader } from "../../src/worker/span-reader.ts";

/** Starts a host that runs its model on this thread. A call that does not return cannot be terminated. */
export const inlineHost: StartHost = (options, events) => new InlineHost(options, events);

class InlineHost implements WorkerHost {
  readonly #events: HostEvents;
  readonly #laneOptions = new Map<number, unknown>();
  #model: LoadedModel["model"] | undefined;
  #caller: ModelCaller | undefined;
  #ended = false;

  constructor({ model, settings, arena, spawn }: HostOptions, events: HostEvents) {
    this.#events = events;
    loadModel({ type: "load", arena: arena.buffer, model, settings, spawn }).then(
      (loaded) => {
        if (this.#ended) return;
        this.#model = loaded.model;
        this.#caller = new ModelCaller(loaded, new SpanReader(arena.buffer), this.#laneOptions);
        events.ready(loaded.info);
      },
      (error: unknown) => this.#end({ cause: messageOf(error) }),
    );
  }

  call(call: number, jobs: readonly LaneJob[]): void {
    if (this.#caller === undefined || this.#ended) return;
    for (const { lane } of jobs) this.#laneOptions.set(lane.number, lane.options);
    const startedMs = performance.now();
    const running = Promise.resolve(this.#caller.run(jobs.map(toMessage)));
    void running.then((results) => {
      const inferMs = performance.now() - startedMs;
      if (!this.#ended) this.#events.done(decodeDone({ type: "done", call, inferMs, results }));
    });
  }

  forget(lane: number): void {
    this.#laneOptions.delete(lane);
  }

  close(): void {
    void Promise.resolve(this.#model?.close?.()).then(() => this.#end({ cause: "closed" }));
  }

  terminate(): void {
    queueMicrotask(() => this.#end({ cause: "terminated" }));
  }

  #end(exit: HostExit): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#events.exited(exit);
  }
}

function toMessage({ job, lane }: LaneJob): JobMessage {
  const { kind, audio, step, state, traceparent } = job;
  return {
    lane: lane.number,
    final: kind === "final",
    ...audio,
    ...(step !== undefined && { step }),
    ...(state !== undefined && { state: structuredClone(state) }),
    ...(traceparent !== undefined && { traceparent }),
  };
}
