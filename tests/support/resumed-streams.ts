import { deserialize, serialize } from "bun:jsc";

import { RepeatedEvents } from "../../src/client/repeated-events.ts";
import type { ServerEvent } from "../../src/protocol/events.ts";
import type { Resumable } from "../../src/stream/resume/resumable.ts";
import type { ResumeState } from "../../src/stream/resume/resume-state.ts";
import { DrivenStream, frameBytesOf, type StreamCase, StreamHarness } from "./stream-harness.ts";

/** More than the least time between two checkpoints. */
const STEP_MS = 1_100;

export interface Cuts {
  /** Bytes after which the connection is lost, each time, counted from the start of the stream. */
  readonly at: readonly number[];
  /** Bytes of a message. */
  readonly sizes: readonly number[];
  /** Bytes at which the client flushes. */
  readonly flushes: readonly number[];
  readonly seed: number;
}

/**
 * What a client gets that resumes its stream whenever the connection is lost, each time at another server. It starts
 * anew while there has been no checkpoint. `resumptions` counts the others.
 */
export async function resumed(
  streamCase: StreamCase,
  bytes: Uint8Array,
  { at: cuts, sizes, flushes, seed }: Cuts,
): Promise<{ events: ServerEvent[]; resumptions: number }> {
  const events: ServerEvent[] = [];
  const repeated = new RepeatedEvents();
  const frameBytes = frameBytesOf(streamCase);
  repeated.begin(streamCase.channels);
  let from = 0;
  let saved: Uint8Array | undefined;
  let resumptions = 0;
  /** Places of flushes that the last checkpoint does not have, and how many there have been. */
  let open = [...flushes];
  let requested = 0;
  let answered = 0;
  for (const [round, end] of [...cuts, bytes.length].entries()) {
    const isLast = round === cuts.length;
    const states: ResumeState[] = [];
    const state = saved && (deserialize(saved.buffer as ArrayBuffer) as ResumeState);
    const resumable: Resumable = {
      index: 0,
      state,
      seal: (made) => `${states.push(made) - 1} ${Buffer.from(serialize(made)).toString("base64")}`,
      release: () => undefined,
    };
    const { modelRate, failEvery = 0 } = streamCase;
    const harness = new StreamHarness(4096, modelRate, failEvery, seed + round, streamCase);
    const driven = new DrivenStream(harness, streamCase, resumable);
    let seen = 0;
    const receive = (): void => {
      for (; seen < driven.events.length; seen++) {
        const event = driven.events[seen]!;
        if (event.type === "checkpoint") {
          answered += repeated.checkpoint();
          open = flushes.slice(answered);
          saved = new Uint8Array(Buffer.from(event.token.split(" ")[1] ?? "", "base64"));
          from = event.position * frameBytes;
        } else if (!repeated.isRepeated(event)) events.push(event);
      }
    };
    const flushAt = (place: number): void => {
      for (const [index, flush] of flushes.entries()) {
        if (flush !== place || !open.includes(flush) || index < answered) continue;
        if (index >= requested) {
          repeated.flushed();
          requested += 1;
        }
        driven.flush();
      }
    };
    if (round > 0) {
      repeated.resume();
      if (state !== undefined) resumptions += 1;
    }
    let at = from;
    const places = [...flushes];
    flushAt(at);
    for (let i = 0; at < end; i++) {
      const border = places.find((place) => place > at) ?? bytes.length;
      const size = i > 1000 ? bytes.length : (sizes[i % sizes.length] ?? 1);
      const next = Math.min(border, end, at + size);
      await driven.send(bytes.slice(at, next));
      at = next;
      flushAt(at);
      if (harness.chance() < 0.8) await harness.answer(Math.floor(harness.chance() * 30));
      harness.now += STEP_MS;
      driven.stream.tick(harness.now, harness.now, true);
      // Results that are on their way when the connection is lost do not arrive.
      if (harness.chance() < 0.8) receive();
    }
    if (isLast) await driven.stop();
    else driven.stream.abort({ code: "internal", message: "the client is gone", reason: "error" }, 0);
    if (isLast) receive();
    await harness.runDeferred();
    if (driven.faults.length > 0) throw driven.faults[0];
    if (harness.arena.used > 0 || harness.model.lanes > 0) throw new Error("a stream that has ended holds something");
  }
  return { events, resumptions };
}
