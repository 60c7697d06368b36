import type { Hono } from "hono";

import { type Asset, ASSET_HEADERS, assetOf, sendAsset } from "./asset.ts";
import type { GuardedEnv, PathGuard } from "./edge/guard.ts";
import { apiDocuments } from "./reference/documents.ts";
import { STYLE } from "./reference/style.ts";

const ASYNCAPI = "/api/v1/asyncapi.json";
const OPENAPI = "/api/v1/openapi.json";
/** The page for people. */
export const DOCS = "/api/v1/docs";

/** The paths that `addApiPages` adds. */
export const API_PAGES = [ASYNCAPI, OPENAPI, DOCS] as const;

/** What the page may do: have its own style, and nothing else. Nobody may frame it. */
const POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${new Bun.CryptoHasher("sha256").update(STYLE).digest("base64")}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");
const HEADERS = { ...ASSET_HEADERS, "content-security-policy": POLICY };

/** Adds the descriptions of the server's interfaces. @param version of the server */
export function addApiPages(app: Hono<GuardedEnv>, version: string, guard: PathGuard): void {
  const documents = apiDocuments(version);
  let page: Asset | undefined;
  app.get(ASYNCAPI, guard(ASYNCAPI), (c) => c.json(documents.asyncapi()));
  app.get(OPENAPI, guard(OPENAPI), (c) => c.json(documents.openapi()));
  app.get(DOCS, guard(DOCS), (c) => {
    // Behind a slash, its links to the documents would lead elsewhere.
    if (new URL(c.req.url).pathname.endsWith("/")) return c.redirect("../docs", 308);
    page ??= assetOf("text/html; charset=utf-8", new TextEncoder().encode(documents.page()));
    return sendAsset(c, page, HEADERS, "Accept-Encoding");
  });
}
