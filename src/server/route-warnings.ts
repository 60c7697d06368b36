import type { Config } from "../config/config.ts";
import { ROUTES } from "../dialects/dialects.ts";
import { nearestName } from "../lib/nearest-name.ts";
import { PAGES } from "./pages.ts";
import { FRONT_PAGE } from "./routes.ts";

/** Returns a sentence for each path in the configuration that is no route of the server, and so has no effect. */
export function routeWarnings({ auth, server }: Pick<Config, "auth" | "server">): string[] {
  const pages = [FRONT_PAGE, ...PAGES];
  const streams = ROUTES.flatMap(({ paths }) => paths);
  return [
    ...unknown("auth.public_routes", auth.public_routes, [...pages, ...streams]),
    ...unknown("server.admin_only", server.admin_only, pages),
  ];
}

function unknown(key: string, given: readonly string[], known: readonly string[]): string[] {
  return given
    .filter((path) => !known.includes(path))
    .map((path) => {
      const meant = nearestName(path, known);
      const hint = meant === undefined ? `allowed: ${known.join(", ")}` : `did you mean ${meant}?`;
      return `${key}: found ${path}, which is no such route; ${hint}`;
    });
}
