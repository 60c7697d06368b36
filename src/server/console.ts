import type { Context, Hono, MiddlewareHandler } from "hono";

import icon from "../../native/build/console/icon.txt" with { type: "text" };
import page from "../../native/build/console/page.txt" with { type: "text" };
import recorder from "../../native/build/console/recorder.txt" with { type: "text" };
import sample from "../../native/build/console/sample.wav" with { type: "file" };
import script from "../../native/build/console/script.txt" with { type: "text" };
import style from "../../native/build/console/style.txt" with { type: "text" };
import { type Asset, ASSET_HEADERS, assetOf, sendAsset } from "./asset.ts";
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
  ...ASSET_HEADERS,
  "content-security-policy": POLICY,
  "permissions-policy": "microphone=(self), camera=(), geolocation=()",
};

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
  return sendAsset(c, await loaded, HEADERS, "Accept, Accept-Encoding");
}

async function load(name: string): Promise<Asset> {
  const file = name === "page" ? { type: "text/html; charset=utf-8", body: page } : FILES[name as keyof typeof FILES];
  const bytes = "path" in file ? await Bun.file(file.path).bytes() : new TextEncoder().encode(file.body);
  return assetOf(file.type, bytes);
}
