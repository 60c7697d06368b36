import { beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { copyFile, mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { buildExecutable } from "../../scripts/build.ts";
import { TerminalView } from "../support/terminal-view.ts";
import { waitUntil } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const root = join(import.meta.dir, "..", "..");
const DEMO = join(root, "scripts", "demo.ts");

beforeAll(async () => {
  await buildExecutable();
});

/** Runs Bun with these arguments in the project. */
async function run(args: readonly string[], env: Record<string, string> = {}) {
  const child = Bun.spawn([process.execPath, ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
  return { code, out, err };
}

/** Expects what the demo prints with the simulated model, and that its server has stopped. */
async function expectSimulated(out: string): Promise<void> {
  for (const channel of [0, 1]) {
    expect(out).toMatch(new RegExp(`^\\[${channel}\\] .*speech begins$`, "m"));
    expect(out).toMatch(new RegExp(`^\\[${channel}\\] .*interim count=[\\d,]+$`, "m"));
    expect(out).toMatch(new RegExp(`^\\[${channel}\\] .*final  count=[\\d,]+ .*after end of speech$`, "m"));
    expect(out).toMatch(new RegExp(`^ledger \\[${channel}\\] .* \\+ 0 failed; .* 0 errors$`, "m"));
  }
  expect(out).toMatch(/^result .*7 final results, 0 errors; the ledger adds up/m);
  expect(out).toMatch(/^The demo succeeded in [\d.]+ s/m);
  await expectStopped(out);
}

async function expectStopped(out: string): Promise<void> {
  const port = /-> *(?:\n *)?ws:\/\/127\.0\.0\.1:(\d+)\//.exec(out)?.[1];
  expect(port).toBeDefined();
  await expect(fetch(`http://127.0.0.1:${port}/api/v1/health`)).rejects.toThrow();
}

// Both demos send 18 s in real time, so they run at once.
test.concurrent(
  "the simulated demo prints speech, interims, finals and correct ledgers, stops its server, and exits with 0",
  async () => {
    const { code, out, err } = await run([DEMO, "--simulated"]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    await expectSimulated(out);
  },
);

test.concurrent(
  "the demo says why the packages of the recogniser cannot be installed, and runs with the simulated model",
  async () => {
    await using example = await mkdtempDisposable(join(tmpdir(), "streamer-demo-"));
    for (const name of ["package.json", "bun.lock", "model.ts"]) {
      await copyFile(join(root, "examples", "moonshine", name), join(example.path, name));
    }
    const script = `
      import { runDemo } from ${JSON.stringify(DEMO)};
      await runDemo(${JSON.stringify(example.path)}, new AbortController().signal);
      console.log("The demo succeeded in 0 s");`;
    // Nothing listens on port 9, and no cache is there.
    const registry = { BUN_CONFIG_REGISTRY: "http://127.0.0.1:9", BUN_INSTALL_CACHE_DIR: join(example.path, "cache") };
    const { code, out, err } = await run(["-e", script], registry);
    expect(code).toBe(0);
    expect(err).toMatch(
      /cannot be served, so the simulated model runs instead:\n {2}its packages cannot be installed: ConnectionRefused /,
    );
    await expectSimulated(out);
  },
);

test("Ctrl-C ends the demo, its client and its server, and the results of what was sent are printed", async () => {
  const view = new TerminalView(100, 40);
  let drawn = Promise.resolve();
  await using child = Bun.spawn([process.execPath, DEMO, "--simulated"], {
    cwd: root,
    env: { ...process.env, TERM: "xterm-256color", TERM_PROGRAM: "vscode" },
    terminal: {
      cols: 100,
      rows: 40,
      data: (_, data) => {
        drawn = drawn.then(() => view.write(data.slice()));
      },
    },
  });
  await waitUntil("the first words", () => view.lines.some((line) => line.includes("speech begins")));
  child.terminal?.write("\u0003");
  expect(await child.exited).toBe(130);
  await drawn;
  const shown = view.lines.join("\n");
  expect(shown).toMatch(/^result +1 final result, 0 errors; the ledger adds up/m);
  expect(shown).toMatch(/^The demo was interrupted\. Nothing of it runs any more\.$/m);
  await expectStopped(shown);
});

test("a flag that the demo does not have is refused before anything is started", async () => {
  const { code, out, err } = await run([DEMO, "--simulate"]);
  expect({ code, out }).toEqual({ code: 1, out: "" });
  expect(err).toBe("\nThe demo failed: found --simulate; usage: npm run demo [-- --simulated]\n");
});
