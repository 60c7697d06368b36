import { codeOf } from "../../lib/thrown.ts";
import { readBody } from "./answer-body.ts";
import { engineWords } from "./engine-words.ts";
import { decodeAnswer, decodeInputs, encodeRequest, JSON_LENGTH } from "./oip-body.ts";
import { abortError, checkReachable, refusal } from "./reachability.ts";
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

/**
 * Seconds for which idle connections are kept; Bun 1.4.5 rounds up to 4 or 8. Engines in Python close them after 5 by
 * default.
 */
const IDLE_S = 1;
/** An engine that has answered within this time is reachable. */
const REACHABLE_MS = 4_000;
/** An engine that has not answered for this time has no idle connection. */
const STALE_MS = 10_000;

/** Time for which an engine gets JSON before binary tensors are tried again. */
const JSON_MS = 600_000;

/** Time for which an engine gets bytes only, after it has refused a call in both forms: its calls cost two requests. */
const UNDECIDED_MS = 1_000;

/** Statuses of an engine that may not have understood binary tensors. Those of others do not depend on the body. */
const MISUNDERSTOOD: ReadonlySet<number> = new Set([400, 406, 411, 415, 422, 500, 501]);

/** What is known of an engine from its last answers. */
interface Known {
  /** Undefined: not known yet. */
  encoding?: "binary" | "json";
  /** When `json` is no longer known: the engine may have failed for another reason, and bytes are much cheaper. */
  jsonUntilMs?: number;
  /** When both forms may be tried again. */
  undecidedUntilMs?: number;
  /** Monotonic. */
  answeredMs: number;
}

interface Exchange extends Omit<CallOptions, "timeoutMs"> {
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Undefined: a GET. */
  readonly body?: string | Blob;
  /** The request may be sent again when the connection was closed without an answer. */
  readonly repeats: boolean;
}

/** The Open Inference Protocol over HTTP. */
export class OipHttp implements EngineTransport {
  readonly #options: TransportOptions;
  readonly #session: Bun.FetchSession;
  /** By URL. */
  readonly #known = new Map<string, Known>();

