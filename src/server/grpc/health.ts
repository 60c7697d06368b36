import {
  Metadata,
  type sendUnaryData,
  type Server,
  type ServerUnaryCall,
  type ServerWritableStream,
  status,
} from "@grpc/grpc-js";

import definitions from "../../protocol/proto/grpc/health/v1/health.proto" with { type: "text" };
import { methodTypes, parseService } from "./service-types.ts";

/** Clients that may watch at a time; more are refused. */
const MAX_WATCHERS = 1_024;
/** Values of ServingStatus. */
const SERVING = 1;
const NOT_SERVING = 2;
const SERVICE_UNKNOWN = 3;

interface CheckRequest {
  readonly service?: string;
}
interface CheckResponse {
  readonly status: number;
}
type Watcher = ServerWritableStream<CheckRequest, CheckResponse>;

/** The service `grpc.health.v1.Health` of the gRPC Health Checking Protocol. */
export class HealthService {
  readonly #isServing: () => boolean;
  readonly #services: ReadonlySet<string>;
  /** Those who watch, and what they have been told. */
  readonly #watchers = new Map<Watcher, number>();

  /** @param isServing whether a session could be opened now @param services those whose health it tells */
  constructor(isServing: () => boolean, services: readonly string[]) {
    this.#isServing = isServing;
    this.#services = new Set(["", ...services]);
  }

  addTo(server: Server): void {
    const service = parseService(definitions, "grpc.health.v1.Health");
    server.addService(
      {
        Check: methodTypes<CheckRequest, CheckResponse>(service, "Check"),
        Watch: methodTypes<CheckRequest, CheckResponse>(service, "Watch"),
      },
      {
        Check: (call: ServerUnaryCall<CheckRequest, CheckResponse>, answer: sendUnaryData<CheckResponse>) =>
          this.#answer(call.request, answer),
        Watch: (call: Watcher) => this.#watch(call),
      },
    );
  }

  /** Tells those who watch what has changed. To be called a few times a second. */
  check(): void {
    for (const [watcher, told] of this.#watchers) {
      const now = this.#statusOf(watcher.request);
      if (now === told || watcher.writableNeedDrain) continue;
      this.#watchers.set(watcher, now);
      watcher.write({ status: now });
    }
  }

  /** Ends all watches. */
  close(): void {
    for (const watcher of this.#watchers.keys()) watcher.end();
    this.#watchers.clear();
  }

  #answer(request: CheckRequest, answer: sendUnaryData<CheckResponse>): void {
    const now = this.#statusOf(request);
    if (now !== SERVICE_UNKNOWN) return answer(null, { status: now });
    answer({ code: status.NOT_FOUND, details: "unknown service", metadata: new Metadata() });
  }

  #watch(watcher: Watcher): void {
    if (this.#watchers.size >= MAX_WATCHERS) {
      const details = `${MAX_WATCHERS} clients watch already`;
      return void watcher.emit("error", { code: status.RESOURCE_EXHAUSTED, details, metadata: new Metadata() });
    }
    const now = this.#statusOf(watcher.request);
    this.#watchers.set(watcher, now);
    watcher.on("cancelled", () => this.#watchers.delete(watcher));
    watcher.write({ status: now });
  }

  #statusOf({ service = "" }: CheckRequest): number {
    if (!this.#services.has(service)) return SERVICE_UNKNOWN;
    return this.#isServing() ? SERVING : NOT_SERVING;
  }
}
