import { segmented } from "../../pipeline/segmented.ts";
import { presentText } from "../call-parameters.ts";
import type { Route } from "../dialect.ts";
import { streamer } from "../streamer.ts";
import { WatchDialect } from "./dialect.ts";

/**
 * Where the results of calls are watched: those with the name in the query `call`, or all of the same caller. It is there
 * with the dialects that carry calls.
 */
export const watch: Route = {
  dialect: "watch",
  paths: ["/api/v1/calls"],
  credentials: streamer.credentials,
  choose: streamer.choose,
  refuse: streamer.refuse,
  open(_path, request, { limits }) {
    const call = presentText(new URL(request.url).searchParams.get("call"));
    return {
      dialect: "watch",
      pattern: segmented,
      traits: {
        maxTextBytes: limits.max_text_bytes,
        // There may be no call for days.
        idleTimeoutMs: Infinity,
        startTimeoutMs: Infinity,
        binaryIsAudio: false,
        pingsCount: true,
      },
      calls: { role: "watches", call },
      create: () => new WatchDialect(),
    };
  },
};
