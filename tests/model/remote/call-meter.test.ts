import { expect, test } from "bun:test";

import { CallMeter } from "../../../src/model/remote/call-meter.ts";
import { Endpoint } from "../../../src/model/remote/endpoint.ts";
import { REMOTE_METRICS } from "../../../src/model/remote/remote-metrics.ts";
import { EngineError, type EngineFault } from "../../../src/model/remote/transport.ts";
import { RecordedMetrics } from "../../../src/worker/recorded-metrics.ts";

test("as many engines as there may be have all of their series, whatever happens to their calls", () => {
  const metrics = new RecordedMetrics(REMOTE_METRICS, () => {});
  const meter = new CallMeter(metrics, () => ({ traceparent: undefined, end: () => {} }));
  const faults: EngineFault[] = ["refused", "reset", "timeout", "aborted", "bad_answer"];
  const errors = [
    undefined,
    ...faults.map((fault) => new EngineError(fault, "")),
    ...[204, 307, 400, 500].map((status) => new EngineError("status", "", status)),
  ];
  const labels = Array.from({ length: 64 }, (_, i) => `engine-${i}:8000`);
  meter.observe(
    labels.map((label) => new Endpoint({ url: `http://${label}` }, label, { failures: 5, openMs: 1_000 })),
    0,
  );
  for (const label of labels) for (const error of errors) meter.begin(label, undefined).end(error);
  for (const error of errors) if (error !== undefined) meter.retried(error);
  const taken = metrics.take();
  const count = (name: string): number => taken.filter((series) => series.name === name).length;
  expect(Object.keys(REMOTE_METRICS).map((name) => [name, count(name)])).toEqual([
    ["engine_requests", 640],
    ["engine_request_seconds", 64],
    ["engine_outstanding", 64],
    ["engine_endpoints", 192],
    ["engine_retries", 9],
  ]);
});
