import type { Call, Model, StatefulModel } from "../model.ts";
import type { RemoteEngines } from "./remote-engines.ts";
import { RemoteFailure } from "./remote-failure.ts";
import type { RemoteRequests, RemoteState, RemoteStep } from "./remote-requests.ts";

/** A model without state on engines. */
export class RemoteModel implements Model<object> {
  readonly #requests: RemoteRequests;
  readonly #engines: RemoteEngines;

  constructor(requests: RemoteRequests, engines: RemoteEngines) {
    this.#requests = requests;
    this.#engines = engines;
  }

  warmUp(): Promise<void> {
    return this.#engines.warmUp();
  }

  async infer(audio: Float32Array, call: Call): Promise<object> {
    const answer = await this.#engines.calls.infer(this.#requests.request(audio, call.options), call);
    return this.#requests.read(answer)[0];
  }

  close(): void {
    this.#engines.close();
  }
}

/** A model whose state is part of each call, so that any engine can make the next. */
export class RemoteStatefulModel implements StatefulModel<object, RemoteState> {
  readonly #requests: RemoteRequests;
  readonly #engines: RemoteEngines;
  #first: RemoteState | undefined;

  constructor(requests: RemoteRequests, engines: RemoteEngines) {
    this.#requests = requests;
    this.#engines = engines;
  }

  warmUp(): Promise<void> {
    return this.#engines.warmUp();
  }

  async start(): Promise<RemoteState> {
    if (this.#first !== undefined) return this.#first;
    const inputs = await this.#engines.readInputs();
    return (this.#first = RemoteFailure.instead(() => this.#requests.firstState(inputs)));
  }

  async step(audio: Float32Array, state: RemoteState, call: Call): Promise<RemoteStep> {
    return this.#requests.read(
      await this.#engines.calls.infer(this.#requests.request(audio, call.options, state), call),
    );
  }

  close(): void {
    this.#engines.close();
  }
}
