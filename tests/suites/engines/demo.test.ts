import { afterAll, expect } from "bun:test";
import { cp, mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

import { ExamplePackages } from "../../../scripts/example-packages.ts";
import { example } from "../../support/example-harness.ts";
import { BUILD_MS } from "../../support/executable.ts";
import { reportMissing, testWith } from "../../support/requirements.ts";

const root = join(import.meta.dir, "..", "..", "..");

/** The packages are 60 MB the first time. */
const INSTALL_MS = 180_000;
const PATIENCE_MS = BUILD_MS + 120_000;

/** What is read, from tests/data/two-speakers-48k.txt. */
const SPOKEN = [
  "he was not an ill disposed young man unless to be rather cold hearted and rather selfish is to be ill disposed " +
    "he might even have been made amiable himself",
  "go forward ten meters queen of clubs eight of spades four of clubs seven of hearts seven of clubs",
];
/** Part of the spoken words that a speaker's final results must have. Networks of 8 bits differ between processors. */
const RECOGNISED = 0.7;

const folder = await mkdtempDisposable(join(tmpdir(), "streamer-demo-"));
const copy = join(folder.path, "moonshine");

afterAll(async () => {
  await folder[Symbol.asyncDispose]();
});

/** Installs the packages of the recogniser in a copy of it. Returns undefined when that fails. */
async function install(): Promise<true | undefined> {
  await cp(example("moonshine", ""), copy, { recursive: true, filter: (path) => basename(path) !== "node_modules" });
  const problem = await new ExamplePackages(copy).install("kept", AbortSignal.timeout(INSTALL_MS), () => undefined);
  if (problem === undefined) return true;
  reportMissing(`the packages of examples/moonshine cannot be installed: ${problem}`);
  return undefined;
}

testWith(await install())(
  "the demo prints the words of both speakers, each beside the right channel",
  async () => {
    const script = `
      import { runDemo } from ${JSON.stringify(join(root, "scripts", "demo.ts"))};
      await runDemo(${JSON.stringify(copy)}, new AbortController().signal);`;
    const child = Bun.spawn([process.execPath, "-e", script], { cwd: root, stdout: "pipe", stderr: "pipe" });
    const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
    expect({ code, err }).toEqual({ code: 0, err: "demo: starting a server, which loads the speech recogniser\n" });
    for (const [channel, spoken] of SPOKEN.entries()) {
      const finals = out.matchAll(new RegExp(`^\\[${channel}\\] .* final {2}"(.*?)" \\(en\\) .* end of speech$`, "gm"));
      const heard = new Set([...finals].flatMap(([, text = ""]) => text.toLowerCase().match(/[a-z]+/g) ?? []));
      const words = spoken.split(" ");
      expect(words.filter((word) => heard.has(word)).length / words.length).toBeGreaterThan(RECOGNISED);
    }
    expect(out).toMatch(/^result .*7 final results, 0 errors; the ledger adds up/m);
  },
  PATIENCE_MS,
);
