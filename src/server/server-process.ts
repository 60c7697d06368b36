import type { SharedAccess } from "../auth/access.ts";
import type { CallExchange } from "../session/call-relay.ts";
import type { SessionPlaces } from "../session/session-places.ts";

/** What a server that is one of several processes has beyond others. */
export interface ServerProcess {
  /** Number of the process, from 1 on. One that replaces it has the same. */
  readonly number: number;
  /** Processes of the server. */
  readonly count: number;
  /** The places of all processes. */
  readonly places: SessionPlaces;
  /** What happens in the calls of all processes. */
  readonly calls: CallExchange;
  /** What its tokens and tickets have in common with those of the other processes. */
  readonly access: SharedAccess;
  /** Listens when its models are loaded, because other processes accept connections meanwhile. */
  readonly listensWhenLoaded: boolean;
  /** Where the metrics of all processes are, as a sentence. */
  readonly metricsPlace: string;
}
