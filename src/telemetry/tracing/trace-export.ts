import type { OtelSdk, OtelSdkOptions } from "./otel-sdk.ts";

/** Longest time that `close` waits for the last spans to be exported. */
const FLUSH_LIMIT_MS = 3_000;

type Environment = Readonly<Record<string, string | undefined>>;

export interface TraceExportOptions extends OtelSdkOptions {
  readonly env: Environment;
}

/** Tracing whose spans are exported. */
export interface TraceExport extends Pick<OtelSdk, "tracing" | "startSpan"> {
  /** Exports the remaining spans, within a time limit. */
  close(): Promise<void>;
}

/**
 * Returns true when the environment variables of OpenTelemetry name an endpoint for spans or the exporter `otlp`, and do
 * not disable tracing or name other exporters.
 */
export function exportConfigured(env: Environment): boolean {
  const value = (name: string): string => (env[name] ?? "").trim();
  const exporters = value("OTEL_TRACES_EXPORTER")
    .toLowerCase()
    .split(",")
    .map((name) => name.trim());
  if (value("OTEL_SDK_DISABLED").toLowerCase() === "true" || exporters.includes("none")) return false;
  // Its default endpoint is http://localhost:4318.
  if (exporters.some((name) => name !== "")) return exporters.includes("otlp");
  return value("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") !== "" || value("OTEL_EXPORTER_OTLP_ENDPOINT") !== "";
}

/**
 * Sets up tracing from the environment variables of OpenTelemetry. Returns undefined when they configure no export; the
 * libraries are not loaded then.
 */
export async function openTraceExport(options: TraceExportOptions): Promise<TraceExport | undefined> {
  if (!exportConfigured(options.env)) return undefined;
  const { createOtelSdk } = await import("./otel-sdk.ts");
  const { provider, tracing, startSpan } = createOtelSdk(options);
  return {
    tracing,
    startSpan,
    close: async () => {
      const limit = Promise.withResolvers<void>();
      const timer = setTimeout(limit.resolve, FLUSH_LIMIT_MS);
      // The exporter has already counted and logged a failure.
      await Promise.race([provider.shutdown().catch(() => undefined), limit.promise]);
      clearTimeout(timer);
    },
  };
}
