import type { Pattern } from "../pipeline/pattern.ts";
import { ProtocolError } from "../protocol/errors.ts";
import type { Started, Warning } from "../protocol/events.ts";
import type { Start } from "../protocol/requests.ts";
import { warningEvent } from "../protocol/warning-event.ts";
import type { ConnectionTrace, StreamTrace } from "../telemetry/tracing/tracing.ts";
import type { StreamOwner } from "./owner.ts";
import { demandOf, planStream } from "./plan.ts";
import { prepareResume, type Resumable } from "./resume/resumable.ts";
import type { Services } from "./services.ts";
import { StreamTelemetry } from "./stream-telemetry.ts";
import { Stream } from "./stream.ts";

/** The place of a stream: its session, its number there, the route's pattern, and the trace of the connection. */
export interface StreamPlace {
  readonly session: string;
  readonly index: number;
  readonly pattern: Pattern;
  readonly trace: ConnectionTrace;
}

/** A stream that has been opened, its number in the session, and the events that come first. */
export interface OpenedStream {
  readonly stream: Stream;
  readonly index: number;
  readonly events: readonly [Started, ...Warning[]];
}

/** Opens the stream that a start asks for. Throws ProtocolError when the start is refused; nothing is held then. */
export function openStream(start: Start, place: StreamPlace, owner: StreamOwner, services: Services): OpenedStream {
  const { session, pattern } = place;
  const trace = place.trace.startStream({
    traceparent: start.trace_id,
    tracestate: start.tracestate,
    session,
    stream: place.index,
    pattern: pattern.name,
    usesVad: pattern.usesVad,
  });
  let resumable: Resumable | undefined;
  try {
    const plan = planStream(start, pattern, owner.caller.limits, services);
    resumable = prepareResume(start, plan, services.config, services.resumption, owner, place.index);
    const refusal = services.admission.refusal(demandOf(plan), "start");
    if (refusal !== undefined) throw refusal;
    const telemetry = new StreamTelemetry(services, trace, pattern.name, plan.model);
    const stream = new Stream(plan, owner, services, telemetry, resumable);
    const { index = place.index, state } = resumable ?? {};
    const head = { type: "started", session_id: session, stream: index, trace_id: trace.traceparent } as const;
    const isLost = state?.channels.some(({ model }) => model?.kind === "lost") === true;
    const events: OpenedStream["events"] = [{ ...head, ...plan.started }];
    return { stream, index, events: isLost ? [...events, warningEvent("state_lost")] : events };
  } catch (error) {
    resumable?.release();
    endTrace(trace, error);
    throw error;
  }
}

function endTrace(trace: StreamTrace, error: unknown): void {
  if (error instanceof ProtocolError) trace.failed(error.code, error.message);
  else trace.crashed(error);
  trace.ended({});
}
