import type { Caller, CallerLimits } from "../protocol/caller.ts";
import type { ProtocolError } from "../protocol/errors.ts";

/** A request for a session, whatever transport it comes by. */
export interface Arrival {
  readonly transport: "websocket";
  /** Name of the dialect that is asked for. */
  readonly dialect: string;
  /** The `Host` header. */
  readonly host?: string | undefined;
  /** The `Origin` header, which browsers send. */
  readonly origin?: string | undefined;
  /** The credentials that the client sent, wherever its dialect carries them. */
  readonly credentials?: string | undefined;
  /** The connection is encrypted. */
  readonly tls: boolean;
  /** Network address; empty when the transport has none. */
  readonly address: string;
}

/**
 * Identifies a client before anything is opened for it: returns the caller, or the error that refuses it, immediately
 * or later. The number of open sessions is checked again, synchronously, when the session is opened.
 */
export type Admit = (arrival: Arrival) => Caller | ProtocolError | Promise<Caller | ProtocolError>;

/** Admits everybody. A caller is known by its network address, and each has these limits. */
export function admitByAddress(limits: CallerLimits): Admit {
  return ({ address }) => ({ id: address, address, limits });
}
