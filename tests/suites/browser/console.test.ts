import { afterAll, describe, expect, setDefaultTimeout } from "bun:test";
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { CHROMIUM, type OpenedPage, TestBrowser } from "../../support/browser.ts";
import { CuttingProxy } from "../../support/cutting-proxy.ts";
import { sharedExecutable } from "../../support/executable.ts";
import { InProcessServer } from "../../support/in-process-server.ts";
import { modelPath } from "../../support/pool-harness.ts";
import { testWith } from "../../support/requirements.ts";
import { waitUntil } from "../../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

/** 18 s of real speech, a different person on each side. */
const RECORDING = join(import.meta.dir, "../../data/two-speakers-48k.wav");
const QUICK = { "model.workers": 2, "model.delay": 0, "model.constant_factor": 0, "model.warmup_penalty": 1 };
const FINAL = ".result[data-state=final]";
const ADDS_UP = "It adds up: every sample that was sent is accounted for.";

const run = testWith(CHROMIUM);
const executable = await sharedExecutable();
const browser = CHROMIUM === undefined ? undefined : await TestBrowser.launch(RECORDING);
afterAll(() => browser?.[Symbol.asyncDispose]());
/** A server that the tests share, with a model that takes no time. */
const server = CHROMIUM === undefined ? undefined! : await executable.serve(QUICK);

async function streamFile(opened: OpenedPage, file = RECORDING): Promise<void> {
  await opened.page.getByLabel("At full speed").check();
  await chooseFile(opened, file);
}

/** Chooses a file when the page is ready: before, nobody would notice. */
async function chooseFile(opened: OpenedPage, file = RECORDING): Promise<void> {
  await opened.until("#status", "Ready");
  await opened.page.setInputFiles("#file", file);
}

describe("the microphone", () => {
  run("is streamed, and speech, results, latency and an exact ledger are shown", async () => {
    await using opened = await browser!.open(server.url);
    await opened.until("#status", "Ready");
    await opened.page.click("#microphone");
    await opened.until("#status", "Streaming");
    await opened.until(".reading", /noise floor -\d+ dBFS – speech/);
    await opened.until(FINAL, /count/);
    expect((await opened.texts(FINAL))[0]).toMatch(/latency \d+ ms\s+queue \d+ ms\s+compute \d+ ms/);
    await opened.page.keyboard.press("Escape");
    await opened.until("#ledger", ADDS_UP);
    await opened.until("#status", "Ready");
    expect(opened.faults).toEqual([]);
  });

  run("that may not be used is explained", async () => {
    await using opened = await browser!.open(server.url);
    await opened.page.evaluate(
      "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'))",
    );
    await opened.page.click("#microphone");
    await opened.until("#notices", "This page may not use the microphone: allow it in the browser");
    await opened.until("#status", "Ready");
  });
});

describe("a file", () => {
  run("has its channels beside each other, and what was said can be taken away", async () => {
    await using server = await executable.serve({ ...QUICK, "model.name": modelPath("words") });
    await using opened = await browser!.open(server.url);
    await streamFile(opened);
    await opened.until("#ledger", ADDS_UP);
    expect(await opened.texts("#results h3")).toEqual(["Channel 0", "Channel 1"]);
    const said = await opened.texts(`${FINAL} .said`);
    expect(said.length).toBeGreaterThan(4);
    expect(new Set(said)).toEqual(new Set(["turn left here"]));
    expect(await opened.page.locator("#tracks canvas").count()).toBe(2);
    const save = async (button: string): Promise<string> => {
      const [download] = await Promise.all([opened.page.waitForEvent("download"), opened.page.click(button)]);
      return readFile(await download.path(), "utf8");
    };
    const results = JSON.parse(await save("#save-json")) as Record<string, unknown>[];
    expect(results).toHaveLength(said.length);
    expect(results[0]).toMatchObject({ channel: 0, text: "turn left here", confidence: 0.75 });
    expect(await save("#save-srt")).toStartWith("1\n00:00:00,");
    expect(await save("#save-vtt")).toStartWith("WEBVTT\n\n00:00:00.");
    // Played without a fault.
    await opened.page.locator(".play").first().click();
    expect(opened.faults).toEqual([]);
  });

  run("that is no audio is refused in words", async () => {
    await using opened = await browser!.open(server.url);
    await streamFile(opened, import.meta.path);
    await opened.until("#notices", "console.test.ts: this browser cannot decode it. Is it audio?");
    await opened.until("#status", "Ready");
  });

  run("with more channels than the server takes is refused in words", async () => {
    await using server = await executable.serve({ ...QUICK, "limits.max_channels": 1 });
    await using opened = await browser!.open(server.url);
    await streamFile(opened);
    await opened.until("#notices", /channels/);
    await opened.until("#status", "Ready");
  });

  run("that is only sound in and out can be heard beside the original", async () => {
    await using server = await executable.serve({ "model.name": "denoise", "model.workers": 1 });
    await using opened = await browser!.open(server.url);
    await streamFile(opened);
    await opened.until("#ledger", ADDS_UP);
    expect(await opened.texts(".result:first-child .play")).toContain("▶ result");
    await opened.page.getByText("▶ result").first().click();
    expect(opened.faults).toEqual([]);
  });
});

