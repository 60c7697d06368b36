import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";

import { parseSendSettings } from "../../src/commands/send/settings.ts";
import { commandLines, untriedFences } from "../support/command-lines.ts";
import { example } from "../support/example-harness.ts";

const root = example("..");

/** Set-up commands of an example. Its own test, or the set-up of the machine, runs them. */
const SET_UP = [
  /^sudo apt-get install /,
  /^\(cd examples\/\S+ && npm install --ignore-scripts\)$/,
  /^python3 -m venv (examples\/\S+\/\.venv)(?: && \1\/bin\/pip install numpy)?$/,
  /^(examples\/\S+)\/\.venv\/bin\/pip install --no-deps -r \1\/requirements\.txt$/,
  /^examples\/remote\/triton\.sh$/,
];

/** What an example serves: a model, or a configuration for a model that is somewhere else. */
const FILES = ["model.ts", "model.py", "streamer.yaml"];

const readmes = (await readdir(example(), { recursive: true }))
  .filter((path) => /^[^/]+\/README\.md$/.test(path))
  .sort();
/** Those that serve a model. The suite `interop` runs the command lines of the clients. */
const models = readmes.filter((path) => path !== "clients/README.md");

test("every example has a README", async () => {
  const folders = (await readdir(example(), { withFileTypes: true })).filter((entry) => entry.isDirectory());
  expect(readmes).toEqual(folders.map(({ name }) => join(name, "README.md")).sort());
});

test.each(models)("examples/%s serves its own model and sends a file that exists", async (readme) => {
  const markdown = await Bun.file(example(readme)).text();
  expect(untriedFences(markdown)).toEqual([]);
  let served = 0;
  for (const { text } of commandLines(markdown)) {
    const [program, command, ...args] = text.split(" ");
    if (program === "./streamer" && command === "serve") {
      const file = FILES.find((name) => existsSync(example(dirname(readme), name)));
      const named = `examples/${dirname(readme)}/${file}`;
      expect(args).toEqual(file === "streamer.yaml" ? ["--config", named] : ["--model", `./${named}`]);
      served += 1;
    } else if (program === "./streamer" && command === "send") {
      expect(existsSync(join(root, parseSendSettings(args).input))).toBe(true);
    } else {
      expect(
        SET_UP.some((known) => known.test(text)),
        text,
      ).toBe(true);
    }
  }
  expect(served).toBe(1);
});
