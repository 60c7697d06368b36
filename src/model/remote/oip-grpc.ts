import { type CallOptions as GrpcCallOptions, Metadata } from "@grpc/grpc-js";

import { type EngineChannel, EngineChannels } from "./grpc-channels.ts";
import { inferAnswer, inferRequest, tensorType } from "./grpc-messages.ts";
import { inferenceService, type UnaryMethod } from "./grpc-service.ts";
import { engineError } from "./grpc-status.ts";
import { abortError } from "./reachability.ts";
import type { TensorType } from "./tensor.ts";
import {
  type CallOptions,
  type EngineAddress,
  type EngineAnswer,
  EngineError,
  type EngineModel,
  type EngineRequest,
  type EngineTransport,
  type TransportOptions,
} from "./transport.ts";

/** Time-outs in a row, without an answer between them, after which a connection is given up: its host may be gone. */
const TIMEOUTS_OF_DEAD_CONNECTION = 3;

/** The Open Inference Protocol over gRPC, for engines that have nothing else. */
export function createGrpcTransport(options: TransportOptions): EngineTransport {
  return new GrpcTransport(options);
}

class GrpcTransport implements EngineTransport {
  readonly #channels: EngineChannels;
  readonly #options: TransportOptions;

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#channels = new EngineChannels(options);
  }

  async infer(address: EngineAddress, request: EngineRequest, options: CallOptions): Promise<EngineAnswer> {
    return inferAnswer(await this.#call(address, inferenceService.ModelInfer, inferRequest(request), options));
  }

  async checkReady(address: EngineAddress, model: EngineModel, signal: AbortSignal): Promise<void> {
    const { ready } = await this.#call(address, inferenceService.ModelReady, named(model), { signal });
    if (ready !== true) throw new EngineError("status", `the model "${model.model}" is not ready`, 503);
  }

  async readInputs(address: EngineAddress, model: EngineModel, signal: AbortSignal): Promise<readonly TensorType[]> {
    const { inputs } = await this.#call(address, inferenceService.ModelMetadata, named(model), { signal });
    return (inputs ?? []).map(tensorType);
  }

  close(): void {
    this.#channels.close();
  }

  async #call<Request, Response>(
    address: EngineAddress,
    method: UnaryMethod<Request, Response>,
    request: Request,
    options: CallOptions,
  ): Promise<Response> {
    const { signal, timeoutMs, traceparent } = options;
    if (signal.aborted) throw abortError(signal);
    const metadata = this.#metadata(traceparent);
    const channel = this.#channels.get(address);
    const limits: GrpcCallOptions = timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
    try {
      const response = await send(
        channel,
        method,
        request,
        { metadata, limits },
        signal,
        this.#options.connectTimeoutMs,
      );
      channel.timeouts = 0;
      return response;
    } catch (error) {
      this.#judge(channel, error);
      throw error;
    }
  }

  /** Gives up a connection that no answer comes on. The next call makes another; those that run may still end. */
  #judge(channel: EngineChannel, error: unknown): void {
    if (!(error instanceof EngineError) || error.fault === "aborted") return;
    channel.timeouts = error.fault === "timeout" ? channel.timeouts + 1 : 0;
    if (channel.timeouts >= TIMEOUTS_OF_DEAD_CONNECTION) this.#channels.discard(channel);
  }

  #metadata(traceparent: string | undefined): Metadata {
    const metadata = new Metadata();
    const headers = { ...this.#options.headers(), ...(traceparent === undefined ? {} : { traceparent }) };
    for (const [name, value] of Object.entries(headers)) {
      try {
        metadata.set(name, value);
      } catch {
        // The error of the library has the value, which may be secret.
        throw new EngineError("refused", `the header "${name}" cannot be sent over gRPC`);
      }
    }
    return metadata;
  }
}

function named({ model, version }: EngineModel): { name: string; version: string } {
  return { name: model, version: version ?? "" };
}

function send<Request, Response>(
  { client, connected }: EngineChannel,
  { path, requestSerialize, responseDeserialize }: UnaryMethod<Request, Response>,
  request: Request,
  { metadata, limits }: { metadata: Metadata; limits: GrpcCallOptions },
  signal: AbortSignal,
  connectTimeoutMs: number,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const call = client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      metadata,
      limits,
      (error, response) => {
        end();
        if (error !== null) reject(engineError(error));
        else if (response === undefined) reject(new EngineError("bad_answer", "the answer has no message"));
        else resolve(response);
      },
    );
    const abort = (): void => {
      end();
      call.cancel();
      reject(abortError(signal));
    };
    const giveUp = (): void => {
      if (connected()) return;
      end();
      call.cancel();
      reject(new EngineError("refused", `no connection to the engine within ${connectTimeoutMs} ms`));
    };
    const timer = connected() ? undefined : setTimeout(giveUp, connectTimeoutMs);
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    };
    signal.addEventListener("abort", abort);
  });
}
