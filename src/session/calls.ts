import type { Config } from "../config/config.ts";
import type { CallDetails, CallLine } from "../dialects/calls.ts";
import { isLoopbackAddress } from "../lib/ip-address.ts";
import type { Caller } from "../protocol/caller.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import { ProtocolError } from "../protocol/errors.ts";
import type { ServerEvent } from "../protocol/events.ts";
import { type CallExchange, type CallNews, CallRelay, type RelayHost } from "./call-relay.ts";
import { beginText, eventText, textOf, withoutAudio } from "./call-texts.ts";
import type { Accepted } from "./connection.ts";

/** The session of a connection that watches calls, as they use it. */
export interface WatchingSession {
  readonly load: { readonly outboxBytes: number };
  reply(messages: readonly string[]): void;
  /** Goes on after the end of a call: a shutdown may have waited for it. */
  pump(): void;
  /** Ends the session with an error. */
  evicted(message: string, code: ErrorCode): void;
  /** Ends the session after a fault of the server. */
  failed(error: unknown): void;
}

interface Watcher {
  readonly session: WatchingSession;
  /** The calls of this owner are watched. */
  readonly owner: string;
  /** Those with this name; undefined: all. */
  readonly call: string | undefined;
  /** Calls that were open before, and have not been reported to it. */
  readonly waiting: Set<OpenCall>;
}

/** A call whose connection is open, or whose last audio is being recognised. */
interface OpenCall {
  readonly owner: string;
  readonly session: string;
  readonly dialect: string;
  readonly details: CallDetails;
  /** It was open before it was watched in this process. */
  readonly joined: boolean;
  /** It is a call of another process. */
  readonly isRemote: boolean;
  /** The last `started` of its stream. */
  started: ServerEvent | undefined;
}

type Place = Omit<OpenCall, "details" | "started">;

/** Owner of the calls of all loopback addresses. A principal cannot have a name with blanks. */
const OWN_MACHINE = "the machine itself";
const LOST = "there was too much to report from other processes; some of it is lost";
const TOO_SLOW = "the results of calls are not read as fast as they come";

/**
 * The open calls, and the connections that watch them. A watcher gets the calls of its own principal; of callers without
 * one, those of its own address. It never holds a call back: one that does not read is ended.
 */
export class Calls implements RelayHost {
  readonly #limits: Config["limits"];
  readonly #open = new Set<OpenCall>();
  readonly #watchers = new Map<WatchingSession, Watcher>();

  readonly #relay: CallRelay | undefined;

  /** @param exchange the other processes of the server; undefined: there is one process */
  constructor(limits: Config["limits"], exchange?: CallExchange) {
    this.#limits = limits;
    this.#relay = exchange && new CallRelay(exchange, this);
  }

