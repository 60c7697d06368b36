import type tokenizer from "llama-tokenizer-js";
import type { InferenceSession, Tensor } from "onnxruntime-common";

import { repeatedTokens } from "./loops.ts";
import type { Runtime } from "./runtime.ts";
import { installed, readNetwork } from "./weights.ts";

export const SAMPLE_RATE = 16_000;
/** The encoder needs a quarter of a second; shorter pieces are padded with silence. */
const SHORTEST = 4_000;
const [START_TOKEN, END_TOKEN] = [1, 2];
/** More than anybody speaks. A decoder that goes on beyond has lost its way. */
const TOKENS_PER_SECOND = 6.5;
const LAYERS = [0, 1, 2, 3, 4, 5];
/** Attention cache without a token: one batch, eight heads, 36 numbers each. The encoder's must have a length. */
const NO_CACHE = [0, 8, 1, 36];

const cached = (network: string) => LAYERS.flatMap((layer) => [`${layer}.${network}.key`, `${layer}.${network}.value`]);
const DECODER_CACHE = cached("decoder");
const ENCODER_CACHE = cached("encoder");

/** Moonshine tiny: an encoder over the sound, and a decoder that writes one token at a time. */
export class Transcriber {
  readonly #runtime: Runtime;
  readonly #encoder: InferenceSession;
  readonly #decoder: InferenceSession;
  readonly #tokenizer: typeof tokenizer;

  private constructor(runtime: Runtime, encoder: InferenceSession, decoder: InferenceSession, llama: typeof tokenizer) {
    this.#runtime = runtime;
    this.#encoder = encoder;
    this.#decoder = decoder;
    this.#tokenizer = llama;
  }

  /** Loads both networks and the tokens. Throws if one is missing, or a network is not the expected one. */
  static async load(runtime: Runtime): Promise<Transcriber> {
    installed("llama-tokenizer-js");
    const { default: llama } = await import("llama-tokenizer-js");
    const encoder = await runtime.session(await readNetwork("encoder"));
    const decoder = await runtime.session(await readNetwork("decoder"));
    return new Transcriber(runtime, encoder, decoder, llama);
  }

  /** The words of at most 30 s of mono at 16 kHz. */
  async transcribe(audio: Float32Array): Promise<string> {
    const { Tensor } = this.#runtime;
    const input = new Float32Array(Math.max(SHORTEST, audio.length));
    input.set(audio);
    const encoded = await this.#encoder.run({ input_values: new Tensor("float32", input, [1, input.length]) });
    const states = encoded["last_hidden_state"]!;

    const cache: Record<string, Tensor> = {};
    for (const name of [...DECODER_CACHE, ...ENCODER_CACHE]) {
      cache[`past_key_values.${name}`] = new Tensor("float32", new Float32Array(0), NO_CACHE);
    }
    const limit = Math.ceil((audio.length / SAMPLE_RATE) * TOKENS_PER_SECOND);
    const tokens: number[] = [];
    for (let last = START_TOKEN; tokens.length < limit;) {
      const first = tokens.length === 0;
      // What the decoder computes from the sound is the same for every token: it is kept from the first.
      const updated = first ? [...DECODER_CACHE, ...ENCODER_CACHE] : DECODER_CACHE;
      const output = await this.#decoder.run(
        {
          input_ids: new Tensor("int64", BigInt64Array.of(BigInt(last)), [1, 1]),
          encoder_hidden_states: states,
          use_cache_branch: new Tensor("bool", Uint8Array.of(first ? 0 : 1), [1]),
          ...cache,
        },
        ["logits", ...updated.map((name) => `present.${name}`)],
      );
      for (const name of updated) cache[`past_key_values.${name}`] = output[`present.${name}`]!;
      last = largest(output["logits"]!.data as Float32Array);
      if (last === END_TOKEN) break;
      tokens.push(last);
      const repeated = repeatedTokens(tokens);
      if (repeated > 0) {
        tokens.length -= repeated;
        break;
      }
    }
    return this.#tokenizer.decode(tokens, false, false).trim();
  }

  async close(): Promise<void> {
    await this.#encoder.release();
    await this.#decoder.release();
  }
}

function largest(values: Float32Array): number {
  let best = 0;
  for (let index = 1; index < values.length; index++) if (values[index]! > values[best]!) best = index;
  return best;
}
