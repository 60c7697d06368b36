import type { Config } from "../config/config.ts";
import type { Opened } from "../dialects/dialect.ts";
import type { Caller, CallerLimits } from "../protocol/caller.ts";
import type { Credentials } from "../protocol/credentials.ts";
import { ProtocolError } from "../protocol/errors.ts";
import type { Accepted } from "../session/connection.ts";
import type { Place } from "../session/session-places.ts";
import { newSessionId } from "../session/sessions.ts";
import type { ConnectionTrace } from "../telemetry/tracing/tracing.ts";

/** A request for a session, whatever transport it comes by. */
export interface Arrival {
  /** Name of the transport, such as `websocket`. */
  readonly transport: string;
  /** Name of the dialect that is asked for. */
  readonly dialect: string;
  /** The `Host` header. */
  readonly host?: string | undefined;
  /** The `Origin` header, which browsers send. */
  readonly origin?: string | undefined;
  /** Path of the request, one of its route's; empty when the transport has none. */
  readonly path: string;
  /** The credentials that the client sent, wherever its dialect carries them. */
  readonly credentials: Credentials;
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

/** The server, as its transports use it to accept connections. */
export interface AdmissionHost {
  readonly config: Config;
  readonly admit: Admit;
  /** Returns why no caller can open a session now; undefined when one can. */
  unavailable(): ProtocolError | undefined;
  /** Returns why no stream of this kind can begin now; undefined when one can. */
  overloaded(opened: Opened): ProtocolError | undefined;
  /** Returns a place for a session of this caller, or why it cannot open one now. */
  claim(caller: Caller): Place | ProtocolError;
  /** A connection has been refused. */
  refused(code: string): void;
}

/** A connection that asks for a session. */
export interface Attempt {
  readonly arrival: Arrival;
  readonly trace: ConnectionTrace;
  /** Chooses the dialect and the pattern. Throws ProtocolError when there is none for this connection. */
  choose(): Opened;
  /** Opens the session before it returns. Returns why it cannot. */
  open(accepted: Accepted): ProtocolError | undefined;
}

/**
 * Opens a session for a connection: checks the server, the dialect and the caller, in this order. Returns the error
 * that the connection is refused with; undefined: the session is open. It is immediate unless admission takes its time.
 */
export function admitConnection(
  attempt: Attempt,
  host: AdmissionHost,
): ProtocolError | undefined | Promise<ProtocolError | undefined> {
  const unavailable = host.unavailable();
  if (unavailable !== undefined) return unavailable;
  const opened = chosen(attempt);
  if (opened instanceof ProtocolError) return opened;
  const finish = (caller: Caller | ProtocolError): ProtocolError | undefined => {
    if (caller instanceof ProtocolError) return caller;
    const overloaded = host.overloaded(opened);
    if (overloaded !== undefined) return overloaded;
    // Nothing may come between the claim and the opening of the session, which gives the place back at its end.
    const place = host.claim(caller);
    if (place instanceof ProtocolError) return place;
    let refused: ProtocolError | undefined;
    try {
      refused = attempt.open({ id: newSessionId(), caller, place, opened, trace: attempt.trace });
    } catch (error) {
      place.release();
      throw error;
    }
    if (refused !== undefined) place.release();
    return refused;
  };
  const admitted = host.admit(attempt.arrival);
  return admitted instanceof Promise ? admitted.then(finish) : finish(admitted);
}

function chosen(attempt: Attempt): Opened | ProtocolError {
  try {
    return attempt.choose();
  } catch (error) {
    if (error instanceof ProtocolError) return error;
    throw error;
  }
}