  /** Returns why a caller cannot watch calls now; undefined: it can. */
  refusal(caller: Caller): ProtocolError | undefined {
    const { max_watchers: all, max_watchers_per_caller: own } = this.#limits;
    if (this.#watchers.size >= all)
      return new ProtocolError("overloaded", `all ${all} places to watch calls are in use`);
    const owner = ownerOf(caller);
    const held = [...this.#watchers.values()].filter((watcher) => watcher.owner === owner).length;
    if (held < own) return undefined;
    return new ProtocolError("too_many_sessions", `you watch calls on ${held} connections; allowed: ${own}`);
  }

  /** Returns the line of the call that an accepted connection carries, if it carries one. */
  lineOf({ id, caller, opened: { dialect } }: Accepted): CallLine {
    return this.#line({ owner: ownerOf(caller), session: id, dialect, joined: false, isRemote: false });
  }

  /** Returns true when a call is open that a caller may watch. @param name of the call; undefined: any */
  anyOpen(caller: Caller, name: string | undefined): boolean {
    const watcher = { owner: ownerOf(caller), call: name };
    for (const call of this.#open) if (isFor(watcher, call)) return true;
    return false;
  }

  /** Returns what lets the session of an accepted connection watch; undefined: it does not. */
  watcherOf(session: WatchingSession, { caller, opened: { calls } }: Accepted): (() => void) | undefined {
    return calls?.role === "watches" ? () => this.watch(session, caller, calls.call) : undefined;
  }

  /** Lets a session have everything about calls from now on, and those that are open. */
  watch(session: WatchingSession, caller: Caller, call: string | undefined): void {
    const watched = { owner: ownerOf(caller), call };
    const waiting = new Set([...this.#open].filter((open) => isFor(watched, open)));
    const watcher = { session, ...watched, waiting };
    this.#send(watcher, textOf({ type: "watching", call: call ?? null }));
    this.#watchers.set(session, watcher);
    this.#introduce(watcher);
    // Calls of other processes follow, unless they are here already.
    this.#relay?.watchersChanged();
  }

  /** Reports open calls to those who have room for more of them by now. To be called a few times a second. */
  sweep(): void {
    for (const watcher of this.#watchers.values()) this.#introduce(watcher);
  }

  /** The connection of a session is gone. */
  forget(session: WatchingSession): void {
    if (this.#watchers.delete(session)) this.#relay?.watchersChanged();
  }

  owners(): ReadonlySet<string> {
    return new Set([...this.#watchers.values()].map(({ owner }) => owner));
  }

  *openCalls(owner: string): Generator<OpenCall, void> {
    for (const call of this.#open) if (call.owner === owner && !call.isRemote) yield call;
  }

  remoteLine(
    place: Pick<Place, "owner" | "session" | "dialect">,
    joined: boolean,
  ): ReturnType<RelayHost["remoteLine"]> {
    const { owner, session, dialect } = place;
    return this.#line({ owner, session, dialect, joined, isRemote: true });
  }

  lost(): void {
    for (const session of [...this.#watchers.keys()]) contain(session, () => session.evicted(LOST, "overloaded"));
  }

  #line(place: Place): ReturnType<RelayHost["remoteLine"]> {
    let call: OpenCall | undefined;
    let isOver = false;
    return {
      begin: (details) => {
        if (call !== undefined || isOver) return;
        call = { ...place, details, started: undefined };
        this.#open.add(call);
        const { owner, session, dialect } = call;
        this.#report(call, { kind: "begin", call: { owner, session, dialect, details }, joined: false });
        if (place.joined) this.#postpone(call);
        else this.#publish(call, (begun) => beginText(begun, false));
      },
      tell: (event) => {
        if (call === undefined || isOver) return;
        this.#report(call, { kind: "event", session: call.session, event: withoutAudio(event) });
        this.#publish(call, (open) => eventText(open, event));
        if (event.type === "started") call.started = event;
      },
      end: (reason: string) => {
        isOver = true;
        if (call === undefined || !this.#open.delete(call)) return;
        const { details, session } = call;
        this.#report(call, { kind: "end", session, reason });
        const text = textOf({ type: "call_ended", call: details.call, session_id: session, reason });
        for (const watcher of this.#publish(call, () => text)) {
          contain(watcher.session, () => watcher.session.pump());
        }
      },
    };
  }

  /** Reports something of an own call to other processes. */
  #report(call: OpenCall, news: CallNews): void {
    if (!call.isRemote) this.#relay?.send(call.owner, news);
  }

  /** Sends a text about a call to everybody who watches it. Returns those. @param write called if there is anybody */
  #publish(call: OpenCall, write: (call: OpenCall) => string): readonly Watcher[] {
    if (this.#watchers.size === 0) return [];
    const watchers = [...this.#watchers.values()].filter((watcher) => isFor(watcher, call));
    if (watchers.length === 0) return [];
    const text = write(call);
    for (const watcher of watchers) {
      this.#begin(watcher, call);
      this.#send(watcher, text);
    }
    return watchers;
  }

  /** Reports a call of another process that was open before, when there is room. */
  #postpone(call: OpenCall): void {
    for (const watcher of this.#watchers.values()) {
      if (!isFor(watcher, call)) continue;
      watcher.waiting.add(call);
      this.#introduce(watcher);
    }
  }

  /** Reports waiting calls as far as half of the outbox: all at once, thousands of them would overflow it. */
  #introduce(watcher: Watcher): void {
    const most = this.#limits.outbox_bytes / 2;
    for (const call of watcher.waiting) {
      if (watcher.session.load.outboxBytes > most) return;
      this.#begin(watcher, call);
    }
  }

  /** Reports that a call is open, unless the watcher knows. */
  #begin(watcher: Watcher, call: OpenCall): void {
    if (!watcher.waiting.delete(call)) return;
    this.#send(watcher, beginText(call, true));
    if (call.started !== undefined) this.#send(watcher, eventText(call, call.started));
  }

  #send({ session }: Watcher, text: string): void {
    contain(session, () => {
      session.reply([text]);
      // One message always fits.
      if (session.load.outboxBytes - text.length <= this.#limits.outbox_bytes) return;
      this.forget(session);
      session.evicted(TOO_SLOW, "slow_reader");
    });
  }
}

/** A fault at a watcher costs its session, and not the call. */
function contain(session: WatchingSession, act: () => void): void {
  try {
    act();
  } catch (error) {
    session.failed(error);
  }
}

/** Whose calls they are: a principal's, or an address's, where all of the machine itself are one. */
function ownerOf({ id, credential, address }: Caller): string {
  return credential === undefined && isLoopbackAddress(address) ? OWN_MACHINE : id;
}

function isFor({ owner, call }: Pick<Watcher, "owner" | "call">, open: OpenCall): boolean {
  return owner === open.owner && (call === undefined || call === open.details.call);
}
