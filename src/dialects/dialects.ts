import { assemblyai } from "./assemblyai/route.ts";
import { asterisk } from "./asterisk/route.ts";
import { recorded } from "./deepgram/files/route.ts";
import { deepgram } from "./deepgram/route.ts";
import type { Route } from "./dialect.ts";
import type { FileRoute } from "./files/file-route.ts";
import { transcriptions } from "./openai/files/route.ts";
import { openai } from "./openai/route.ts";
import { speechmatics } from "./speechmatics/route.ts";
import { streamer } from "./streamer.ts";
import { twilio } from "./twilio/route.ts";
import { vosk } from "./vosk/route.ts";

/** The routes of every dialect that is spoken over HTTP upgrades. */
export const ROUTES: readonly Route[] = [streamer, deepgram, openai, vosk, assemblyai, speechmatics, twilio, asterisk];

/** The routes of every dialect that takes files. */
export const FILE_ROUTES: readonly FileRoute[] = [recorded, transcriptions];

/** Returns the routes of the dialects with these names. */
export function routesOf(names: readonly string[]): Route[] {
  return ROUTES.filter(({ dialect }) => names.includes(dialect));
}

/** Returns the routes for files of the dialects with these names. */
export function fileRoutesOf(names: readonly string[]): FileRoute[] {
  return FILE_ROUTES.filter(({ dialect }) => names.includes(dialect));
}
