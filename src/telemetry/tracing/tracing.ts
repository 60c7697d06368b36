import type { Logger } from "../log/log.ts";
import type { Count } from "../metrics/instruments.ts";
import type { Tracing } from "./trace.ts";

/** What the program's end may wait for the last spans to be exported. */
const FLUSH_LIMIT_MS = 3_000;

export interface TracingOptions {
  /** `service.name`, if the environment does not say another. */
  readonly service: string;
  readonly version: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log?: Pick<Logger, "warn">;
  /** Counts spans by what became of them. */
  readonly count?: (fate: "recorded" | "exported" | "failed") => Count;
}

/** Tracing that is on. */
export interface OpenTracing {
  readonly tracing: Tracing;
  /** A span of this program's own, as the root of what it does. */
  span(name: string, attributes: Readonly<Record<string, string | number>>, parent?: string): OwnSpan;
  /** Exports what is left, within a limit. */
  close(): Promise<void>;
}

export interface OwnSpan {
  readonly traceparent: string;
  failed(code: string, message: string): void;
  ended(facts: Readonly<Record<string, string | number>>): void;
}

/** Whether the environment names a place to send spans to, as OpenTelemetry has it. */
export function tracingWanted(env: TracingOptions["env"]): boolean {
  const given = (name: string): string => (env[name] ?? "").trim();
  if (given("OTEL_SDK_DISABLED").toLowerCase() === "true" || given("OTEL_TRACES_EXPORTER").toLowerCase() === "none") {
    return false;
  }
  return given("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") !== "" || given("OTEL_EXPORTER_OTLP_ENDPOINT") !== "";
}

/**
 * Sets tracing up as the environment variables of OpenTelemetry say; undefined: they name no place to send spans to. The libraries
 * are loaded only when there is one.
 */
export async function openTracing(options: TracingOptions): Promise<OpenTracing | undefined> {
  if (!tracingWanted(options.env)) return undefined;
  const { setUp } = await import("./tracing-sdk.ts");
  const { provider, ...open } = setUp(options);
  return {
    ...open,
    close: async () => {
      const limit = Promise.withResolvers<void>();
      const timer = setTimeout(limit.resolve, FLUSH_LIMIT_MS);
      // An exporter that cannot say why has counted its failure already.
      await Promise.race([provider.shutdown().catch(() => undefined), limit.promise]);
      clearTimeout(timer);
    },
  };
}
