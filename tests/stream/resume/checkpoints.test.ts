import { expect, test } from "bun:test";

import type { ResumeState } from "../../../src/stream/resume/resume-state.ts";
import { DrivenStream, spoken, type StreamCase, StreamHarness } from "../../support/stream-harness.ts";

const CASE: StreamCase = {
  pattern: "segmented",
  sampleFormat: "s16",
  channels: 1,
  sampleRate: 8000,
  modelRate: 8000,
  vad: { min_silence_ms: 300, max_utterance_ms: 30_000, pre_roll_ms: 200 },
};

/** A stream, the states of its checkpoints, and their events. */
function open(seal?: (state: ResumeState) => string | undefined) {
  const harness = new StreamHarness(4096, CASE.modelRate, 0, 1);
  const states: ResumeState[] = [];
  const made = (state: ResumeState) => `token ${states.push(state)}`;
  const resumable = { index: 0, state: undefined, seal: seal ?? made, release: () => undefined };
  const driven = new DrivenStream(harness, CASE, resumable);
  const checkpoints = () => driven.events.flatMap((event) => (event.type === "checkpoint" ? [event.position] : []));
  const pass = (ms: number) => driven.stream.tick((harness.now += ms), harness.now, true);
  /** Sends audio and lets the model answer. */
  const send = async (bytes: Uint8Array) => {
    await driven.send(bytes);
    await harness.answer(100);
  };
  return { driven, states, checkpoints, pass, send };
}

test("silence has a checkpoint after five seconds, and another only when it frees the client from more audio", async () => {
  const { checkpoints, pass, send } = open();
  await send(new Uint8Array(2 * 8000 * 3));
  pass(4_900);
  expect(checkpoints()).toEqual([]);
  pass(100);
  expect(checkpoints()).toEqual([16_000]);
  pass(6_000);
  expect(checkpoints()).toEqual([16_000]);
  await send(new Uint8Array(2 * 8000 * 3));
  pass(100);
  expect(checkpoints()).toEqual([16_000, 40_000]);
});

test("a result has a checkpoint at once, but not within a second of the last one", async () => {
  const { driven, checkpoints, pass, send } = open();
  const audio = spoken(CASE, 3, [0.5, 0.5, 0.5, 0.5, 0.5, 0.5]);
  const half = audio.length / 2;
  await send(audio.subarray(0, half));
  expect(driven.events.some(({ type }) => type === "segment")).toBe(true);
  expect(checkpoints()).toHaveLength(0);
  pass(1_000);
  expect(checkpoints()).toHaveLength(1);
  pass(1_000);
  expect(checkpoints()).toHaveLength(1);
  await send(audio.subarray(half));
  expect(checkpoints()).toHaveLength(2);
  pass(900);
  expect(checkpoints()).toHaveLength(2);
  pass(100);
  expect(checkpoints().length).toBeGreaterThan(1);
});

test("the position of a checkpoint is never behind audio without an answer, nor far before it", async () => {
  const { states, pass, send } = open();
  const audio = spoken(CASE, 3, [0.5, 2, 0.5, 1, 0.5, 3]);
  for (let at = 0; at < audio.length; at += 1600) {
    pass(1_000);
    await send(audio.slice(at, at + 1600));
  }
  expect(states.length).toBeGreaterThan(3);
  for (const { position, channels } of states) {
    const { answered } = channels[0]!;
    expect(answered.tally.inferred + answered.tally.silent + answered.tally.failed).toBe(answered.position);
    expect(position).toBeGreaterThan(answered.position - 4 * 8000);
  }
});

test("a state that is too large is tried again after ten seconds, and reported once", async () => {
  let tries = 0;
  const { driven, pass, send } = open(() => void (tries += 1));
  await send(new Uint8Array(2 * 8000 * 3));
  for (let i = 0; i < 30; i++) pass(1_000);
  expect(tries).toBe(3);
  expect(driven.events.filter(({ type }) => type === "warning")).toMatchObject([{ code: "not_resumable" }]);
});
