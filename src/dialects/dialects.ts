import { assemblyai } from "./assemblyai/route.ts";
import { deepgram } from "./deepgram/route.ts";
import type { Route } from "./dialect.ts";
import { openai } from "./openai/route.ts";
import { speechmatics } from "./speechmatics/route.ts";
import { streamer } from "./streamer.ts";
import { vosk } from "./vosk/route.ts";

/** The routes of every dialect that is spoken over HTTP upgrades. */
export const ROUTES: readonly Route[] = [streamer, deepgram, openai, vosk, assemblyai, speechmatics];

/** Returns the routes of the dialects with these names. */
export function routesOf(names: readonly string[]): Route[] {
  return ROUTES.filter(({ dialect }) => names.includes(dialect));
}
