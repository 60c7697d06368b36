import { whole } from "./setting.ts";

/** How many connections may watch calls. Each is a session beside that. */
export const CALL_LIMITS = {
  max_watchers: whole(256, 0, 10_000, "connections", "most connections at a time that watch calls"),
  max_watchers_per_caller: whole(
    16,
    1,
    10_000,
    "connections",
    "most connections of one caller that watch calls, and so most that watch one call",
  ),
} as const;
