import { describe, expect, test } from "bun:test";

import { type ExportResult, ExportResultCode } from "@opentelemetry/core";
import { InMemorySpanExporter, type ReadableSpan, type SpanExporter } from "@opentelemetry/sdk-trace-base";

import { SPAN_FATES } from "../../../src/telemetry/metrics/families/server.ts";
import { Counter } from "../../../src/telemetry/metrics/instruments.ts";
import { CountingExporter, CountingProcessor } from "../../../src/telemetry/tracing/counted-spans.ts";
import { SpanRecorder } from "../../support/recorded-spans.ts";

class ResultExporter implements SpanExporter {
  readonly #result: ExportResult;

  constructor(result: ExportResult) {
    this.#result = result;
  }

  export(_spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    done(this.#result);
  }

  async shutdown(): Promise<void> {}
}

function spans(count: number): ReadableSpan[] {
  const recorder = new SpanRecorder();
  for (let i = 0; i < count; i++) recorder.tracer.startSpan("span").end();
  return [...recorder.spans];
}

function counted() {
  const counters = new Map(SPAN_FATES.map((fate) => [fate, new Counter()]));
  const logged: [string, unknown][] = [];
  return {
    options: {
      spanCounter: (fate: (typeof SPAN_FATES)[number]) => counters.get(fate) ?? new Counter(),
      log: { warn: (event: string, fields?: unknown) => void logged.push([event, fields]) },
    },
    counts: () => SPAN_FATES.map((fate) => counters.get(fate)?.value),
    logged,
  };
}

describe("spans are counted", () => {
  test("as exported when the export succeeds", () => {
    const { options, counts, logged } = counted();
    const exporter = new CountingExporter(new ResultExporter({ code: ExportResultCode.SUCCESS }), options);
    exporter.export(spans(3), () => {});
    expect(counts()).toEqual([0, 3, 0]);
    expect(logged).toEqual([]);
  });

  test("as failed when it does not, with a log record for the first failures in a while", () => {
    const { options, counts, logged } = counted();
    const failure = { code: ExportResultCode.FAILED, error: new Error("unreachable") };
    const exporter = new CountingExporter(new ResultExporter(failure), options);
    const results: ExportResult[] = [];
    for (let i = 0; i < 2; i++) exporter.export(spans(2), (result) => results.push(result));
    expect(counts()).toEqual([0, 0, 4]);
    expect(results.map(({ code }) => code)).toEqual([ExportResultCode.FAILED, ExportResultCode.FAILED]);
    expect(logged).toEqual([["span_export_failed", { spans: 2, error: "unreachable" }]]);
  });

  test("as recorded when they end", async () => {
    const { options, counts } = counted();
    const processor = new CountingProcessor(new InMemorySpanExporter(), options);
    for (const span of spans(5)) processor.onEnd(span);
    await processor.shutdown();
    expect(counts()).toEqual([5, 0, 0]);
  });
});
