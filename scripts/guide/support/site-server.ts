import { join } from "node:path";

/** The folder that the site is built to. */
export const SITE = join(import.meta.dir, "..", "..", "..", "docs", ".vitepress", "dist");

/** Serves the site to this machine. Files are sent as they are: to compress the largest takes longer than to send it. */
export function serveSite(port: number): Bun.Server<undefined> {
  return Bun.serve({
    port,
    hostname: "127.0.0.1",
    async fetch(request) {
      const path = decodeURIComponent(new URL(request.url).pathname);
      // Browsers ask for it when they show a file that is no page.
      if (path === "/favicon.ico") return new Response(null, { status: 204 });
      const file = Bun.file(join(SITE, path.endsWith("/") ? `${path}index.html` : path));
      if (await file.exists()) return new Response(file);
      return new Response(Bun.file(join(SITE, "404.html")), { status: 404 });
    },
  });
}
