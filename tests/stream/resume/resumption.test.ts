import { expect, test } from "bun:test";

import { parseKeyring } from "../../../src/auth/keyring.ts";
import { MAX_TOKEN_CHARACTERS } from "../../../src/protocol/requests.ts";
import type { ResumeState } from "../../../src/stream/resume/resume-state.ts";
import { Resumption } from "../../../src/stream/resume/resumption.ts";

const keyring = parseKeyring(`key ${Buffer.alloc(32, 3).toString("base64")}`, "keys");
const BINDING = { pattern: "simple", model: "m 16000", format: "1 16000 16 false pcm", settings: "s" };
const LIMITS = { resume_ms: 1_000, max_text_bytes: 65_536 };

/** A state of one channel with so many bytes that cannot be deflated. */
function stateOf(bytes: number, change: object = {}): ResumeState {
  const tally = { inferred: 5, silent: 0, failed: 0, segments: 1, interims: 0, errors: 0 };
  const noise = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 65_536) crypto.getRandomValues(noise.subarray(at, at + 65_536));
  return {
    position: 10,
    frames: 30,
    decoder: noise,
    reported: { observed: 0, flags: 0, suspicion: false },
    flushes: [],
    channels: [{ answered: { position: 5, tally, finals: 1 }, made: 0, sent: 0, pipeline: {} }],
    ...change,
  } as ResumeState;
}

test("a state comes back from its token as it was, with the number and identity of its stream", () => {
  const resumption = new Resumption(keyring, LIMITS);
  const identity = resumption.newIdentity();
  const model = { kind: "value", value: new Map([["a", Float64Array.of(-0, Infinity)]]) } as const;
  const state = stateOf(100, { channels: [{ ...stateOf(0).channels[0]!, model }] });
  const token = resumption.sealer(identity, "me", BINDING, 4)(state)!;
  expect(new Resumption(keyring, LIMITS).open(token, "me", BINDING, 1)).toEqual({ identity, index: 4, state });
});

test("a token has at most 32 KiB, less where a text message may not be larger; what does not fit is deflated", () => {
  const seal = (max_text_bytes: number, state: ResumeState) => {
    const resumption = new Resumption(keyring, { ...LIMITS, max_text_bytes });
    return resumption.sealer(resumption.newIdentity(), "me", BINDING, 0)(state);
  };
  expect(seal(65_536, stateOf(23_500))!.length).toBeLessThanOrEqual(MAX_TOKEN_CHARACTERS);
  expect(seal(65_536, stateOf(25_000))).toBeUndefined();
  expect(seal(65_536, stateOf(2_000_000))).toBeUndefined();
  expect(seal(65_536, stateOf(0, { decoder: new Uint8Array(100_000) }))!.length).toBeLessThan(2_000);
  expect(seal(8_192, stateOf(100))!.length).toBeLessThan(2_048);
  expect(seal(8_192, stateOf(2_000))).toBeUndefined();
});

test("a token expires by the clock on the wall", () => {
  let now = 1_000_000;
  const resumption = new Resumption(keyring, LIMITS, () => now);
  const token = resumption.sealer(resumption.newIdentity(), "me", BINDING, 0)(stateOf(10))!;
  now += 1_000;
  resumption.open(token, "me", BINDING, 1);
  now += 1;
  expect(() => resumption.open(token, "me", BINDING, 1)).toThrow("resume.token: found a token that expired 1 s ago");
});

test("a state that no server of this version makes is refused, although its token is authentic", () => {
  const resumption = new Resumption(keyring, LIMITS);
  const seal = resumption.sealer(resumption.newIdentity(), "me", BINDING, 0);
  for (const state of [
    stateOf(10, { position: -1 }),
    stateOf(10, { position: 1.5 }),
    stateOf(10, { channels: [] }),
    stateOf(10, { flushes: [20, 15] }),
    stateOf(10, { flushes: [5] }),
    stateOf(10, { more: 1 }),
    stateOf(10, { decoder: "text" }),
    stateOf(10, { channels: [{ answered: { position: 5 } }] }),
  ]) {
    expect(() => resumption.open(seal(state)!, "me", BINDING, 1)).toThrow(
      "resume.token: found a token that is not valid",
    );
  }
});

test("who has a stream is told when another connection takes it, once, and not itself", () => {
  const resumption = new Resumption(keyring, LIMITS);
  const identity = resumption.newIdentity();
  const told: string[] = [];
  const holder = (name: string) => ({ evicted: (_: string, code?: string) => void told.push(`${name} ${code}`) });
  const [one, two] = [holder("one"), holder("two")];
  resumption.hold(identity, one);
  resumption.hold(identity, one);
  expect(told).toEqual([]);
  resumption.hold(identity, two);
  expect(told).toEqual(["one resumed"]);
  resumption.release(identity, one);
  resumption.hold(identity, one);
  expect(told).toEqual(["one resumed", "two resumed"]);
  resumption.release(identity, one);
  resumption.hold(identity, two);
  expect(told).toHaveLength(2);
});
