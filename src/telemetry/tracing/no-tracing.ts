import { continueTrace } from "./traceparent.ts";
import type { ConnectionTrace, JobTrace, Tracing } from "./tracing.ts";

const ignore = (): void => {};

/** Records nothing, but continues the client's trace, so that logs and metrics of both sides can be correlated. */
export const NO_TRACING: Tracing = {
  startConnection: (request) => untracedConnection(request?.headers.get("traceparent") ?? undefined),
};

/** @param header `traceparent` of the upgrade request */
export function untracedConnection(header?: string): ConnectionTrace {
  return {
    responded: ignore,
    startStream: (options) => {
      const traceparent = continueTrace(options.traceparent ?? header);
      const job: JobTrace = { traceparent, settled: ignore, resultSent: ignore };
      return {
        traceparent,
        decodeStarted: ignore,
        decodeEnded: ignore,
        speechStarted: ignore,
        jobSubmitted: () => job,
        failed: ignore,
        crashed: ignore,
        ended: ignore,
      };
    },
  };
}
