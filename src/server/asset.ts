import type { Context } from "hono";

import type { GuardedEnv } from "./edge/guard.ts";

/** A file for browsers, as it is sent. */
export interface Asset {
  readonly type: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly zipped: Uint8Array<ArrayBuffer>;
  readonly etag: string;
}

/** Headers of every file for browsers. */
export const ASSET_HEADERS: Readonly<Record<string, string>> = {
  // Asked for again each time, and sent only when it has changed.
  "cache-control": "no-cache",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

/** Returns a file, compressed. */
export function assetOf(type: string, bytes: Uint8Array<ArrayBuffer>): Asset {
  return { type, bytes, zipped: Bun.gzipSync(bytes), etag: `"${Bun.hash(bytes).toString(36)}"` };
}

/** Answers with a file, or that it has not changed. @param vary request headers that the answer depends on */
export function sendAsset(
  c: Context<GuardedEnv>,
  { type, bytes, zipped, etag }: Asset,
  headers: Readonly<Record<string, string>>,
  vary: string,
): Response {
  const sent = { ...headers, "content-type": type, etag, vary };
  if (c.req.header("if-none-match") === etag) return c.body(null, 304, sent);
  const isZipped = /\bgzip\b/.test(c.req.header("accept-encoding") ?? "");
  if (!isZipped) return c.body(bytes, 200, sent);
  return c.body(zipped, 200, { ...sent, "content-encoding": "gzip" });
}
