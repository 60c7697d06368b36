import manifest from "../../../package.json" with { type: "json" };
import { exportConfigured } from "./trace-export.ts";

/** Tracing for the code of a model, in its worker thread. */
export interface ModelTracing {
  /**
   * Calls `run` with the span of `traceparent` as the current one: spans that the model starts meanwhile become its
   * children.
   */
  within<T>(traceparent: string | undefined, run: () => T): T;
  /** Exports the remaining spans. */
  close(): Promise<void>;
}

/** Tracing for models without spans of their own, and when spans are not exported. */
export const NO_MODEL_TRACING: ModelTracing = {
  within: (_traceparent, run) => run(),
  close: () => Promise.resolve(),
};

/**
 * Sets up `@opentelemetry/api` in this thread. It works for whichever copy of the API a model imports: all copies find
 * what is registered here by a shared symbol.
 */
export async function openModelTracing(env: Readonly<Record<string, string | undefined>>): Promise<ModelTracing> {
  if (!exportConfigured(env)) return NO_MODEL_TRACING;
  const [{ context, trace }, { AsyncLocalStorageContextManager }, { createOtelSdk }, { remoteContext }] =
    await Promise.all([
      import("@opentelemetry/api"),
      import("@opentelemetry/context-async-hooks"),
      import("./otel-sdk.ts"),
      import("./span-context.ts"),
    ]);
  const { provider } = createOtelSdk({ service: "streamer", version: manifest.version });
  trace.setGlobalTracerProvider(provider);
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  return {
    within: (traceparent, run) => context.with(remoteContext(traceparent) ?? context.active(), run),
    close: async () => await provider.shutdown().catch(() => undefined),
  };
}
