import type { Config } from "../config/config.ts";
import type { Opened } from "../dialects/dialect.ts";
import { subscriberOf } from "../lib/ip-address.ts";
import type { Caller, CallerLimits } from "../protocol/caller.ts";
import type { Credentials } from "../protocol/credentials.ts";
import { ProtocolError } from "../protocol/errors.ts";
import type { Accepted } from "../session/connection.ts";
import type { Place } from "../session/session-places.ts";
import { newSessionId } from "../session/sessions.ts";
import type { ConnectionTrace } from "../telemetry/tracing/tracing.ts";

const UNLIMITED: CallerLimits = { maxSessions: 0, isExempt: true };

/** A request for a session, whatever transport it comes by. */
export interface Arrival {
  /** Name of the transport, such as `websocket`. */
  readonly transport: string;
  /** Name of the dialect that is asked for. */
  readonly dialect: string;
  /** Name or address that the client asked for, and port, as a trusted proxy reports it, else the `Host` header. */
  readonly host?: string | undefined;
  /** The `Origin` header, which browsers send. */
  readonly origin?: string | undefined;
  /** Path of the request, one of its route's; empty when the transport has none. */
  readonly path: string;
  /** The credentials that the client sent, wherever its dialect carries them. */
  readonly credentials: Credentials;
  /** The client's connection is encrypted, up to the server or a trusted proxy. */
  readonly tls: boolean;
  /** Network address in canonical form, as a trusted proxy reports it; empty when the transport has none. */
  readonly address: string;
  /** The client is a program of the machine itself, and no proxy that is trusted. Default: it is not. */
  readonly isLocal?: boolean;
}

/**
 * Identifies a client before anything is opened for it: returns the caller, or the error that refuses it, immediately
 * or later. The number of open sessions is checked again, synchronously, when the session is opened.
 */
export type Admit = (arrival: Arrival) => Caller | ProtocolError | Promise<Caller | ProtocolError>;

/**
 * Admits everybody. A caller is known by its network address, of IPv6 by the first 64 bits, and each has these limits.
 * Programs of the machine itself have none.
 */
export function admitByAddress(limits: CallerLimits): Admit {
  return ({ address, isLocal }) => ({
    id: subscriberOf(address),
    address,
    limits: isLocal === true ? UNLIMITED : limits,
  });
}

/** The server, as its transports use it to accept connections. */
export interface AdmissionHost {
  readonly config: Config;
  readonly admit: Admit;
  /** Returns why no caller can open a session now; undefined when one can. */
  unavailable(): ProtocolError | undefined;
  /** Returns why this caller's first stream could not begin now; undefined: as far as is known, it could. */
  refusal(opened: Opened, caller: Caller): ProtocolError | undefined;
  /** Returns a place for a session of this caller, or why it cannot open one now. */
  claim(caller: Caller, opened: Opened): Place | ProtocolError;
  /** A connection has been refused. */
  refused(code: string): void;
}

/** A connection that asks for a session. */
export interface Attempt {
  readonly trace: ConnectionTrace;
  /** Chooses the dialect and the pattern. Throws ProtocolError when there is none for this connection. */
  choose(caller: Caller): Opened;
  /** Opens the session before it returns. Returns why it cannot. */
  open(accepted: Accepted): ProtocolError | undefined;
}

/**
 * Opens a session for a connection: checks the caller, the server and the dialect, in this order, so that strangers learn
 * nothing about the server. Returns the error
 * that the connection is refused with; undefined: the session is open. It is immediate unless admission takes its time.
 */
export function admitConnection(
  attempt: Attempt & { readonly arrival: Arrival },
  host: AdmissionHost,
): ProtocolError | undefined | Promise<ProtocolError | undefined> {
  const finish = (caller: Caller | ProtocolError): ProtocolError | undefined =>
    caller instanceof ProtocolError ? caller : openSession(caller, attempt, host);
  const admitted = host.admit(attempt.arrival);
  return admitted instanceof Promise ? admitted.then(finish) : finish(admitted);
}

/** Opens a session for a caller that has been admitted. Returns the error that the connection is refused with. */
export function openSession(caller: Caller, attempt: Attempt, host: AdmissionHost): ProtocolError | undefined {
  const unavailable = host.unavailable();
  if (unavailable !== undefined) return unavailable;
  const opened = chosen(attempt, caller);
  if (opened instanceof ProtocolError) return opened;
  const refusal = host.refusal(opened, caller);
  if (refusal !== undefined) return refusal;
  // Nothing may come between the claim and the opening of the session, which gives the place back at its end.
  const place = host.claim(caller, opened);
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
}

function chosen(attempt: Attempt, caller: Caller): Opened | ProtocolError {
  try {
    return attempt.choose(caller);
  } catch (error) {
    if (error instanceof ProtocolError) return error;
    throw error;
  }
}
