import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { recognise, wholePattern } from "../../scripts/bench/support/recognise.ts";
import { encode, speech } from "../support/audio.ts";
import { InProcessServer } from "../support/in-process-server.ts";
import { FORMAT } from "../support/wire.ts";

const PINNED = `
  class Stream {
    #samples = 0;
    step(audio) { this.#samples += audio.length; return { text: "so far " + this.#samples }; }
    finish() { return { text: "heard " + this.#samples }; }
    close() {}
  }
  export default { name: "pinned", load: () => ({ open: () => new Stream() }) };
`;
const STATELESS = `
  export default { name: "whole", load: () => ({ infer: (audio) => ({ text: "heard " + audio.length }) }) };
`;

test.each([
  ["a model that decodes as people speak", PINNED, "stateful"],
  ["a model that is given whole pieces", STATELESS, "simple"],
] as const)("word errors of %s are those of what it says of the whole clip", async (_, source, pattern) => {
  const folder = await mkdtemp(join(tmpdir(), "recognise-"));
  try {
    const file = join(folder, "model.ts");
    await Bun.write(file, source);
    const settings = { "model.name": file, "model.workers": 1, "simple.block_ms": 10_000 };
    await using server = await InProcessServer.start(settings);
    const { host } = new URL(server.url);
    expect(await wholePattern(host)).toBe(pattern);
    const audio = new Uint8Array(encode("s16", speech([2.5])));
    const samples = audio.length / 2;
    expect(await recognise(host, pattern, FORMAT, audio)).toEqual([`heard ${samples}`]);
    const cut = await recognise(host, "segmented", FORMAT, audio);
    expect(cut).toEqual([expect.stringMatching(/^heard \d+$/)]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
