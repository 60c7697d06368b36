import { afterAll, describe, expect, setDefaultTimeout } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { CHROMIUM, TestBrowser } from "../../support/browser.ts";
import { root } from "../../support/documents.ts";
import { InProcessServer } from "../../support/in-process-server.ts";
import { testWith } from "../../support/requirements.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const AXE = import.meta.resolve("axe-core/axe.min.js").replace("file://", "");
const FILE = pathToFileURL(join(root, "docs", "reference.html")).href;

const run = testWith(CHROMIUM);
const recording = join(root, "tests", "data", "two-speakers-48k.wav");
const browser = CHROMIUM === undefined ? undefined : await TestBrowser.launch(recording);
afterAll(() => browser?.[Symbol.asyncDispose]());

describe("the API reference", () => {
  for (const [colorScheme, width] of [
    ["light", 1280],
    ["dark", 380],
  ] as const) {
    run(`is accessible and fits, ${colorScheme}, ${width} pixels wide`, async () => {
      await using server = await InProcessServer.start();
      const options = { colorScheme, viewport: { width, height: 900 } };
      await using opened = await browser!.open(`${server.url}/api/v1/docs#start.vad`, options);
      // The policy permits the style.
      expect(await opened.page.evaluate("getComputedStyle(document.querySelector('dl > div')).display")).toBe("grid");
      expect(await opened.page.evaluate("document.querySelector(':target').id")).toBe("start.vad");
      // By the debugger: the policy of the page forbids scripts of others.
      await opened.page.evaluate(await readFile(AXE, "utf8"));
      const found = await opened.page.evaluate(
        "axe.run().then(({ violations }) => violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`))",
      );
      expect(found).toEqual([]);
      expect(await opened.page.evaluate("document.documentElement.scrollWidth - innerWidth")).toBeLessThanOrEqual(0);
      expect(opened.faults).toEqual([]);
    });
  }

  run("is read from a disk, loads nothing, and leads from the console to the documents", async () => {
    await using file = await browser!.open("about:blank");
    const requests: string[] = [];
    file.page.on("request", (request) => requests.push(request.url()));
    await file.page.goto(FILE);
    await file.page.getByRole("navigation").getByRole("link", { name: "keep_alive" }).click();
    expect(file.page.url()).toEndWith("#keep_alive");
    expect(requests).toEqual([FILE]);
    await using server = await InProcessServer.start();
    await using console = await browser!.open(server.url);
    await console.page.getByRole("link", { name: "API reference" }).click();
    await console.page.getByRole("heading", { name: "Streamer API reference" }).waitFor();
    await console.page.getByRole("link", { name: "openapi.json", exact: true }).click();
    expect(console.page.url()).toBe(`${server.url}/api/v1/openapi.json`);
  });
});
