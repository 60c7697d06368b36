import type { TextFormat } from "./setting.ts";

export const ROUTE_FORMAT: TextFormat = {
  allowed: "paths of routes, such as /metrics",
  pattern: "^(?:/|(?:/[A-Za-z0-9._~-]+)+/*)$",
  isExact: true,
  accepts: (text) => text === "/" || /^(?:\/[A-Za-z0-9._~-]+)+$/.test(text),
};

/** Removes the slash at the end of a path, which routes do not have. */
export function spellRoute(path: string): string {
  return path.length > 1 ? path.replace(/\/+$/, "") : path;
}
