import { type Clock, systemClock } from "../../lib/clock.ts";
import { readPemFile } from "../../lib/pem-file.ts";
import { messageOf } from "../../lib/thrown.ts";
import type { LoadContext } from "../model.ts";
import { Addresses } from "./addresses.ts";
import { callEnding } from "./call-ending.ts";
import { CallMeter } from "./call-meter.ts";
import { Endpoints } from "./endpoints.ts";
import { EngineCalls } from "./engine-calls.ts";
import { RemoteFailure } from "./remote-failure.ts";
import type { RemoteRequests } from "./remote-requests.ts";
import { RetryBudget } from "./retry-budget.ts";
import type { RemoteSettings } from "./settings.ts";
import { startEngineSpan } from "./spans.ts";
import type { TensorType } from "./tensor.ts";
import { TokenFile } from "./token-file.ts";
import { type EngineAddress, EngineError, type EngineTransport } from "./transport.ts";

/** Longest time for the answer to a check of readiness, and to a request for metadata. */
const CHECK_MS = 5_000;
const OBSERVE_MS = 1_000;
/** Longest time for an inference with silence: a server must be able to start while an engine is frozen. */
const PROBE_MS = 30_000;

/** The engines of a remote model, from their addresses to the calls. */
export class RemoteEngines {
  readonly calls: EngineCalls;
  readonly #settings: RemoteSettings;
  readonly #transport: EngineTransport;
  readonly #clock: Clock;
  readonly #addresses: Addresses;
  readonly #endpoints: Endpoints;
  readonly #meter: CallMeter;
  readonly #requests: RemoteRequests;
  #refusal = "";
  #cancel: (() => void) | undefined;
  #isClosed = false;

  constructor(
    settings: RemoteSettings,
    context: Pick<LoadContext, "unavailable" | "metrics">,
    transport: EngineTransport,
    requests: RemoteRequests,
    clock: Clock = systemClock,
  ) {
    this.#settings = settings;
    this.#transport = transport;
    this.#clock = clock;
    this.#requests = requests;
    this.#meter = new CallMeter(context.metrics, startEngineSpan);
    const log = (message: string): void => console.error(`remote: ${message}`);
    const endpoints = new Endpoints({
      breaker: { failures: settings.breaker_failures, openMs: settings.breaker_open_ms },
      healthMs: settings.health_ms,
      check: (address) => this.#within(CHECK_MS, (signal) => transport.checkReady(address, settings, signal)),
      probe: (address) => this.#probe(address),
      onAvailability: context.unavailable,
      log,
      clock,
      random: Math.random,
    });
    this.#endpoints = endpoints;
    this.#addresses = new Addresses({
      urls: settings.urls,
      resolveMs: settings.resolve_s * 1000,
      onChange: (addresses) => endpoints.update(addresses),
      log,
      clock,
    });
    this.calls = new EngineCalls({
      transport,
      endpoints,
      timeoutMs: settings.timeout_ms,
      retries: settings.retries,
      budget: new RetryBudget(settings.retry_budget),
      meter: this.#meter,
      clock,
    });
  }

  /** Tries all engines. Those that do not work are tried again later, so that the server may start before them. */
  async warmUp(): Promise<void> {
    await this.#addresses.start();
    await this.#endpoints.tryAll();
    if (!this.#isClosed) this.#observe();
  }

  /** Returns the inputs of the model, as one of the engines describes them. Rejects with RemoteFailure. */
  async readInputs(): Promise<readonly TensorType[]> {
    const endpoint = this.#endpoints.choose();
    if (endpoint === undefined) throw RemoteFailure.unavailable(this.#endpoints.unavailable);
    try {
      return await this.#readInputs(endpoint.address);
    } catch (error) {
      throw RemoteFailure.from(error as EngineError);
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel?.();
    this.#addresses.close();
    this.#endpoints.close();
    this.#transport.close();
  }

  #readInputs(address: EngineAddress): Promise<readonly TensorType[]> {
    return this.#within(CHECK_MS, (signal) => this.#transport.readInputs(address, this.#settings, signal));
  }

  /** Makes an inference with a second of silence. What it says of the settings is printed. */
  async #probe(address: EngineAddress): Promise<void> {
    const timeoutMs = Math.min(PROBE_MS, this.#settings.timeout_ms);
    try {
      const request = await this.#requests.probe(() => this.#readInputs(address));
      const answer = await this.#within(timeoutMs, (signal) => this.#transport.infer(address, request, { signal }));
      this.#requests.read(answer);
    } catch (error) {
      if (error instanceof EngineError && !refuses(error)) throw error;
      // The engine works, and may take real audio.
      const words = messageOf(error);
      if (words !== this.#refusal) console.error(`remote: ${address.url}: a second of silence: ${words}`);
      this.#refusal = words;
    }
  }

  async #within<Value>(timeoutMs: number, run: (signal: AbortSignal) => Promise<Value>): Promise<Value> {
    using ending = callEnding(this.#clock, timeoutMs);
    return await run(ending.options.signal);
  }

  #observe(): void {
    this.#meter.observe(this.#endpoints.all, this.#clock.now());
    this.#cancel = this.#clock.after(OBSERVE_MS, () => this.#observe());
  }
}

/** Returns true for a status that is due to the silence of the probe, or to the settings. */
function refuses({ status = 0 }: EngineError): boolean {
  return status === 500 || (status >= 400 && status < 500 && status !== 429);
}

/** Opens the transport that the settings select. Throws an error if a file cannot be used. */
export async function openTransport(settings: RemoteSettings, now: () => number): Promise<EngineTransport> {
  const { tls_ca: ca, tls_cert: cert, tls_key: key, token_file: tokenFile, proxy, headers = {} } = settings;
  const file = tokenFile === undefined ? undefined : new TokenFile(tokenFile, now);
  const pem = async (name: "ca" | "cert" | "key", path: string | undefined) => {
    if (path === undefined) return {};
    try {
      return { [name]: (await readPemFile(path, name === "key" ? "private key" : "certificate")).join("") };
    } catch (error) {
      throw new Error(`tls_${name}: ${messageOf(error)}`, { cause: error });
    }
  };
  const tls = { ...(await pem("ca", ca)), ...(await pem("cert", cert)), ...(await pem("key", key)) };
  const options = {
    headers: () => (file === undefined ? headers : { ...headers, authorization: `Bearer ${file.token}` }),
    connectTimeoutMs: settings.connect_timeout_ms,
    maxAnswerBytes: settings.max_answer_bytes,
    encoding: settings.encoding,
    ...(proxy !== undefined && { proxy }),
    ...(Object.keys(tls).length > 0 && { tls }),
  };
  // Each loads libraries that the other does not need.
  if (settings.protocol === "oip-grpc") return (await import("./oip-grpc.ts")).createGrpcTransport(options);
  const { OipHttp } = await import("./oip-http.ts");
  return new OipHttp(options);
}
