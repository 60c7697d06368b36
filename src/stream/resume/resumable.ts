import type { Config } from "../../config/config.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { Start } from "../../protocol/requests.ts";
import type { StreamOwner } from "../owner.ts";
import type { StreamPlan } from "../plan.ts";
import { bindingOf } from "./binding.ts";
import type { ResumeState } from "./resume-state.ts";
import type { Resumption } from "./resumption.ts";

/** A stream that can go on elsewhere, and perhaps goes on from another one itself. */
export interface Resumable {
  /** Number of the stream, as `started` has it. */
  readonly index: number;
  /** Returns the token of a state; undefined: it is too large. */
  readonly seal: (state: ResumeState) => string | undefined;
  /** Undefined: the stream is a new one. */
  readonly state: ResumeState | undefined;
  /** The stream has ended on this connection. */
  release(): void;
}

/**
 * Prepares a stream to be resumed, and to go on from the token in its start if there is one. Throws ProtocolError when
 * it cannot. Returns undefined when this server resumes no streams.
 * @param resumption undefined: this server resumes no streams
 * @param owner gets the stream; a connection of this process that has it is closed
 * @param index number that a new stream gets
 */
export function prepareResume(
  start: Start,
  plan: StreamPlan,
  config: Config,
  resumption: Resumption | undefined,
  owner: StreamOwner,
  index: number,
): Resumable | undefined {
  if (resumption === undefined) {
    if (start.resume === undefined) return undefined;
    const message = "resume: found a token; allowed: none, since this server has no `resume` among its features";
    throw new ProtocolError("invalid_request", message, { param: "resume" });
  }
  const caller = owner.caller.id;
  const binding = bindingOf(start, plan, config);
  const from = start.resume && resumption.open(start.resume.token, caller, binding, plan.format.channels);
  const identity = from?.identity ?? resumption.newIdentity();
  const number = from?.index ?? index;
  resumption.hold(identity, owner);
  return {
    index: number,
    seal: resumption.sealer(identity, caller, binding, number),
    state: plan.model.encodesStates === true ? withoutModelStates(from?.state) : from?.state,
    release: () => resumption.release(identity, owner),
  };
}

/** A process that runs a model must not decode what comes from a client, not even through a token: it could run code. */
function withoutModelStates(state: ResumeState | undefined): ResumeState | undefined {
  if (state === undefined) return undefined;
  const lost = { kind: "lost" } as const;
  const channels = state.channels.map((channel) =>
    channel.model === undefined ? channel : { ...channel, model: lost },
  );
  return { ...state, channels };
}
