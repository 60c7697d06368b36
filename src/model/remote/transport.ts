import { excerpt } from "../../lib/excerpt.ts";
import { redactSecrets } from "../../lib/secrets.ts";
import type { Tensor, TensorType } from "./tensor.ts";

/** Longest message of an EngineError, which may have words and names that an engine has chosen. */
const MAX_MESSAGE = 400;

/** Where an engine is. */
export interface EngineAddress {
  /** Base URL: scheme, host, port and perhaps a path, without a slash at its end. */
  readonly url: string;
  /** The host has been looked up, and `url` has its address: the name for `Host` and for the certificate. */
  readonly hostName?: string;
}

/** A model on an engine. */
export interface EngineModel {
  readonly model: string;
  /** Undefined: the engine chooses. */
  readonly version?: string | undefined;
}

/** One inference of the Open Inference Protocol. */
export interface EngineRequest extends EngineModel {
  /** Identifies the request in the log of the engine. */
  readonly id?: string;
  readonly inputs: readonly Tensor[];
  /** Names of the outputs that are wanted; undefined: all. */
  readonly outputs?: readonly string[];
  /** For models that keep state between the requests of a sequence: `id` is not 0. */
  readonly sequence?: EngineSequence;
}

export interface EngineSequence {
  /** From 1 to 2^53 - 1. */
  readonly id: number;
  /** True for the first request of the sequence. */
  readonly start: boolean;
  /** True for the last one. */
  readonly end: boolean;
}

export interface EngineAnswer {
  readonly outputs: readonly Tensor[];
}

export interface CallOptions {
  /** Ends the call. The error is of kind `timeout` if the reason is a `TimeoutError`, of kind `aborted` otherwise. */
  readonly signal: AbortSignal;
  /** Time that is left for the call, ms: engines may drop it then. `signal` ends it in any case. */
  readonly timeoutMs?: number;
  /** W3C trace context. */
  readonly traceparent?: string;
}

/** Settings of a transport. */
export interface TransportOptions {
  /** Returns the headers of a call. They may hold secrets, and change. */
  readonly headers: () => Readonly<Record<string, string>>;
  /** Longest time for a new connection. */
  readonly connectTimeoutMs: number;
  /** Largest answer, bytes. */
  readonly maxAnswerBytes: number;
  /** Form of tensors on HTTP; auto: what each engine can read. */
  readonly encoding: "auto" | "binary" | "json";
  /** URL of a proxy for HTTP; undefined: none, whatever the environment says. */
  readonly proxy?: string;
  /** Texts in PEM. Undefined: the authorities of the system, and no certificate of the client. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
}

/** A way of talking to engines. Has no retries, and no opinion on which engine is well. */
export interface EngineTransport {
  /** Runs one inference. Rejects with EngineError, and nothing else, as the others do. */
  infer(address: EngineAddress, request: EngineRequest, options: CallOptions): Promise<EngineAnswer>;
  /**
   * Resolves if the engine has its model ready, or has no such check. Otherwise rejects with the reason: a fault of the
   * connection, or a status.
   */
  checkReady(address: EngineAddress, model: EngineModel, signal: AbortSignal): Promise<void>;
  /** Returns the inputs of the model, from its metadata. Dimensions that are free are -1. */
  readInputs(address: EngineAddress, model: EngineModel, signal: AbortSignal): Promise<readonly TensorType[]>;
  /** Closes all connections. No call is made afterwards. */
  close(): void;
}

/** What went wrong with a call. */
export type EngineFault =
  /** There is no connection: the call has not reached the engine. */
  | "refused"
  /** The connection ended before the first byte of the answer. */
  | "reset"
  /** The engine answered with a status that is not 200. */
  | "status"
  | "timeout"
  /** The caller does not want the answer any more. */
  | "aborted"
  /** The answer is cut off, too large, or not what the protocol says. */
  | "bad_answer";

/**
 * A failed call. The message is for operators and clients: it has no address of an engine, and is cut, without control
 * characters and without tokens, whatever the engine says.
 */
export class EngineError extends Error {
  override readonly name = "EngineError";
  readonly fault: EngineFault;
  /**
   * With `status`: that of HTTP. Transports with other codes use those that `google/rpc/code.proto` gives for them, such
   * as 503 for UNAVAILABLE and 429 for RESOURCE_EXHAUSTED.
   */
  readonly status: number | undefined;

  constructor(fault: EngineFault, message: string, status?: number) {
    super(redactSecrets(excerpt(message, MAX_MESSAGE)));
    this.fault = fault;
    this.status = status;
  }
}
