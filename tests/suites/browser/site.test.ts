import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";

import { CHROMIUM, TestBrowser } from "../../support/browser.ts";
import { root } from "../../support/documents.ts";
import { CHAPTERS } from "../../support/guide/chapters.ts";
import { testWith } from "../../support/requirements.ts";

// Far longer than an installation and a build take, so that a busy machine does not fail them.
setDefaultTimeout(600_000);

const dist = join(root, "docs", ".vitepress", "dist");
const recording = join(root, "tests", "data", "two-speakers-48k.wav");
const run = testWith(CHROMIUM);

/** The path of a file of the site; undefined: there is none. */
function fileOf(pathname: string): string | undefined {
  const path = decodeURIComponent(pathname);
  const file = join(dist, path.endsWith("/") ? `${path}index.html` : path);
  return existsSync(file) ? file : undefined;
}

const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch(request) {
    const file = fileOf(new URL(request.url).pathname);
    return file === undefined ? new Response("not found", { status: 404 }) : new Response(Bun.file(file));
  },
});
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

describe("the site", () => {
  test("has a page for each chapter, and no link without a target", async () => {
    const names = await readdir(dist, { recursive: true });
    const pages = names.filter((name) => name.endsWith(".html") && !name.startsWith("repository/"));
    expect(CHAPTERS.filter(([name]) => !pages.includes(`guide/${name}.html`))).toEqual([]);
    const broken: string[] = [];
    for (const page of pages) {
      const html = await Bun.file(join(dist, page)).text();
      for (const [, target = ""] of html.matchAll(/ (?:href|src)="([^"#]+)[^"]*"/g)) {
        if (/^(?:[a-z]+:|\/\/)/.test(target)) continue;
        const path = target.startsWith("/") ? target : join("/", dirname(page), target);
        if (fileOf(path) === undefined) broken.push(`${page}: ${target}`);
      }
    }
    expect(broken).toEqual([]);
  });

  run("shows diagrams and figures, and loads nothing from others", async () => {
    await using opened = await browser!.open("about:blank");
    const { page } = opened;
    const requests: string[] = [];
    page.on("request", (request) => requests.push(request.url()));
    await page.goto(`${server.url}guide/08-batching-and-scheduling.html`);
    await page.locator(".diagram svg").first().waitFor();
    expect(await page.locator(".diagram").first().textContent()).toContain("waiting jobs");
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
});
