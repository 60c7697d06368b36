import type { Context, Hono, MiddlewareHandler } from "hono";

import icon from "../../native/build/console/icon.txt" with { type: "text" };
import page from "../../native/build/console/page.txt" with { type: "text" };
import recorder from "../../native/build/console/recorder.txt" with { type: "text" };
import sample from "../../native/build/console/sample.wav" with { type: "file" };
import script from "../../native/build/console/script.txt" with { type: "text" };
import style from "../../native/build/console/style.txt" with { type: "text" };
import type { GuardedEnv } from "./edge/guard.ts";

/** The web console: `src/console/`, bundled by `scripts/console.ts`. */
const FILES = {
  "/console/script.js": { type: "text/javascript; charset=utf-8", body: script },
  "/console/recorder.js": { type: "text/javascript; charset=utf-8", body: recorder },
  "/console/style.css": { type: "text/css; charset=utf-8", body: style },
  "/console/icon.svg": { type: "image/svg+xml", body: icon },
  "/console/sample.wav": { type: "audio/wav", path: sample },
} as const;

/** The paths that the page loads. */
export const CONSOLE_PATHS: readonly string[] = Object.keys(FILES);

/**
 * What the page may do: load its own files, talk to its own server, play what it has recorded. Nothing is inline, and
 * nobody may frame it.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "media-src 'self' blob:",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const HEADERS: Readonly<Record<string, string>> = {
  // Asked for again each time, and sent only when it has changed.
  "cache-control": "no-cache",
  "content-security-policy": POLICY,
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "microphone=(self), camera=(), geolocation=()",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

/** A file of the console as it is sent. */
interface Asset {
  readonly type: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly zipped: Uint8Array<ArrayBuffer>;
  readonly etag: string;
}

/** Returns true if a client asks for a page as browsers do, and not as `curl` does. */
export function wantsPage(request: Request): boolean {
  return /\btext\/html\b/i.test(request.headers.get("accept") ?? "");
}

/** The files that somebody has asked for, read and compressed. */
const assets = new Map<string, Promise<Asset>>();

/** Adds the files that the page loads; the page itself has the path of the front page. */
export function addConsoleFiles(app: Hono<GuardedEnv>, guard: MiddlewareHandler<GuardedEnv>): void {
  for (const path of CONSOLE_PATHS) app.get(path, guard, (c) => answer(c, path));
}

export function consolePage(c: Context<GuardedEnv>): Promise<Response> {
  return answer(c, "page");
}

async function answer(c: Context<GuardedEnv>, name: string): Promise<Response> {
  const loaded = assets.get(name) ?? load(name);
  assets.set(name, loaded);
  const { type, bytes, zipped, etag } = await loaded;
  const headers = { ...HEADERS, "content-type": type, etag, vary: "Accept, Accept-Encoding" };
  if (c.req.header("if-none-match") === etag) return c.body(null, 304, headers);
  const isZipped = /\bgzip\b/.test(c.req.header("accept-encoding") ?? "");
  if (!isZipped) return c.body(bytes, 200, headers);
  return c.body(zipped, 200, { ...headers, "content-encoding": "gzip" });
}

async function load(name: string): Promise<Asset> {
  const file = name === "page" ? { type: "text/html; charset=utf-8", body: page } : FILES[name as keyof typeof FILES];
  const bytes = "path" in file ? await Bun.file(file.path).bytes() : new TextEncoder().encode(file.body);
  const etag = `"${Bun.hash(bytes).toString(36)}"`;
  return { type: file.type, bytes, zipped: Bun.gzipSync(bytes), etag };
}
