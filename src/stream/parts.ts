import { Store } from "../audio/store.ts";
import type { StreamLoad } from "../capacity/stream-load.ts";
import { InvalidState } from "../pipeline/saved-state.ts";
import type { ChannelHost } from "./channel.ts";
import { Channels } from "./channels.ts";
import { Feed } from "./feed.ts";
import { Intake } from "./intake.ts";
import { MemoryPlace } from "./memory-place.ts";
import type { StreamOwner } from "./owner.ts";
import { demandOf, type StreamPlan } from "./plan.ts";
import { Checkpoints } from "./resume/checkpoints.ts";
import type { Resumable } from "./resume/resumable.ts";
import type { ResumeState } from "./resume/resume-state.ts";
import { invalidToken } from "./resume/resumption.ts";
import type { Services } from "./services.ts";
import type { StreamTelemetry } from "./stream-telemetry.ts";

/** The services that a stream itself uses. */
export type StreamServices = Pick<Services, "arena" | "memory" | "metrics" | "admission" | "clock">;

/** The parts of one stream, and its places in what all streams share. */
export interface StreamParts {
  readonly intake: Intake;
  readonly channels: Channels;
  readonly feed: Feed;
  readonly place: MemoryPlace;
  /** Undefined: the stream cannot be resumed. */
  readonly checkpoints: Checkpoints | undefined;
  /** Everything to give back at the end. */
  readonly held: DisposableStack;
}

/** Opens the parts of a stream. Throws ProtocolError when the state to go on from is none; nothing is held then. */
export function openParts(
  plan: StreamPlan,
  owner: StreamOwner,
  services: StreamServices,
  telemetry: StreamTelemetry,
  resumable: Resumable | undefined,
): StreamParts {
  const { format, model } = plan;
  const { arena, memory, metrics, admission, clock } = services;
  const { headroom } = admission;
  const state = resumable?.state;
  const start = state?.position ?? 0;
  using held = new DisposableStack();
  const stores = Array.from({ length: format.channels }, () => new Store(arena, start));
  const intake = held.use(
    new Intake(format, model.sampleRate, arena, stores, (warning) => owner.send(warning), state?.reported),
  );
  // The parts refer to each other: these two exist before anything is submitted or answered.
  const later: { load?: StreamLoad | undefined; checkpoints?: Checkpoints } = {};
  const host: ChannelHost = {
    owner,
    arena,
    telemetry,
    thread: metrics.mainThread,
    submitted: () => later.load?.submitted(clock()),
    settled: ({ submittedAt }, outcome) => later.load?.settled(outcome, submittedAt, clock()),
    answered: () => later.checkpoints?.answered(),
    get receivedSeconds() {
      return intake.seconds;
    },
  };
  const channels = held.use(openChannels(stores, plan, host, state));
  const { detectors } = channels;
  if (detectors !== undefined) intake.detect(detectors);
  if (state !== undefined && !intake.restore(state.frames, state.decoder)) throw invalidToken();
  if (resumable !== undefined) {
    const { seal } = resumable;
    const { sampleRate } = model;
    later.checkpoints = new Checkpoints({ intake, channels, owner, sampleRate, seal, clock, resumed: state });
  }
  const place = new MemoryPlace(memory, channels, owner);
  held.defer(() => place.leave());
  const source = { slabs: () => place.slabs, answeredSeconds: () => (place.answered - start) / model.sampleRate };
  const load = headroom.enter(demandOf(plan), source, clock());
  held.defer(() => headroom.leave(load));
  later.load = load;
  const { checkpoints } = later;
  const feed = new Feed(plan, intake, channels, telemetry, metrics.mainThread, () => place.mayGrow(), checkpoints);
  return { intake, channels, feed, place, checkpoints, held: held.move() };
}

function openChannels(
  stores: readonly Store[],
  plan: StreamPlan,
  host: ChannelHost,
  state: ResumeState | undefined,
): Channels {
  try {
    return new Channels(stores, plan, host, state);
  } catch (error) {
    throw error instanceof InvalidState ? invalidToken() : error;
  }
}
