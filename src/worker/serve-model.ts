import type { Call, Model, StatefulModel } from "../model/model.ts";
import { isStateful, type LoadedModel, loadModel } from "./load-model.ts";
import type { CallMessage, CheckedAnswer, FromWorker, Piece, ToWorker } from "./messages.ts";
import { decode, encodeDone } from "./messages.ts";
import { checkOutput } from "./output.ts";
import { SpanReader } from "./span-reader.ts";

/** The worker's end of the channel to the pool: the global scope of a worker. */
export interface WorkerPort {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: FromWorker | string, transfer?: ArrayBuffer[]): void;
}

const MAX_ERROR_LENGTH = 500;
/** The collector counts the arena, which is shared, as what this thread keeps alive, and so waits for long (Bun 1.4.5): it is asked. */
const COLLECT_EVERY_CALLS = 1_000;

/** Serves one model on this thread until the thread ends: loads it, warms it, then answers one call after the other. */
export function serveModel(port: WorkerPort): void {
  let serve: ((message: CallMessage) => void | Promise<void>) | undefined;
  let close: (() => Promise<void>) | undefined;
  const options = new Map<number, unknown>();
  let calls = 0;
  port.onmessage = (event) => {
    const message = decode(event.data) as ToWorker;
    switch (message.type) {
      case "load":
        return void loadModel(message).then(
          ({ model, info, tracing }) => {
            const reader = new SpanReader(message.arena);
            serve = (call) => answerCall(port, call, { model, info, tracing, reader, options });
            close = async () => {
              await model.close?.();
              await tracing.close();
              process.exit(0);
            };
            port.postMessage({ type: "ready", info });
          },
          (error: unknown) => port.postMessage({ type: "load_failed", ...errorWords(error) }),
        );
      case "options":
        return void options.set(message.lane, message.options);
      case "forget":
        return void options.delete(message.lane);
      case "call":
        if (++calls % COLLECT_EVERY_CALLS === 0) Bun.gc(false);
        return void serve?.(message);
      case "close":
        return void close?.();
    }
  };
}

interface Served extends LoadedModel {
  readonly reader: SpanReader;
  readonly options: ReadonlyMap<number, unknown>;
}

/** Answers at once when the model does, so that a synchronous model costs no turn of the event loop. */
function answerCall(port: WorkerPort, message: CallMessage, served: Served): void | Promise<void> {
  const begun = performance.now();
  const { pieces } = message;
  const finish = (answers: CheckedAnswer[]): void => post(port, message.call, performance.now() - begun, answers);
  try {
    const audios = served.reader.read(pieces);
    const calls = pieces.map((piece) => describeCall(piece, served));
    const { model, tracing } = served;
    const answers = tracing.within(calls[0]?.traceparent, () =>
      isStateful(model)
        ? answerStep(model, audios[0]!, calls[0]!, pieces[0]!)
        : answerPieces(served, model, audios, calls, pieces),
    );
    if (!(answers instanceof Promise)) return finish(answers);
    return answers.then(finish, (error: unknown) => finish(pieces.map(() => failure(error))));
  } catch (error) {
    finish(pieces.map(() => failure(error)));
  }
}

function describeCall(piece: Piece, { info, options }: Served): Call {
  const { final, traceparent } = piece;
  const call = { final, sampleRate: info.sampleRate, options: options.get(piece.lane) };
  return traceparent === undefined ? call : { ...call, traceparent };
}

type Answers = CheckedAnswer[] | Promise<CheckedAnswer[]>;

function answerPieces(
  served: Served,
  model: Model<object>,
  audios: Float32Array[],
  calls: Call[],
  pieces: readonly Piece[],
): Answers {
  if (audios.length > 1) return answerBatch(served, model, audios, calls, pieces);
  const { sampleRate } = served.info;
  const output = model.infer(audios[0]!, calls[0]!);
  return output instanceof Promise ? output.then((late) => [check(late, sampleRate)]) : [check(output, sampleRate)];
}

