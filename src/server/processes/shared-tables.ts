import type { SessionTable } from "../../native/session-table.ts";
import type { TlsCredentials } from "../tls/credentials.ts";

/** What all processes of a server use together. */
export interface SharedTables {
  readonly sessions: SessionTable;
  /** Tickets that have been used. */
  readonly tickets: SessionTable;
  /** Returns the text of the token file that is used now; undefined: there are no tokens. */
  readonly tokens: () => string | undefined;
  /** Returns the certificates that are used now; undefined: connections are not encrypted. */
  readonly credentials: () => TlsCredentials | undefined;
}
