import type { Caller } from "../protocol/caller.ts";
import { ProtocolError } from "../protocol/errors.ts";
import type { Services } from "../stream/services.ts";
import type { Accepted, Connection } from "./connection.ts";
import { Session } from "./session.ts";

/** Time after `limits.drain_timeout_ms` for the last events and the closes to leave. */
const GOODBYE_MS = 1_000;

/** Returns a new session id: 128 random bits, base64url. */
export function newSessionId(): string {
  return crypto.getRandomValues(new Uint8Array(16)).toBase64({ alphabet: "base64url", omitPadding: true });
}

/**
 * Every open session, whatever transport it came by. A session counts until its transport reports that the connection
 * is gone, which is after the session's own end when messages still wait to be taken.
 */
export class Sessions {
  readonly #services: Services;
  readonly #sessions = new Set<Session>();
  /** Open sessions by caller. */
  readonly #byCaller = new Map<string, number>();
  #draining = false;
  #emptied = Promise.withResolvers<void>();

  constructor(services: Services) {
    this.#services = services;
  }

  /** Sessions that are open. */
  get size(): number {
    return this.#sessions.size;
  }

  /** Returns why no session can be opened now; undefined when one can. */
  full(): ProtocolError | undefined {
    const { max_sessions } = this.#services.config.limits;
    if (this.#sessions.size < max_sessions) return undefined;
    return new ProtocolError("overloaded", `all ${max_sessions} sessions are in use`);
  }

  /** Returns why this caller cannot open a session now; undefined when it can. */
  refusal(caller: Caller): ProtocolError | undefined {
    const { maxSessions } = caller.limits;
    const own = this.#byCaller.get(caller.id) ?? 0;
    if (maxSessions === 0 || own < maxSessions) return this.full();
    return new ProtocolError("too_many_sessions", `you have ${own} sessions; allowed: ${maxSessions}`);
  }

  /**
   * Opens a session on a connection. The transport then calls `begin`, once it can route messages to the session, and
   * `closed` when the connection is gone.
   */
  open(connection: Connection, accepted: Accepted): Session {
    const { metrics } = this.#services;
    metrics.sessionOpened(accepted.opened.pattern.name);
    const session = new Session(connection, accepted, this.#services);
    const { id } = session.caller;
    this.#sessions.add(session);
    this.#byCaller.set(id, (this.#byCaller.get(id) ?? 0) + 1);
    return session;
  }

  /** Starts a session that its transport can now receive messages for. */
  begin(session: Session): void {
    if (this.#draining) session.drain();
    session.pump();
  }

  /** The connection of a session is gone. */
  closed(session: Session): void {
    session.disconnected();
    if (!this.#sessions.delete(session)) return;
    const { id } = session.caller;
    const left = (this.#byCaller.get(id) ?? 1) - 1;
    if (left > 0) this.#byCaller.set(id, left);
    else this.#byCaller.delete(id);
    if (this.#sessions.size === 0) this.#emptied.resolve();
  }

  /** Checks every session's time limits. To be called a few times a second. @param now milliseconds of the clock */
  sweep(now: number): void {
    for (const session of this.#sessions) session.sweep(now);
  }

  /** The state of all places that wait: sessions not being read, bytes not read, bytes that clients have not taken. */
  load(): { paused: number; inboxBytes: number; outboxBytes: number } {
    const total = { paused: 0, inboxBytes: 0, outboxBytes: 0 };
    for (const { load } of this.#sessions) {
      if (load.paused) total.paused += 1;
      total.inboxBytes += load.inboxBytes;
      total.outboxBytes += load.outboxBytes;
    }
    return total;
  }

  /**
   * Finishes what has been received, for at most `limits.drain_timeout_ms`; then errors name the rest. Resolves when
   * all connections are closed, or soon after that time. Sessions opened later drain at once.
   */
  async drain(): Promise<void> {
    const { drain_timeout_ms } = this.#services.config.limits;
    this.#draining = true;
    for (const session of this.#sessions) session.drain();
    if (this.#sessions.size === 0) return;
    this.#emptied = Promise.withResolvers<void>();
    const abort = setTimeout(() => {
      for (const session of this.#sessions) session.abortForShutdown();
    }, drain_timeout_ms);
    const giveUp = setTimeout(this.#emptied.resolve, drain_timeout_ms + GOODBYE_MS);
    await this.#emptied.promise;
    clearTimeout(abort);
    clearTimeout(giveUp);
  }
}