/** Models that were told of. */
const unbatched = new WeakSet<object>();

async function answerBatch(
  served: Served,
  model: Model<object>,
  audios: Float32Array[],
  calls: Call[],
  pieces: readonly Piece[],
): Promise<CheckedAnswer[]> {
  const { sampleRate, idempotent } = served.info;
  try {
    const outputs: unknown = await model.inferBatch?.(audios, calls);
    if (!Array.isArray(outputs) || outputs.length !== audios.length) {
      throw new Error(`inferBatch() should give an array of ${audios.length} outputs`);
    }
    return await Promise.all(outputs.map((output) => answerOf(() => output, sampleRate)));
  } catch (error) {
    if (!idempotent) throw error;
    // One bad piece need not cost the others theirs; that every batch is bad should not go unseen.
    if (!unbatched.has(model)) console.error(`inferBatch() failed, its pieces are tried one by one: ${String(error)}`);
    unbatched.add(model);
    const answers: CheckedAnswer[] = [];
    for (const [i, audio] of served.reader.read(pieces).entries()) {
      answers.push(await answerOf(() => model.infer(audio, calls[i]!), sampleRate));
    }
    return answers;
  }
}

async function answerOf(infer: () => unknown, sampleRate: number): Promise<CheckedAnswer> {
  try {
    return check(await infer(), sampleRate);
  } catch (error) {
    return failure(error);
  }
}

function answerStep(model: StatefulModel<object, unknown>, audio: Float32Array, call: Call, piece: Piece): Answers {
  const { sampleRate } = call;
  if (piece.step === "finish") {
    const output = model.finish?.(piece.state, call);
    return output instanceof Promise ? output.then((late) => [spoken(late, sampleRate)]) : [spoken(output, sampleRate)];
  }
  if (piece.step !== "start") return stepAnswer(model.step(audio, piece.state, call), sampleRate);
  const state = model.start(call);
  const go = (begun: unknown): Answers =>
    audio.length === 0 ? [{ state: begun }] : stepAnswer(model.step(audio, begun, call), sampleRate);
  return state instanceof Promise ? state.then(go) : go(state);
}

type Step = [object | undefined, unknown];

function stepAnswer(result: Step | Promise<Step>, sampleRate: number): Answers {
  if (result instanceof Promise) return result.then((late) => stepAnswer(late, sampleRate));
  if (!Array.isArray(result) || result.length !== 2) throw new Error("step() should give [output or undefined, state]");
  return [{ ...spoken(result[0], sampleRate), state: result[1] }];
}

/** A stateful model may have nothing to say. */
function spoken(output: unknown, sampleRate: number): CheckedAnswer {
  return output === undefined ? {} : check(output, sampleRate);
}

function check(output: unknown, sampleRate: number): CheckedAnswer {
  const { json, audio } = checkOutput(output, sampleRate);
  return audio ? { outputJson: json, audio } : { outputJson: json };
}

function failure(error: unknown): CheckedAnswer {
  const { message, stack } = errorWords(error);
  return stack === undefined ? { error: message } : { error: message, stack };
}

function errorWords(error: unknown): { message: string; stack?: string } {
  const message = (error instanceof Error ? error.message : String(error)).slice(0, MAX_ERROR_LENGTH);
  return error instanceof Error && error.stack ? { message, stack: error.stack } : { message };
}

function post(port: WorkerPort, call: number, inferMs: number, answers: CheckedAnswer[]): void {
  const message = encodeDone(call, inferMs, answers);
  const sounds = answers.flatMap((answer) => (answer.audio ? [answer.audio.samples.buffer as ArrayBuffer] : []));
  try {
    port.postMessage(message, sounds);
  } catch (error) {
    const { message: cause } = errorWords(error);
    const words = `the model's state cannot be handed from worker to worker by structured clone: ${cause}`;
    port.postMessage(
      encodeDone(
        call,
        inferMs,
        answers.map(() => ({ error: words })),
      ),
    );
  }
}
