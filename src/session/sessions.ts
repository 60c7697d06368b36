import type { Opened } from "../dialects/dialect.ts";
import type { Caller } from "../protocol/caller.ts";
import { ProtocolError } from "../protocol/errors.ts";
import { planRefusal } from "../stream/plan.ts";
import type { Services } from "../stream/services.ts";
import { CallConnection } from "./call-connection.ts";
import type { CallExchange } from "./call-relay.ts";
import { Calls } from "./calls.ts";
import type { Accepted, Connection, Violation } from "./connection.ts";
import type { Expired } from "./deadlines.ts";
import { firstDemand } from "./first-demand.ts";
import { openSessionHost, type SessionHost, type Watched } from "./session-host.ts";
import { LocalPlaces, type Place, type SessionPlaces } from "./session-places.ts";
import { Session } from "./session.ts";

/** Time, at the end of a shutdown, for the last events and the closes to reach the clients. */
export const GOODBYE_MS = 5_000;

const WITHDRAWN: Expired = { code: "unauthorized", message: "the token of this session is not valid any more" };

/** What is kept of one open session. */
interface OpenSession {
  readonly place: Place;
  /** Undefined: the session ends with its connection. */
  readonly call: CallConnection | undefined;
  /** Begins to watch calls; undefined: it does not. */
  readonly watch: (() => void) | undefined;
  /** Ends what those who watch it see of it. */
  readonly hangUp: () => void;
}

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
  readonly #host: SessionHost;
  readonly #places: SessionPlaces;
  readonly #calls: Calls;
  readonly #sessions = new Map<Session, OpenSession>();
  /** Sessions to call often. See `Session.tick`. */
  readonly #watched = new Set<Watched>();
  /** Most sessions open at a time, in this process. */
  limit: number;
  /** Time, in milliseconds, up to which streams may go on during the shutdown. Undefined: there is none. */
  #drainsUntil: number | undefined;
  #emptied = Promise.withResolvers<void>();

  /** @param places those of a server with several processes; default: there is one @param exchange the others */
  constructor(services: Services, places: SessionPlaces = new LocalPlaces(), exchange?: CallExchange) {
    this.#services = services;
    this.#places = places;
    this.#calls = new Calls(services.config.limits, exchange);
    this.limit = services.config.limits.max_sessions;
    this.#host = { ...openSessionHost(services, (session) => void this.#watched.add(session)), calls: this.#calls };
  }

  /** Sessions that are open. */
  get size(): number {
    return this.#sessions.size;
  }

  /** Returns why no session can be opened now; undefined when one can. */
  full(): ProtocolError | undefined {
    if (this.#sessions.size >= this.limit) return allInUse(this.limit);
    return this.#places.hasRoom() ? undefined : allInUse(this.#services.config.limits.max_sessions);
  }

  /** Returns why the first stream of a new connection could not begin now; undefined: as far as is known, it could. */
  refusal(opened: Opened, { limits }: Caller): ProtocolError | undefined {
    const { admission, models } = this.#services;
    if (opened.calls?.role === "watches") return undefined;
    const refused = opened.start && planRefusal(opened.start, opened.pattern, limits, this.#services);
    return refused ?? admission.refusal(firstDemand(opened, models), "upgrade");
  }

  /** Returns a place for a session of this caller, or why it cannot open one now. */
  claim(caller: Caller, opened?: Opened): Place | ProtocolError {
    const refusal = opened?.calls?.role === "watches" ? this.#calls.refusal(caller) : undefined;
    if (refusal !== undefined) return refusal;
    const place = this.#places.claim(caller);
    if (place === "all") return allInUse(this.#services.config.limits.max_sessions);
    if (place === "caller") {
      const { maxSessions } = caller.limits;
      return new ProtocolError("too_many_sessions", `you have ${maxSessions} sessions; allowed: ${maxSessions}`);
    }
    if (this.#sessions.size < this.limit) return place;
    place.release();
    return allInUse(this.limit);
  }

  /**
   * Opens a session on a connection. The transport then calls `begin`, once it can route messages to the session, and
   * `closed` when the connection is gone.
   */
  open(connection: Connection, accepted: Accepted): Session {
    const { metrics } = this.#services;
    const { opened, place } = accepted;
    const line = this.#calls.lineOf(accepted);
    const linked = { ...accepted, opened: { ...opened, create: (id: string) => opened.create(id, line) } };
    const isCall = opened.calls?.role === "carries";
    const call = isCall ? new CallConnection(connection, () => this.forget(session)) : undefined;
    const session: Session = new Session(call ?? connection, linked, this.#services, this.#host);
    try {
      metrics.sessionOpened(opened.pattern.name, opened.dialect);
      const watch = this.#calls.watcherOf(session, accepted);
      this.#sessions.set(session, { place, call, watch, hangUp: () => line.end("internal") });
      return session;
    } catch (error) {
      session.disconnected();
      throw error;
    }
  }

  /** Starts a session that its transport can now receive messages for. */
  begin(session: Session): void {
    this.#sessions.get(session)?.watch?.();
    if (this.#drainsUntil !== undefined) session.drain(this.#leftUntil(this.#drainsUntil));
    session.pump();
  }

  /**
   * The connection of a session is gone. See `Session.disconnected`. A transport calls `forget` afterwards, also when
   * this throws.
   */
  closed(session: Session, violation?: Violation): void {
    const call = this.#sessions.get(session)?.call;
    if (violation !== "message_too_big" && call?.gone() === true) return session.finished();
    using rest = new DisposableStack();
    rest.defer(() => this.forget(session, violation));
    session.disconnected(violation);
  }

  /**
   * Gives the place of a session back, and ends what a fault in `closed` has left open, such as its stream. A call may
   * outlive its connection.
   */
  forget(session: Session, violation?: Violation): void {
    const open = this.#sessions.get(session);
    if (open === undefined || open.call?.lingers === true) return;
    using rest = new DisposableStack();
    rest.defer(() => open.place.release());
    rest.defer(open.hangUp);
    rest.defer(() => this.#calls.forget(session));
    this.#sessions.delete(session);
    if (this.#sessions.size === 0) this.#emptied.resolve();
    session.disconnected(violation);
  }

  /** Checks every session's time limits. To be called a few times a second. @param now milliseconds of the clock */
  sweep(now: number): void {
    const { queuedBytes, outboxBytes } = this.load();
    this.#host.results.set(queuedBytes + outboxBytes);
    this.#each((session) => session.sweep(now));
    this.#calls.sweep();
  }

  /** Ends the sessions whose credential is not valid any more, after their open streams. */
  withdraw(isValid: (credential: string) => boolean): void {
    this.#each((session) => {
      const { credential } = session.caller;
      if (credential !== undefined && !isValid(credential)) session.finish(WITHDRAWN);
    });
  }

  /** Looks for clients that have stopped sending. To be called about ten times a second. See `Session.tick`. */
  tick(now: number): void {
    for (const session of this.#watched) {
      try {
        if (!session.tick(now)) this.#watched.delete(session);
      } catch (error) {
        this.#watched.delete(session);
        session.failed(error);
      }
    }
  }

  /** The state of all places that wait: sessions not being read; bytes not read, not answered, not taken by clients. */
  load(): { paused: number; inboxBytes: number; queuedBytes: number; outboxBytes: number } {
    const total = { paused: 0, inboxBytes: 0, queuedBytes: 0, outboxBytes: 0 };
    for (const { load } of this.#sessions.keys()) {
      if (load.paused) total.paused += 1;
      total.inboxBytes += load.inboxBytes;
      total.queuedBytes += load.queuedBytes;
      total.outboxBytes += load.outboxBytes;
    }
    return total;
  }

  /**
   * Shuts down. Streams go on until their clients stop them, for at most `limits.drain_timeout_ms` (0 with
   * `limits.drain: now`); then what has been received is finished, for at most `limits.finish_ms`; then errors name the
   * rest. Resolves when all connections are closed, or GOODBYE_MS after that time. Sessions opened later end at once.
   *
   * These times are those of the supervisor that waits, so they also run while the process is frozen.
   */
  async drain(): Promise<void> {
    const { clock, config } = this.#services;
    const { drain, drain_timeout_ms, finish_ms } = config.limits;
    const openMs = drain === "now" ? 0 : drain_timeout_ms;
    this.#drainsUntil = clock() + openMs;
    this.#each((session) => session.drain(openMs));
    if (openMs === 0) this.#finishDrain();
    if (this.#sessions.size === 0) return;
    this.#emptied = Promise.withResolvers<void>();
    const timers = [
      setTimeout(() => this.#finishDrain(), openMs),
      setTimeout(() => this.#abortForShutdown(), openMs + finish_ms),
      setTimeout(this.#emptied.resolve, openMs + finish_ms + GOODBYE_MS),
    ];
    await this.#emptied.promise;
    for (const timer of timers) clearTimeout(timer);
  }

  #finishDrain(): void {
    this.#each((session) => session.finish());
  }

  #abortForShutdown(): void {
    // Those who watch calls get the ends of these.
    this.#each((session) => this.#sessions.get(session)?.watch === undefined && session.abortForShutdown());
    this.#each((session) => session.abortForShutdown());
  }

  /** Calls a method of every session. One that throws ends its own session, and no other goes without its call. */
  #each(call: (session: Session) => unknown): void {
    for (const session of this.#sessions.keys()) {
      try {
        call(session);
      } catch (error) {
        session.failed(error);
      }
    }
  }

  /** Whole milliseconds from now to a time; 0 when it has passed. */
  #leftUntil(time: number): number {
    return Math.max(0, Math.round(time - this.#services.clock()));
  }
}

function allInUse(limit: number): ProtocolError {
  return new ProtocolError("overloaded", `all ${limit} sessions are in use`);
}
