import type { Route } from "./dialect.ts";
import { streamer } from "./streamer.ts";

/** The routes of every dialect that is spoken over HTTP upgrades. */
export const ROUTES: readonly Route[] = [streamer];