describe("the detector", () => {
  run("shows the effect of a slider at once, and a running stream goes on with it", async () => {
    await using opened = await browser!.open(server.url);
    await chooseFile(opened);
    await opened.until(".reading", /– speech/);
    await opened.slide("slider-floor_dbfs", -20);
    await opened.slide("slider-threshold_db", 40);
    // Nothing is so loud: the server says so, too.
    await opened.until(".reading", "noise floor -20 dBFS – no speech");
    await waitUntil("a stream with the new settings", () =>
      server.log.some(({ event, stream }) => event === "stream_started" && stream === 1),
    );
    await opened.page.keyboard.press("Escape");
    await opened.until("#ledger", ADDS_UP);
    // Of a stream that the page itself has ended nothing is told.
    expect(await opened.texts("#ledger, #notices")).not.toContainEqual(expect.stringMatching(/ended|Error|Warning/));
  });
});

describe("trouble", () => {
  run("a server that is full says so, and giving up the last results is no error", async () => {
    await using server = await executable.serve({ ...QUICK, "limits.max_sessions": 1 });
    await using first = await browser!.open(server.url);
    await using second = await browser!.open(server.url);
    await first.page.click("#sample");
    await first.until("#status", "Streaming");
    // The focus is on the button that ends it, and then again on the one that was pressed.
    const focused = async ({ page }: OpenedPage) => page.evaluate("document.activeElement.id");
    expect(await focused(first)).toBe("stop");
    await second.page.click("#sample");
    await second.until("#notices", "The server is full: 1 of 1 sessions are open.");
    expect(await focused(second)).toBe("sample");
    server.signal("SIGSTOP");
    for (const times of [1, 2]) await first.page.keyboard.press("Escape", { delay: times });
    server.signal("SIGCONT");
    await first.until("#status", "Ready");
    expect(await first.texts("#notices")).toEqual([""]);
    expect(await first.texts(".result[data-state=interim]")).toEqual([]);
  });

  run("spans without a result say why", async () => {
    const model = join(executable.folder, "failing.ts");
    await Bun.write(
      model,
      'export default { name: "failing", load: () => ({ infer(samples) { if (samples.some((each) => each !== 0)) throw new Error("no idea"); return {}; } }) };',
    );
    await using server = await executable.serve({ "model.name": model, "model.workers": 1 });
    await using opened = await browser!.open(server.url);
    await streamFile(opened);
    await opened.until(".result[data-state=error]", "No result: no idea");
    await opened.until("#ledger", ADDS_UP);
  });

  run("a connection that is lost is shown, and the stream goes on", async () => {
    const keys = join(executable.folder, "console-keys");
    await Bun.write(keys, `key ${randomBytes(32).toString("base64")}\n`, { mode: 0o600 });
    await using server = await executable.serve({ ...QUICK, "limits.resume_ms": 60_000, "auth.secret_file": keys });
    using proxy = new CuttingProxy([server.port]);
    await using opened = await browser!.open(`http://127.0.0.1:${proxy.port}`);
    await chooseFile(opened);
    await opened.until(FINAL, /count/);
    await opened.page.evaluate(
      `window.said = []; new MutationObserver(() => said.push(document.getElementById("status").textContent))
        .observe(document.getElementById("status"), { childList: true })`,
    );
    proxy.cut();
    await waitUntil("the stream to go on", async () =>
      JSON.stringify(await opened.page.evaluate("window.said")).includes("the stream goes on"),
    );
    expect(JSON.stringify(await opened.page.evaluate("window.said"))).toContain("The connection is lost");
    await opened.page.keyboard.press("Escape");
    await opened.until("#ledger", ADDS_UP);
  });

  run("a server that is gone, and one that is back, are shown", async () => {
    await using server = await executable.serve(QUICK);
    await using opened = await browser!.open(`${server.url}/#server`);
    await opened.until("#facts", "Up");
    server.signal("SIGSTOP");
    await opened.until("#server-notice", "it does not answer; trying again");
    server.signal("SIGCONT");
    await opened.page.locator("#server-notice").waitFor({ state: "hidden" });
  });

  run("a token is asked for, a wrong one refused, and the right one kept while the tab is open", async () => {
    const file = join(executable.folder, "console-tokens");
    const { out } = await executable.run(["token", "new", "console", "--file", file]);
    await using server = await executable.serve({ ...QUICK, "auth.tokens": file });
    await using opened = await browser!.open(server.url);
    await opened.until("#status", "A token is needed");
    const enter = async (token: string): Promise<void> => {
      await opened.page.fill("#token", token);
      await opened.page.press("#token", "Tab");
    };
    await enter("wrong");
    await opened.until("#status", "A token is needed");
    await enter(out.trim());
    await opened.until("#status", "Ready");
    await streamFile(opened);
    await opened.until("#ledger", ADDS_UP);
    await opened.page.reload();
    await opened.until("#status", "Ready");
    expect(server.err).not.toContain(out.trim());
  });

  run("a server whose model is still loading is waited for", async () => {
    await using server = await InProcessServer.start({}, { load: false });
    await using opened = await browser!.open(server.url);
    await opened.until("#status", /load/);
    expect(await opened.page.locator("#sample").isDisabled()).toBe(true);
    await server.load();
    await opened.until("#status", "Ready");
    expect(await opened.page.locator("#sample").isDisabled()).toBe(false);
  });
});

