import { RemoteFailure } from "./remote-failure.ts";
import type { RemoteSettings } from "./settings.ts";
import { findOutput, TensorFields, zeros } from "./tensor-fields.ts";
import type { Tensor, TensorType } from "./tensor.ts";
import { type EngineAnswer, EngineError, type EngineRequest } from "./transport.ts";

/** Outputs of a call, and its next state. */
export type RemoteStep = [output: Record<string, unknown>, state: RemoteState];

/** The state of a stream: the tensors that the next call gets. */
export interface RemoteState {
  readonly tensors: readonly Tensor[];
}

/** Requests and answers of a remote model as its settings say. */
export class RemoteRequests {
  readonly #settings: RemoteSettings;
  readonly #tensors: TensorFields;
  /** Output tensors with the next state, by the input tensor that gets it. */
  readonly #states: ReadonlyMap<string, string>;
  readonly #stateOutputs: readonly string[];

  constructor(settings: RemoteSettings) {
    this.#settings = settings;
    this.#tensors = new TensorFields(settings);
    this.#states = new Map(Object.entries(settings.state?.tensors ?? {}));
    this.#stateOutputs = [...this.#states.values()];
  }

  /** Throws an error for the client if one of its options is not allowed. */
  request(audio: Float32Array, options: unknown, { tensors }: RemoteState = { tensors: [] }): EngineRequest {
    const { model, version } = this.#settings;
    const outputs = this.#tensors.wanted(this.#stateOutputs);
    return {
      model,
      version,
      inputs: [...this.#tensors.inputs(audio, options), ...tensors],
      ...(outputs && { outputs }),
    };
  }

  /** Throws RemoteFailure if the answer does not have the outputs that are wanted. */
  read(answer: EngineAnswer): RemoteStep {
    return RemoteFailure.instead(() => {
      const fields = this.#tensors.fields(answer, this.#stateOutputs);
      const next = ([input, output]: [string, string]) => ({ ...findOutput(answer.outputs, output), name: input });
      return [fields, { tensors: [...this.#states].map(next) }];
    });
  }

  /** Returns the state at the start of a stream: zeros. Throws EngineError. @param inputs of the model */
  firstState(inputs: readonly TensorType[]): RemoteState {
    const tensors = [...this.#states.keys()].map((name) => {
      const found = inputs.find((input) => input.name === name);
      if (found !== undefined) return zeros(found);
      const names = inputs.map((input) => input.name).join(", ") || "none";
      throw new EngineError("bad_answer", `the model has no input "${name}" for the state; it has ${names}`);
    });
    return { tensors };
  }

  /** Returns an inference with a second of silence. @param readInputs returns the inputs of the model */
  async probe(readInputs: () => Promise<readonly TensorType[]>): Promise<EngineRequest> {
    const state = this.#states.size === 0 ? undefined : this.firstState(await readInputs());
    const request = this.request(new Float32Array(this.#settings.sample_rate), undefined, state);
    if (this.#settings.state?.sequence !== true) return request;
    return { ...request, sequence: { id: sequenceId(), start: true, end: true } };
  }
}

/** Returns a number that no other sequence of the engine has, in all likelihood. */
export function sequenceId(): number {
  return 1 + Number(crypto.getRandomValues(new BigUint64Array(1))[0]! % BigInt(Number.MAX_SAFE_INTEGER));
}
