import { descriptorLimit } from "../lib/descriptors.ts";
import { type AutoValue, type ComputeAuto, whole } from "./setting.ts";

/** Descriptors for everything that is no connection of a client. */
export const OTHER_DESCRIPTORS = 32;
/** Fewest connections that may be asked for, or are derived. */
const LEAST = 16;
/** Fewest that are derived while there are descriptors: however few the sessions are, there are health checks and pages. */
const LEAST_POSSIBLE = 1_024;
const MOST_SESSIONS = 1_000_000;
const MOST = 2 * MOST_SESSIONS;

/**
 * Returns the most connections for `limits.max_connections` auto: as many again as sessions, for clients that have none
 * yet or any more, as far as there are file descriptors.
 * @param descriptors that the process may have open; undefined: not known
 */
export function autoConnections(maxSessions: number, descriptors: number | undefined): AutoValue {
  const wanted = Math.max(LEAST_POSSIBLE, 2 * maxSessions);
  const possible = descriptors === undefined ? wanted : Math.max(LEAST, descriptors - OTHER_DESCRIPTORS);
  if (possible < wanted) return { value: possible, reason: `auto: of ${descriptors} file descriptors` };
  if (wanted > 2 * maxSessions) return { value: wanted, reason: `auto: at least ${LEAST_POSSIBLE}` };
  return { value: wanted, reason: "auto: twice limits.max_sessions" };
}

/** Returns a tenth of the least of these limits, for one address. */
function tenthOf(...keys: readonly string[]): ComputeAuto {
  return (valueOf) => {
    const limits = keys.map((key) => ({ key, value: Number(valueOf(key)) }));
    const { key, value } = limits.reduce((least, each) => (each.value < least.value ? each : least));
    return { value: Math.ceil(value / 10), reason: `auto: a tenth of ${key}` };
  };
}

/** How many connections and sessions there may be. Each `auto` is computed after those before it. */
export const CONNECTION_LIMITS = {
  max_connections: {
    ...whole(
      20_000,
      LEAST,
      MOST,
      "connections",
      "most connections of a process; auto: twice limits.max_sessions, or what file descriptors allow",
    ),
    default: "auto",
    auto: (valueOf) => autoConnections(Number(valueOf("limits.max_sessions")), descriptorLimit()),
  },
  max_connections_per_address: {
    ...whole(
      0,
      0,
      MOST,
      "connections",
      "most connections without a session of one address; 0: no limit; auto: a tenth of limits.max_connections",
    ),
    default: "auto",
    auto: tenthOf("limits.max_connections"),
  },
  max_sessions_per_address: {
    ...whole(
      0,
      0,
      MOST_SESSIONS,
      "sessions",
      "most open sessions of one address; 0: no limit; auto: a tenth of limits.max_sessions, or of max_connections",
    ),
    default: "auto",
    auto: tenthOf("limits.max_sessions", "limits.max_connections"),
  },
} as const satisfies Record<string, { default: "auto"; auto: ComputeAuto }>;
