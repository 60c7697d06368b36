import manifest from "../../../package.json" with { type: "json" };
import { exportConfigured } from "./trace-export.ts";

/** Tracing for the code of a model, on its worker. */
export interface ModelTracing {
  /** Runs with the span of `traceparent` as the current one, so that spans which are begun inside become its children. */
  within<T>(traceparent: string | undefined, run: () => T): T;
  /** Exports what is left. */
  close(): Promise<void>;
}

/** A model that begins no spans of its own, or spans that nobody wants. */
export const NO_MODEL_TRACING: ModelTracing = {
  within: (_traceparent, run) => run(),
  close: () => Promise.resolve(),
};

/**
 * Makes `@opentelemetry/api` work on this thread, whichever copy of it a model imports: the API finds what is registered here by a
 * symbol that all copies share.
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
