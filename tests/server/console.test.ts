import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { CONSOLE_PATHS } from "../../src/server/console.ts";
import { InProcessServer, sharedServer } from "../support/in-process-server.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const BROWSER = { accept: "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8" };
/** Largest size of everything that the page loads, compressed. */
const MOST_BYTES = 200_000;

const shared = await sharedServer();

describe("the console", () => {
  test("is what a browser gets at /, and a program gets the page of text", async () => {
    const page = await shared.fetch("/", { headers: BROWSER });
    expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
    expect(await page.text()).toContain('<script type="module" src="console/script.js"></script>');
    const text = await shared.fetch("/", { headers: { accept: "*/*" } });
    expect(text.headers.get("content-type")).toStartWith("text/plain");
    for (const { headers } of [page, text]) expect(headers.get("vary")).toContain("Accept");
  });

  test("has a strict policy, which nothing in the page breaks", async () => {
    const page = await shared.fetch("/", { headers: BROWSER });
    const policy = page.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|\*|data:/);
    expect(page.headers.get("x-content-type-options")).toBe("nosniff");
    expect(page.headers.get("referrer-policy")).toBe("no-referrer");
    expect(page.headers.get("permissions-policy")).toContain("microphone=(self)");
    const html = await page.text();
    expect(html).not.toMatch(/<style|\sstyle=|\son[a-z]+=|javascript:|<script(?![^>]*\ssrc=)/i);
    // Everything is from the server itself, relative to its own address.
    expect([...html.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, link]) => `/${link}`)).toEqual([
      "/console/icon.svg",
      "/console/style.css",
      "/console/script.js",
      "/api/v1/docs",
      "/api/v1/docs",
    ]);
  });

  test("loads less than 200 KB", async () => {
    const sizes = ["/", ...CONSOLE_PATHS].map(async (path) => {
      const headers = { ...BROWSER, "accept-encoding": "gzip" };
      const response = await fetch(`${shared.url}${path}`, { headers, decompress: false });
      expect([path, response.status, response.headers.get("content-encoding")]).toEqual([path, 200, "gzip"]);
      return (await response.bytes()).length;
    });
    const total = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
    expect(total).toBeLessThan(MOST_BYTES);
  });

  test("is sent again only when it has changed", async () => {
    for (const path of ["/", ...CONSOLE_PATHS]) {
      const first = await shared.fetch(path, { headers: BROWSER });
      const etag = first.headers.get("etag") ?? "";
      const again = await shared.fetch(path, { headers: { ...BROWSER, "if-none-match": etag } });
      expect([path, again.status, await again.text()]).toEqual([path, 304, ""]);
      const other = await shared.fetch(path, { headers: { ...BROWSER, "if-none-match": '"other"' } });
      expect(other.status).toBe(200);
    }
  });

  test("is there in full without compression", async () => {
    const response = await shared.fetch("/console/script.js", { headers: { "accept-encoding": "identity" } });
    expect(response.headers.get("content-encoding")).toBeNull();
    expect(await response.text()).toContain("AudioWorkletNode");
  });

  test("can be switched off", async () => {
    await using server = await InProcessServer.start({ "server.console": "off" });
    const page = await server.fetch("/", { headers: BROWSER });
    expect(page.headers.get("content-type")).toStartWith("text/plain");
    expect(page.headers.get("content-security-policy")).toBeNull();
    for (const path of CONSOLE_PATHS) expect((await server.fetch(path)).status).toBe(404);
  });

  test("may be read by other methods only as pages are", async () => {
    const posted = await shared.fetch("/console/script.js", { method: "POST" });
    expect([posted.status, posted.headers.get("allow")]).toEqual([405, "GET, HEAD, OPTIONS"]);
    expect((await shared.fetch("/console/nothing.js")).status).toBe(404);
  });
});
