import type { Call, PinnedModel, PinnedStream } from "../model.ts";
import type { Endpoint } from "./endpoint.ts";
import type { CallContext } from "./engine-calls.ts";
import type { RemoteEngines } from "./remote-engines.ts";
import { RemoteFailure } from "./remote-failure.ts";
import { type RemoteRequests, sequenceId } from "./remote-requests.ts";
import type { EngineAnswer, EngineError } from "./transport.ts";

/** A model on engines that keep the state of each sequence themselves. A sequence stays with its engine. */
export class RemoteSequences implements PinnedModel<object> {
  readonly #requests: RemoteRequests;
  readonly #engines: RemoteEngines;

  constructor(requests: RemoteRequests, engines: RemoteEngines) {
    this.#requests = requests;
    this.#engines = engines;
  }

  warmUp(): Promise<void> {
    return this.#engines.warmUp();
  }

  open({ options }: Call): PinnedStream<object> {
    return new RemoteStream(this.#requests, this.#engines, options);
  }

  close(): void {
    this.#engines.close();
  }
}

/** A sequence that an engine has begun. */
interface Sequence {
  readonly id: number;
  readonly endpoint: Endpoint;
}

/** A stream whose utterances are sequences of an engine, one after the other. */
class RemoteStream implements PinnedStream<object> {
  readonly #requests: RemoteRequests;
  readonly #engines: RemoteEngines;
  readonly #options: unknown;
  /** Undefined: the next step begins one. */
  #sequence: Sequence | undefined;

  /** @param options those of the client */
  constructor(requests: RemoteRequests, engines: RemoteEngines, options: unknown) {
    this.#requests = requests;
    this.#engines = engines;
    this.#options = options;
  }

  async step(audio: Float32Array, call: Call): Promise<object> {
    const answer = this.#sequence === undefined ? await this.#begin(audio, call) : await this.#send(audio, call, false);
    return this.#requests.read(answer)[0];
  }

  /** Ends the sequence, with an empty tensor as its audio. */
  async finish(call: Call): Promise<object | undefined> {
    if (this.#sequence === undefined) return undefined;
    const answer = await this.#send(new Float32Array(0), call, true);
    this.#sequence = undefined;
    return this.#requests.read(answer)[0];
  }

  reset(): void {
    // `finish` has ended the sequence.
  }

  /** Ends a sequence in progress, so that the engine need not wait for its time to give the place to another. */
  close(): void {
    if (this.#sequence !== undefined) this.#end(this.#sequence);
    this.#sequence = undefined;
  }

  async #begin(audio: Float32Array, call: Call): Promise<EngineAnswer> {
    const id = sequenceId();
    const request = { ...this.#requests.request(audio, this.#options), sequence: { id, start: true, end: false } };
    const { signal, traceparent } = call;
    // Nothing is at an engine yet, so that another one may be tried, also for an interim result.
    const context = { final: true, ...(signal && { signal }), ...(traceparent !== undefined && { traceparent }) };
    let chosen: Endpoint | undefined;
    try {
      const answer = await this.#engines.calls.infer(request, context, (endpoint) => (chosen = endpoint));
      this.#sequence = chosen && { id, endpoint: chosen };
      return answer;
    } catch (error) {
      if (call.signal?.aborted === true && chosen !== undefined) this.#end({ id, endpoint: chosen });
      throw error;
    }
  }

  /** A step that fails may have reached the engine or not, so that the sequence cannot go on. */
  async #send(audio: Float32Array, call: CallContext, end: boolean): Promise<EngineAnswer> {
    const sequence = this.#sequence!;
    try {
      return await this.#sendTo(sequence, audio, call, end);
    } catch (error) {
      this.#sequence = undefined;
      // The engine has it, and works: a client that has gone must not cost a place there.
      if (!end && call.signal?.aborted === true) this.#end(sequence);
      throw RemoteFailure.from(error as EngineError, true);
    }
  }

  /** Nobody waits for it: an engine that is gone has forgotten the sequence, too. */
  #end(sequence: Sequence): void {
    this.#sendTo(sequence, new Float32Array(0), { final: true }, true).catch(() => undefined);
  }

  async #sendTo(
    { id, endpoint }: Sequence,
    audio: Float32Array,
    call: CallContext,
    end: boolean,
  ): Promise<EngineAnswer> {
    const request = { ...this.#requests.request(audio, this.#options), sequence: { id, start: false, end } };
    return await this.#engines.calls.inferAt(endpoint, request, call);
  }
}
