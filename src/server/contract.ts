import { watch } from "../dialects/watch/route.ts";
import { PATTERNS } from "../pipeline/patterns.ts";
import { asyncapi, type Channel } from "../protocol/asyncapi.ts";
import { CALL_MESSAGES, CALLS_RECEIVED, CALLS_SENT } from "./call-messages.ts";

const CALL_NAME = {
  type: "string",
  description: "Name of the calls to watch, as the telephone system has given it. Absent: all of the caller.",
};

/** The WebSocket routes of the native protocol, for its API description. */
const CHANNELS: readonly Channel[] = [
  ...Object.values(PATTERNS).map(({ name, description }) => ({ name, address: `/api/v1/${name}`, description })),
  ...watch.paths.map((address) => ({
    name: "calls",
    address,
    description:
      "Watches the results of phone calls, which come by other connections. It is there if a dialect that carries " +
      "calls is on.",
    query: { call: CALL_NAME },
    receives: CALLS_RECEIVED,
    sends: CALLS_SENT,
  })),
];

/** Returns the machine-readable contract of the native protocol. @param version of the server */
export function contractOf(version: string): object {
  return asyncapi(version, CHANNELS, CALL_MESSAGES);
}
