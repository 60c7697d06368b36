import type { DeclaredMetrics } from "../model.ts";
import type { Endpoint } from "./endpoint.ts";
import type { SpanStarter } from "./spans.ts";
import type { EngineError } from "./transport.ts";

/** One inference that is measured. */
export interface MeasuredCall {
  /** Trace context to be sent. */
  readonly options: { readonly traceparent?: string };
  /** @param fault undefined: there is an answer */
  end(fault?: EngineError): void;
}

const STATES = ["closed", "half_open", "open"] as const;
/** Longest label that metrics of models have. */
const MAX_LABEL = 64;

/** Metrics and spans of inferences. */
export class CallMeter {
  readonly #metrics: DeclaredMetrics;
  readonly #startSpan: SpanStarter;
  /** Labels that were reported: those of endpoints that are gone become 0. */
  readonly #labels = new Set<string>();

  constructor(metrics: DeclaredMetrics, startSpan: SpanStarter) {
    this.#metrics = metrics;
    this.#startSpan = startSpan;
  }

  begin(label: string, traceparent: string | undefined): MeasuredCall {
    const startedMs = performance.now();
    const span = this.#startSpan(label, traceparent);
    const endpoint = labelOf(label);
    return {
      options: span.traceparent === undefined ? {} : { traceparent: span.traceparent },
      end: (fault) => {
        const result = resultOf(fault);
        this.#metrics.add("engine_requests", { endpoint, result });
        this.#metrics.observe("engine_request_seconds", { endpoint }, (performance.now() - startedMs) / 1000);
        span.end(fault);
      },
    };
  }

  retried(fault: EngineError): void {
    this.#metrics.add("engine_retries", { reason: resultOf(fault) });
  }

  /** Reports the endpoints as they are. To be called about once a second. */
  observe(endpoints: Iterable<Endpoint>, nowMs: number): void {
    const all = [...endpoints].map((endpoint) => ({ endpoint, label: labelOf(endpoint.label) }));
    for (const { label } of all) this.#labels.add(label);
    for (const label of this.#labels) {
      const own = all.filter((each) => each.label === label).map(({ endpoint }) => endpoint);
      const outstanding = own.reduce((total, endpoint) => total + endpoint.outstanding(nowMs), 0);
      this.#metrics.set("engine_outstanding", { endpoint: label }, outstanding);
      for (const state of STATES) {
        const count = own.filter((endpoint) => endpoint.state === state).length;
        this.#metrics.set("engine_endpoints", { endpoint: label, state }, count);
      }
    }
  }
}

function resultOf(fault: EngineError | undefined): string {
  if (fault === undefined) return "ok";
  return fault.fault === "status" ? `status_${Math.floor((fault.status ?? 0) / 100)}xx` : fault.fault;
}

function labelOf(label: string): string {
  return label.slice(0, MAX_LABEL);
}
