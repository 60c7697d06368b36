import { expect, test } from "bun:test";

import { EngineChannels } from "../../../src/model/remote/grpc-channels.ts";

const address = (n: number) => ({ url: `http://127.0.0.1:${1_000 + n}` });

test("an engine keeps its channel, and one that was not used for the longest time loses it to the 65th", () => {
  const channels = new EngineChannels({ maxAnswerBytes: 1_000 });
  const kept = Array.from({ length: 64 }, (_, n) => channels.get(address(n)));
  expect(new Set(kept).size).toBe(64);
  expect(channels.get(address(0))).toBe(kept[0]!);
  channels.get(address(64));
  expect(channels.get(address(0))).toBe(kept[0]!);
  expect(channels.get(address(1))).not.toBe(kept[1]!);
  channels.close();
});

test("an address has a channel for each name that it was looked up for", () => {
  const channels = new EngineChannels({ maxAnswerBytes: 1_000 });
  const first = channels.get({ ...address(0), hostName: "a.test" });
  expect(channels.get({ ...address(0), hostName: "b.test" })).not.toBe(first);
  expect(channels.get({ ...address(0), hostName: "a.test" })).toBe(first);
  channels.close();
});
