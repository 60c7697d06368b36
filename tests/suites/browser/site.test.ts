import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { serveSite, SITE } from "../../../scripts/guide/support/site-server.ts";
import { CHROMIUM, TestBrowser } from "../../support/browser.ts";
import { root } from "../../support/documents.ts";
import { CHAPTERS } from "../../support/guide/chapters.ts";
import { testWith } from "../../support/requirements.ts";

// Far longer than an installation and a build take, so that a busy machine does not fail them.
setDefaultTimeout(600_000);

const AXE = import.meta.resolve("axe-core/axe.min.js").replace("file://", "");
const recording = join(root, "tests", "data", "two-speakers-48k.wav");
const run = testWith(CHROMIUM);

const server = serveSite(0);
const browser = CHROMIUM === undefined ? undefined : await TestBrowser.launch(recording);

beforeAll(async () => {
  const child = Bun.spawn([process.execPath, join(root, "scripts", "guide", "site.ts"), "--build"], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
  expect([code, code === 0 ? "" : out + err]).toEqual([0, ""]);
});

afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await server.stop(true);
});

function anchorsOf(html: string): Set<string> {
  return new Set([...html.matchAll(/ id="([^"]+)"/g)].map(([, id = ""]) => id));
}

/** @param anchors undefined: the file is no page of the site */
function hasAnchor(anchors: Set<string> | undefined, anchor: string): boolean {
  return anchor === "" || anchors === undefined || anchors.has(anchor);
}

describe("the site", () => {
  test("has a page for each chapter, and no link without a target", async () => {
    const names = await readdir(SITE, { recursive: true });
    const pages = names.filter((name) => name.endsWith(".html") && !name.startsWith("repository/"));
    expect(CHAPTERS.filter(([name]) => !pages.includes(`guide/${name}.html`))).toEqual([]);
    const texts = new Map<string, string>();
    for (const page of pages) texts.set(page, await Bun.file(join(SITE, page)).text());
    const anchors = new Map([...texts].map(([page, text]) => [page, anchorsOf(text)]));
    const broken: string[] = [];
    for (const [page, text] of texts) {
      for (const [, target = ""] of text.matchAll(/ (?:href|src)="([^"]+)"/g)) {
        if (/^(?:[a-z]+:|\/\/)/.test(target)) continue;
        const { pathname, hash } = new URL(target, `http://site/${page}`);
        const path = decodeURIComponent(pathname.slice(1));
        const file = path === "" || path.endsWith("/") ? `${path}index.html` : path;
        const exists = existsSync(join(SITE, file));
        if (!exists || !hasAnchor(anchors.get(file), decodeURIComponent(hash.slice(1))))
          broken.push(`${page}: ${target}`);
      }
    }
    expect(broken).toEqual([]);
  });

  test("keeps the space between words of which one is bold and the next a link", async () => {
    const chapter = await Bun.file(join(SITE, "guide", "05-the-server.html")).text();
    expect(chapter).toContain("</strong> <a");
    expect(chapter).not.toContain("</strong><a");
  });

  run("shows diagrams and figures, and loads nothing from others", async () => {
    await using opened = await browser!.open("about:blank");
    const { page } = opened;
    const requests: string[] = [];
    page.on("request", (request) => requests.push(request.url()));
    await page.goto(`${server.url}guide/08-batching-and-scheduling.html`);
    await page.locator(".diagram svg").first().waitFor();
    expect(await page.locator(".diagram").first().textContent()).toContain("waiting jobs");
    expect(await page.locator(".fence-name").first().textContent()).toBe("Save as batcher.ts");
    const widths = await page.evaluate("[...document.querySelectorAll('main img')].map((each) => each.naturalWidth)");
    expect(widths).toEqual([720, 720, 720]);
    expect(requests.filter((url) => !url.startsWith(server.url.href) && !url.startsWith("data:"))).toEqual([]);
    expect(opened.faults).toEqual([]);
  });

  run("finds words of all pages, and shows a source", async () => {
    await using opened = await browser!.open(`${server.url}guide/`);
    const { page } = opened;
    await page.keyboard.press("Control+k");
    await page.getByRole("searchbox").fill("deficit round robin");
    await page.getByRole("option").first().click();
    await page.waitForURL(/08-batching-and-scheduling/);
    await page.getByRole("link", { name: "Selection", exact: true }).click();
    await page.waitForURL(/repository\/src\/pool\/selection\.ts\.txt$/);
    expect(await page.textContent("body")).toContain("class Selection");
    expect(opened.faults).toEqual([]);
  });

  run("opens from a disk, with working links, figures and diagrams", async () => {
    await using opened = await browser!.open(pathToFileURL(join(SITE, "guide", "index.html")).href);
    const { page } = opened;
    await page.locator("main").getByRole("link", { name: "8. Batching and scheduling", exact: true }).click();
    await page.waitForURL(/^file:.*08-batching-and-scheduling\.html$/);
    await page.locator(".diagram svg").first().waitFor();
    const widths = await page.evaluate("[...document.querySelectorAll('main img')].map((each) => each.naturalWidth)");
    expect(widths).toEqual([720, 720, 720]);
    await page.locator("aside").getByRole("link", { name: "Wire protocol", exact: true }).click();
    await page.waitForURL(/^file:.*\/protocol\.html$/);
    expect(await page.evaluate("getComputedStyle(document.querySelector('.VPNav')).position")).toBe("fixed");
  });

  run("fits a phone, and has no serious fault of accessibility", async () => {
    for (const chapter of ["01-introduction", "02-streaming-apis", "08-batching-and-scheduling"]) {
      const options = { viewport: { width: 390, height: 844 } };
      await using opened = await browser!.open(`${server.url.href}guide/${chapter}.html`, options);
      const { page } = opened;
      await page.locator(".diagram svg").first().waitFor();
      expect([chapter, await page.evaluate("document.documentElement.scrollWidth")]).toEqual([chapter, 390]);
      await page.addScriptTag({ path: AXE });
      const violations = await page.evaluate("axe.run().then(({ violations }) => violations)");
      const serious = (violations as { id: string; impact: string; nodes: { html: string }[] }[])
        .filter(({ impact }) => impact === "serious" || impact === "critical")
        .map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`);
      expect([chapter, serious]).toEqual([chapter, []]);
    }
  });
});