describe("the view of the server", () => {
  run("has its load, its models and the addresses for clients", async () => {
    await using opened = await browser!.open(server.url);
    await opened.page.click("#sample");
    await opened.until("#status", "Streaming sample");
    await opened.page.click("#tab-server");
    await opened.until("#facts", /Sessions\s*1 of/);
    await opened.until("#models", /simulated\s*16000 Hz/);
    await opened.until("#addresses", `ws://127.0.0.1:${server.port}/v1/listen`);
    await opened.until(".chart", /Streams\s*sessions 1\s*streams 1/);
    expect(await opened.page.locator("#charts canvas").count()).toBeGreaterThan(6);
    await opened.page.keyboard.press("ArrowLeft");
    await opened.page.locator("#panel-stream").waitFor({ state: "visible" });
    expect(opened.faults).toEqual([]);
  });
});

describe("everybody can use it:", () => {
  const axe = import.meta.resolve("axe-core/axe.min.js").replace("file://", "");
  for (const colorScheme of ["light", "dark"] as const) {
    for (const width of [1280, 380]) {
      run(`no fault of accessibility is found, ${colorScheme}, ${width} pixels wide`, async () => {
        await using opened = await browser!.open(server.url, { colorScheme, viewport: { width, height: 900 } });
        await streamFile(opened);
        await opened.until("#ledger", ADDS_UP);
        const source = await readFile(axe, "utf8");
        for (const tab of ["#tab-stream", "#tab-server"]) {
          await opened.page.click(tab);
          if (tab === "#tab-server") await opened.until("#facts", "Up");
          // By the debugger: the policy of the page forbids scripts of others.
          await opened.page.evaluate(source);
          const found = (await opened.page.evaluate(
            "axe.run().then(({ violations }) => violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`))",
          )) as string[];
          expect(found).toEqual([]);
          const overflow = await opened.page.evaluate("document.documentElement.scrollWidth - innerWidth");
          expect(overflow).toBeLessThanOrEqual(0);
        }
      });
    }
  }
});
