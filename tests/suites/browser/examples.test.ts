// The example of a page, examples/clients/browser/index.html, in Chromium.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout } from "bun:test";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { CHROMIUM, type OpenedPage, TestBrowser } from "../../support/browser.ts";
import { finalsOf, RECORDING } from "../../support/example-clients.ts";
import { example } from "../../support/example-harness.ts";
import { sharedExecutable } from "../../support/executable.ts";
import { modelPath } from "../../support/pool-harness.ts";
import { testWith, tool } from "../../support/requirements.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const PAGE = example("clients", "browser", "index.html");
const run = testWith(CHROMIUM);
const executable = await sharedExecutable();
const browser = CHROMIUM === undefined ? undefined : await TestBrowser.launch(RECORDING);
/** Another web server on this machine, as on the machine of a developer. */
const pages = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response(Bun.file(PAGE)) });
afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await pages.stop(true);
});
const tokens = join(executable.folder, "tokens");
const { out: token } = await executable.run(["token", "new", "page", "--file", tokens]);
const settings = { "model.name": modelPath("words"), "model.workers": 1, "auth.tokens": tokens };
const server = CHROMIUM === undefined ? undefined! : await executable.serve(settings);
/** What `send` prints. */
let lines: string[];

beforeAll(async () => {
  const args = ["send", "--format", "json", "-i", RECORDING, "--addr", server.url];
  const { out } = await executable.run(args, { env: { STREAMER_TOKEN: token.trim() } });
  lines = finalsOf(out).map(
    ({ channel, start_time, end_time, ...output }) =>
      `[${channel}] ${start_time.toFixed(2)} - ${end_time.toFixed(2)} ${String(output["text"])}`,
  );
  expect(lines).toHaveLength(7);
});

async function open(url = pages.url.href): Promise<OpenedPage> {
  const opened = await browser!.open(url);
  await opened.page.getByLabel("Server").fill(`${server.url.replace("http", "ws")}/api/v1/segmented`);
  await opened.page.getByLabel("Token").fill(token.trim());
  return opened;
}

describe("the page of the examples", () => {
  run("shows the finals of a WAV file as send does", async () => {
    await using opened = await open();
    await opened.page.setInputFiles("#file", RECORDING);
    await opened.until("#status", "Every result is there");
    expect((await opened.texts(".final")).sort()).toEqual(lines.sort());
    expect(await opened.page.locator(".interim").count()).toBe(0);
    expect(opened.faults).toEqual([]);
  });

  const ffmpeg = tool("ffmpeg", "ffmpeg");
  testWith(CHROMIUM, ffmpeg)("decodes files of other kinds", async () => {
    const file = join(executable.folder, "speech.mp3");
    const { exitCode } = Bun.spawnSync([ffmpeg!, "-loglevel", "error", "-i", RECORDING, file]);
    expect(exitCode).toBe(0);
    await using opened = await open();
    await opened.page.setInputFiles("#file", file);
    await opened.until("#status", "Every result is there");
    expect((await opened.texts(".final")).length).toBeGreaterThan(4);
  });

  run("streams the microphone until somebody presses Stop", async () => {
    await using opened = await open();
    await opened.page.click("#microphone");
    await opened.until("#status", "Listening");
    await opened.until(".interim", "turn left here");
    await opened.until(".final", "turn left here");
    await opened.page.click("#stop");
    await opened.until("#status", "Stopped. Every result is there.");
    expect(await opened.page.locator("#microphone").isDisabled()).toBe(false);
    expect(opened.faults).toEqual([]);
  });

  run("explains a refused start, a refused token, and a server that is not there or does not admit it", async () => {
    await using opened = await open();
    const { page } = opened;
    await page.getByLabel("Model").fill("nobody");
    await page.setInputFiles("#file", RECORDING);
    await opened.until(".error", 'unknown_model: model: found "nobody"; allowed: words');
    await page.getByLabel("Token").fill("another");
    await page.setInputFiles("#file", []);
    await page.setInputFiles("#file", RECORDING);
    await opened.until(".error", "unauthorized");
    await page.getByLabel("Server").fill("ws://127.0.0.1:9/api/v1/segmented");
    await page.click("#microphone");
    await opened.until(".error", "there is no server");

    // From the disk, a page has no origin.
    const copy = join(executable.folder, "index.html");
    await copyFile(PAGE, copy);
    await using local = await open(pathToFileURL(copy).href);
    await local.page.setInputFiles("#file", RECORDING);
    await local.until(".error", "server.allowed_origins");
  });
});

describe("the server of the page of the examples", () => {
  run("ends in the middle of a stream: the page says so, and can begin again", async () => {
    await using dying = await executable.serve({ "model.delay": 0 });
    await using opened = await open();
    await opened.page.getByLabel("Server").fill(`${dying.url.replace("http", "ws")}/api/v1/segmented`);
    await opened.page.click("#microphone");
    await opened.until("#results", "count");
    dying.signal("SIGKILL");
    await opened.until(".error", "the connection was closed early: 1006");
    expect(await opened.page.locator("#file").isDisabled()).toBe(false);
  });
});
