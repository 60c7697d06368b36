import type { MetricDeclaration } from "../model.ts";

/** The metrics of a remote model. `endpoint` is a host and a port as configured. */
export const REMOTE_METRICS: Readonly<Record<string, MetricDeclaration>> = {
  engine_requests: {
    type: "counter",
    help: "Inferences at an endpoint, retries included, by result: ok, status_4xx, status_5xx, or the fault.",
    labels: ["endpoint", "result"],
  },
  engine_request_seconds: {
    type: "histogram",
    help: "Time from sending an inference to its answer or fault.",
    labels: ["endpoint"],
  },
  engine_outstanding: {
    type: "gauge",
    help: "Inferences that an endpoint works on, those that were given up included.",
    labels: ["endpoint"],
  },
  engine_endpoints: {
    type: "gauge",
    help: "Addresses of an endpoint by the state of their breaker: closed (in service), half_open, open.",
    labels: ["endpoint", "state"],
  },
  engine_retries: { type: "counter", help: "Retries of inferences, by the fault before.", labels: ["reason"] },
};
