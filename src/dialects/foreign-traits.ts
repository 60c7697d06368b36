import type { Config } from "../config/config.ts";
import type { Traits } from "./dialect.ts";

/**
 * The traits that dialects of other services share. Their clients send files at full speed, and their libraries give a
 * connection up when a ping has no answer for 20 s, because it stands behind audio that has not been read.
 */
export function foreignTraits({
  limits,
  dialects,
}: Pick<Config, "limits" | "dialects">): Pick<Traits, "maxTextBytes" | "inboxBytes" | "pingsCount"> {
  return {
    maxTextBytes: limits.max_text_bytes,
    inboxBytes: Math.max(limits.inbox_bytes, dialects.inbox_bytes),
    pingsCount: false,
  };
}
