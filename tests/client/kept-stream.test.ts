import { expect, test } from "bun:test";

import { KeptStream } from "../../src/client/kept-stream.ts";

/** Everything that is left to send: bytes of audio, and requests. */
function rest(kept: KeptStream): unknown[] {
  const items: unknown[] = [];
  for (let item = kept.take(); item !== undefined; item = kept.take()) {
    items.push(item.kind === "audio" ? [...item.bytes] : item.body.request);
  }
  return items;
}

test("what is added is sent once, and again on a new connection, audio from a byte on", () => {
  const kept = new KeptStream();
  kept.audio(Uint8Array.of(1, 2));
  kept.request({ request: "flush" });
  kept.audio(Uint8Array.of(3, 4, 5));
  expect(rest(kept)).toEqual([[1, 2], "flush", [3, 4, 5]]);
  expect(rest(kept)).toEqual([]);
  kept.rewind(0);
  expect(rest(kept)).toEqual([[1, 2], "flush", [3, 4, 5]]);
  kept.release(3, 1);
  kept.request({ request: "stop" });
  expect(rest(kept)).toEqual(["stop"]);
  kept.rewind(3);
  expect(rest(kept)).toEqual([[4, 5], "stop"]);
});

test("a release in the middle of sending again loses nothing and sends nothing twice", () => {
  const kept = new KeptStream();
  for (let byte = 0; byte < 6; byte++) kept.audio(Uint8Array.of(byte));
  kept.rewind(0);
  expect([kept.take(), kept.take(), kept.take()]).toHaveLength(3);
  kept.release(2, 0);
  expect(rest(kept)).toEqual([[3], [4], [5]]);
  kept.rewind(2);
  expect(rest(kept)).toEqual([[2], [3], [4], [5]]);
});

test("past its limit the oldest audio goes, and the stream can only go on behind it", () => {
  const kept = new KeptStream(4);
  for (let byte = 0; byte < 6; byte++) kept.audio(Uint8Array.of(byte));
  expect([kept.has(0), kept.has(1), kept.has(2), kept.has(6), kept.has(7)]).toEqual([false, false, true, true, false]);
});

test("audio is copied: the caller may use its array again", () => {
  const kept = new KeptStream();
  const bytes = Uint8Array.of(1);
  kept.audio(bytes);
  bytes[0] = 9;
  expect(rest(kept)).toEqual([[1]]);
});
