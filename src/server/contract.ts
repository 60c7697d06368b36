import { PATTERNS } from "../pipeline/patterns.ts";
import { asyncapi } from "../protocol/asyncapi.ts";

/** The WebSocket routes of the native protocol, for its API description. */
const CHANNELS = Object.values(PATTERNS).map(({ name, description }) => {
  return { name, address: `/api/v1/${name}`, description };
});

/** Returns the machine-readable contract of the native protocol. @param version of the server */
export function contractOf(version: string): object {
  return asyncapi(version, CHANNELS);
}
