import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";

import { modelVariables } from "../../src/lib/model-variables.ts";
import type { Outcome } from "../../src/model/job.ts";
import { processHost } from "../../src/pool/process-host.ts";
import { findInterpreter, pythonLaunch } from "../../src/pool/python-launch.ts";
import { ORDERS } from "../support/models/puppet.ts";
import { testPool } from "../support/pool-harness.ts";
import { python, pythonModel } from "../support/python.ts";
import { testWith } from "../support/requirements.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const folder = mkdtempSync(join(tmpdir(), "streamer python "));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, executable = true): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, "#!/bin/sh\n");
  if (executable) chmodSync(path, 0o755);
  return path;
}

/** The interpreter for a model, or the words of the error. */
function find(model: string, python = "auto", env: Record<string, string> = {}): string {
  try {
    return findInterpreter(join(folder, model), python, env);
  } catch (error) {
    return (error as Error).message;
  }
}

test("the interpreter is model.python, or .venv beside the model, or the active environment, or python3", () => {
  const [own, beside, active, system] = ["own", "with/.venv/bin/python", "active/bin/python", "bin/python3"].map(
    (name) => file(name),
  ) as [string, string, string, string];
  const env = { VIRTUAL_ENV: join(folder, "active"), PATH: `/nowhere:${join(folder, "bin")}` };
  expect(find("with/x.py", own, env)).toBe(own);
  expect(find("with/x.py", undefined, env)).toBe(beside);
  expect(find("without/x.py", undefined, env)).toBe(active);
  expect(find("without/x.py", undefined, { ...env, VIRTUAL_ENV: join(folder, "removed") })).toBe(system);
  expect(find("without/x.py", undefined, { PATH: env.PATH, VIRTUAL_ENV: "" })).toBe(system);
  // By its name, and by a path relative to the working folder.
  expect(find("with/x.py", "python3", env)).toBe(system);
  expect(find("with/x.py", relative(process.cwd(), own), env)).toBe(own);
});

test("the environment beside a model is found from a link to it, and beside the link itself first", () => {
  const target = file("target/.venv/bin/python");
  file("target/x.py");
  mkdirSync(join(folder, "links"));
  symlinkSync(join(folder, "target", "x.py"), join(folder, "links", "x.py"));
  expect(find("links/x.py")).toBe(target);
  const beside = file("links/.venv/bin/python");
  expect(find("links/x.py")).toBe(beside);
});

test.each([
  ["./no/such", `python: found "./no/such": there is no such file; looked for ${join(process.cwd(), "no/such")}`],
  [
    "no-such-python",
    `python: found "no-such-python", which is not on the PATH; allowed: Python 3.9 or newer, by name or path`,
  ],
  ["FOLDER/plain", `python: found "FOLDER/plain": it is not executable; looked for FOLDER/plain`],
  [
    "FOLDER/venv",
    `python: found "FOLDER/venv": it is a folder; its interpreter is FOLDER/venv/bin/python; looked for FOLDER/venv`,
  ],
  [
    "FOLDER/strange",
    `python: found "FOLDER/strange": its first line starts "/bin/no-shell\\r", which does not exist, because its lines end as on Windows; looked for FOLDER/strange`,
  ],
  ["FOLDER/empty", `python: found "FOLDER/empty": it is a folder; looked for FOLDER/empty`],
])("model.python %j is refused: %s", (python, message) => {
  file("plain", false);
  file("venv/bin/python");
  mkdirSync(join(folder, "empty"), { recursive: true });
  writeFileSync(join(folder, "strange"), "#! /bin/no-shell\r\n", { mode: 0o755 });
  const inFolder = (text: string) => text.replaceAll("FOLDER", folder);
  expect(find("x.py", inFolder(python))).toBe(inFolder(message));
});

test("an environment without an interpreter that runs is refused, rather than another one used", () => {
  mkdirSync(join(folder, "torn/.venv/bin"), { recursive: true });
  symlinkSync("/no/such/python", join(folder, "torn/.venv/bin/python"));
  expect(find("torn/x.py")).toBe(
    `python: the virtual environment ${folder}/torn/.venv cannot be used: there is no such file ` +
      `(${folder}/torn/.venv/bin/python); create it again, or choose another interpreter by model.python`,
  );
});

test("without any interpreter the ways to name one are listed", () => {
  expect(find("none/x.py", undefined, { PATH: "/nowhere" })).toContain("there is no python3 on the PATH");
  expect(find("none/x.py", undefined, {})).toContain("model.python names an interpreter by its path");
});

test("the command line is short, because `ps` shows it: the host comes over the channel", () => {
  const { command, program } = pythonLaunch("x.py", file("own"), {});
  expect(command.slice(0, 2)).toEqual([join(folder, "own"), "-c"]);
  expect(command.join(" ").length).toBeLessThan(400);
  expect(parseInt(Buffer.from(program!.subarray(0, 8)).toString(), 16)).toBe(program!.length - 8);
  // Old versions of Python read it, too.
  expect(program!.every((byte) => byte < 128)).toBe(true);
});

describe("a pool of workers in Python", () => {
  const startHost = processHost(
    ({ model }) => pythonLaunch(model, python!, modelVariables({})),
    () => {},
  );
  const start = () => testPool({ model: pythonModel("batching"), startHost });
  const together = (outcomes: readonly Outcome[]) =>
    outcomes.map((outcome) => (outcome.status === "ok" ? outcome.output?.["together"] : outcome.status));

  testWith(python)("gives 8 channels that wait at the same time one call with a batch of 8", async () => {
    await using kit = await start();
    const lanes = Array.from({ length: 8 }, () => kit.lane());
    for (let round = 0; round < 20; round++) {
      const outcomes = await Promise.all(lanes.map((lane) => kit.submit(lane, [0, round])));
      expect(together(outcomes)).toEqual(lanes.map(() => 8));
    }
  });

  testWith(python)(
    "gives 8 channels that each send the next piece when they have the last result full batches",
    async () => {
      await using kit = await start();
      const sizes: unknown[] = [];
      await Promise.all(
        Array.from({ length: 8 }, async () => {
          const lane = kit.lane();
          for (let piece = 0; piece < 50; piece++) sizes.push(...together([await kit.submit(lane, [0, piece])]));
        }),
      );
      expect(sizes).toEqual(Array.from({ length: 400 }, () => 8));
    },
  );

  testWith(python)("repeats what a worker that dies during a batch has left, each alone", async () => {
    await using kit = await start();
    const pieces = [0, 0, ORDERS.exit, 0];
    const outcomes = await Promise.all(pieces.map((order) => kit.submit(kit.lane(), [order])));
    expect(outcomes.map(({ status }) => status)).toEqual(["ok", "ok", "failed", "ok"]);
  });
});