  constructor(options: TransportOptions) {
    this.#options = options;
    const { proxy, tls } = options;
    this.#session = new Bun.FetchSession({
      keepAlive: { idleTimeout: IDLE_S },
      proxy: proxy ?? false,
      ...(tls && { tls }),
    });
  }

  async infer(address: EngineAddress, request: EngineRequest, options: CallOptions): Promise<EngineAnswer> {
    const known = this.#knownOf(address);
    if (known.encoding === "json" && performance.now() > (known.jsonUntilMs ?? 0)) delete known.encoding;
    const isUndecided = performance.now() < (known.undecidedUntilMs ?? 0);
    const auto = known.encoding ?? (isUndecided ? "binary" : undefined);
    const fixed = this.#options.encoding === "auto" ? auto : this.#options.encoding;
    if (fixed !== undefined) return await this.#infer(address, request, options, fixed);
    try {
      const answer = await this.#infer(address, request, options, "binary");
      known.encoding = "binary";
      return answer;
    } catch (error) {
      if (!(error instanceof EngineError) || !MISUNDERSTOOD.has(error.status ?? 0)) throw error;
    }
    try {
      const answer = await this.#infer(address, request, options, "json");
      known.encoding = "json";
      known.jsonUntilMs = performance.now() + JSON_MS;
      return answer;
    } catch (error) {
      known.undecidedUntilMs = performance.now() + UNDECIDED_MS;
      throw error;
    }
  }

  async checkReady(address: EngineAddress, model: EngineModel, signal: AbortSignal): Promise<void> {
    try {
      await this.#exchange(address, { path: `${pathOf(model)}/ready`, signal, repeats: true });
    } catch (error) {
      // An engine without this route.
      if (!(error instanceof EngineError) || error.status !== 404) throw error;
    }
  }

  async readInputs(address: EngineAddress, model: EngineModel, signal: AbortSignal): Promise<readonly TensorType[]> {
    return decodeInputs((await this.#exchange(address, { path: pathOf(model), signal, repeats: true })).bytes);
  }

  close(): void {
    this.#session.close();
  }

  async #infer(
    address: EngineAddress,
    request: EngineRequest,
    { signal, traceparent }: CallOptions,
    encoding: "binary" | "json",
  ): Promise<EngineAnswer> {
    const { bytes, jsonLength } = await this.#exchange(address, {
      path: `${pathOf(request)}/infer`,
      ...encodeRequest(request, encoding),
      signal,
      ...(traceparent !== undefined && { traceparent }),
      // A step of a sequence must not be made twice.
      repeats: request.sequence?.start !== false,
    });
    return decodeAnswer(bytes, jsonLength);
  }

  /** Sends a request. Resolves with the body of an answer with the status 200. */
  async #exchange(
    address: EngineAddress,
    exchange: Exchange,
  ): Promise<{ bytes: Uint8Array; jsonLength: string | null }> {
    const known = this.#knownOf(address);
    const { connectTimeoutMs, maxAnswerBytes, proxy } = this.#options;
    if (proxy === undefined && performance.now() - known.answeredMs > REACHABLE_MS) {
      await checkReachable(address.url, connectTimeoutMs, exchange.signal);
    }
    const response = await this.#request(address, exchange);
    this.#knownOf(address).answeredMs = performance.now();
    const { status } = response;
    if (status === 200) {
      const bytes = await readBody(response, maxAnswerBytes, exchange.signal);
      return { bytes, jsonLength: response.headers.get(JSON_LENGTH) };
    }
    // The status says enough if its words cannot be read.
    const words = await readBody(response, ERROR_BYTES, exchange.signal).catch(() => new Uint8Array());
    throw new EngineError("status", errorWords(status, words), status);
  }

  /**
   * The connection that `fetch` takes from its pool may be one that the engine has just closed: tries a new one then. An
   * engine that closes new connections, too, gets no request twice.
   */
  async #request(address: EngineAddress, exchange: Exchange): Promise<Response> {
    const mayBeStale = performance.now() - this.#knownOf(address).answeredMs < STALE_MS;
    try {
      return await this.#fetch(address, exchange, true);
    } catch (error) {
      const wasReset = error instanceof EngineError && error.fault === "reset";
      if (!wasReset || !mayBeStale || !exchange.repeats) throw error;
      return await this.#fetch(address, exchange, false);
    }
  }

  async #fetch({ url, hostName }: EngineAddress, exchange: Exchange, keepalive: boolean): Promise<Response> {
    const { path, body, signal, traceparent } = exchange;
    const { tls, headers } = this.#options;
    try {
      return await this.#session.fetch(`${url}${path}`, {
        method: body === undefined ? "GET" : "POST",
        ...(body !== undefined && { body }),
        headers: {
          ...headers(),
          ...exchange.headers,
          ...(hostName !== undefined && { host: hostName }),
          ...(traceparent !== undefined && { traceparent }),
          // Triton compresses otherwise.
          "accept-encoding": "identity",
        },
        ...(hostName !== undefined && { tls: { ...tls, serverName: hostName.replace(/:\d+$/, "") } }),
        redirect: "error",
        decompress: false,
        keepalive,
        signal,
      });
    } catch (error) {
      throw this.#fault(url, error, signal);
    }
  }

  #fault(url: string, error: unknown, signal: AbortSignal): EngineError {
    if (signal.aborted) return abortError(signal);
    // What listens there may be another engine the next time.
    this.#known.delete(url);
    const code = codeOf(error);
    if (code === "ECONNRESET") return new EngineError("reset", "the connection was closed without an answer");
    if (code === "UnexpectedRedirect") return new EngineError("bad_answer", "the engine redirects, which is refused");
    if (code !== undefined && NOT_HTTP.test(code))
      return new EngineError("bad_answer", `the answer is not HTTP (${code})`);
    return new EngineError("refused", refusal(code));
  }

  #knownOf({ url }: EngineAddress): Known {
    let known = this.#known.get(url);
    if (known === undefined) this.#known.set(url, (known = { answeredMs: -Infinity }));
    return known;
  }
}

/** Codes of Bun 1.4.5 for answers that are not HTTP, such as `InvalidContentLength`. Those of the system are capitals. */
const NOT_HTTP = /^(?!Connection|Failed|Proxy)[A-Z][a-z]/;

/** Longest answer with an error. */
const ERROR_BYTES = 65_536;

function pathOf({ model, version }: EngineModel): string {
  const path = `/v2/models/${encodeURIComponent(model)}`;
  return version === undefined ? path : `${path}/versions/${encodeURIComponent(version)}`;
}

/** Returns the words of the engine, if it has some, whatever it says that they are. */
function errorWords(status: number, bytes: Uint8Array): string {
  const text = new TextDecoder().decode(bytes).trim();
  const words = engineWords(wordsOf(text) ?? text);
  const prefix = `the engine answered with the status ${status}`;
  return words === "" ? prefix : `${prefix}: ${words}`;
}

function wordsOf(text: string): string | undefined {
  try {
    const { error, detail } = JSON.parse(text) as { error?: unknown; detail?: unknown };
    const words = error ?? detail;
    return words === undefined || typeof words === "string" ? words : JSON.stringify(words);
  } catch {
    return undefined;
  }
}
