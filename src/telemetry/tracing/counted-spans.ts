import { type ExportResult, ExportResultCode } from "@opentelemetry/core";
import { BatchSpanProcessor, type ReadableSpan, type SpanExporter } from "@opentelemetry/sdk-trace-base";

import type { Logger } from "../log/log.ts";
import type { SpanFate } from "../metrics/families/server.ts";
import type { Counter } from "../metrics/instruments.ts";

export interface SpanCountingOptions {
  readonly log?: Pick<Logger, "warn">;
  /** Returns the counter of the spans with this outcome. */
  readonly spanCounter?: (fate: SpanFate) => Counter;
}

/** Export failures are logged at most this often. */
const LOG_INTERVAL_MS = 60_000;

/** Exporter that counts exported and failed spans and logs why an export failed. */
export class CountingExporter implements SpanExporter {
  readonly #exporter: SpanExporter;
  readonly #options: SpanCountingOptions;
  #loggedAt = -Infinity;

  constructor(exporter: SpanExporter, options: SpanCountingOptions) {
    this.#exporter = exporter;
    this.#options = options;
  }

  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    this.#exporter.export(spans, (result) => {
      const succeeded = result.code === ExportResultCode.SUCCESS;
      this.#options.spanCounter?.(succeeded ? "exported" : "failed").add(spans.length);
      if (!succeeded && performance.now() - this.#loggedAt > LOG_INTERVAL_MS) {
        this.#loggedAt = performance.now();
        this.#options.log?.warn("span_export_failed", { spans: spans.length, error: result.error?.message });
      }
      done(result);
    });
  }

  async forceFlush(): Promise<void> {
    await this.#exporter.forceFlush?.();
  }

  async shutdown(): Promise<void> {
    await this.#exporter.shutdown();
  }
}

/** Batch processor that counts recorded spans. Its queue holds OTEL_BSP_MAX_QUEUE_SIZE spans and drops the rest. */
export class CountingProcessor extends BatchSpanProcessor {
  readonly #recorded: Counter | undefined;

  constructor(exporter: SpanExporter, options: SpanCountingOptions) {
    super(exporter);
    this.#recorded = options.spanCounter?.("recorded");
  }

  override onEnd(span: ReadableSpan): void {
    this.#recorded?.add();
    super.onEnd(span);
  }
}
