import type { CallDetails, CallLine } from "../dialects/calls.ts";
import type { ServerEvent } from "../protocol/events.ts";

/** A call as other processes know it. */
export interface RelayedCall {
  readonly owner: string;
  /** Id of its session. */
  readonly session: string;
  readonly dialect: string;
  readonly details: CallDetails;
}

/** What the processes of a server report to each other about calls. */
export type CallNews =
  /** The process has been started, and knows nothing of the others. */
  | { readonly kind: "hello" }
  /** The process has connections that watch calls of these owners, and of no others. */
  | { readonly kind: "watched"; readonly owners: readonly string[] }
  /** A call of an owner that somebody watches. `joined`: it was open before that. */
  | { readonly kind: "begin"; readonly call: RelayedCall; readonly joined: boolean }
  | { readonly kind: "event"; readonly session: string; readonly event: ServerEvent }
  | { readonly kind: "end"; readonly session: string; readonly reason: string }
  /** The process has left out some of these, because there were too many. */
  | { readonly kind: "lost" }
  /** The process has ended. Its supervisor says so. */
  | { readonly kind: "gone" };

/** The other processes of a server. */
export interface CallExchange {
  /** Sends news to all of them. */
  send(news: CallNews): void;
  /** Receives news, in the order in which a process has sent them. @param from number of that process */
  receive(receiver: (from: number, news: CallNews) => void): void;
}

/** The calls of this process, as the relay uses them. */
export interface RelayHost {
  /** Owners whose calls are watched here. */
  owners(): ReadonlySet<string>;
  /** Own calls of an owner that are open, with the last `started` of each. */
  openCalls(owner: string): Iterable<RelayedCall & { readonly started: ServerEvent | undefined }>;
  /** Returns the line of a call of another process. */
  remoteLine(call: RelayedCall, joined: boolean): CallLine & { end(reason: string): void };
  /** Something that watchers are to get is lost. */
  lost(): void;
}

/** Carries calls to the processes of a server in which they are watched. */
export class CallRelay {
  readonly #exchange: CallExchange;
  readonly #host: RelayHost;
  /** Owners that other processes watch. */
  readonly #watched = new Map<number, ReadonlySet<string>>();
  /** Calls of other processes, by session. */
  readonly #lines = new Map<string, { from: number; owner: string; line: ReturnType<RelayHost["remoteLine"]> }>();

  constructor(exchange: CallExchange, host: RelayHost) {
    this.#exchange = exchange;
    this.#host = host;
    exchange.receive((from, news) => this.#receive(from, news));
    exchange.send({ kind: "hello" });
  }

  /** An own call reports something. */
  send(owner: string, news: CallNews): void {
    for (const owners of this.#watched.values()) {
      if (owners.has(owner)) return this.#exchange.send(news);
    }
  }

  /** Others are watched here than before. */
  watchersChanged(): void {
    const owners = this.#host.owners();
    this.#exchange.send({ kind: "watched", owners: [...owners] });
    // Nothing more is reported of these.
    for (const [session, { owner, line }] of this.#lines) {
      if (owners.has(owner)) continue;
      this.#lines.delete(session);
      line.end("unwatched");
    }
  }

  #receive(from: number, news: CallNews): void {
    switch (news.kind) {
      case "hello":
        if (this.#host.owners().size > 0) this.watchersChanged();
        return;
      case "watched":
        return this.#setWatched(from, new Set(news.owners));
      case "begin":
        return this.#begin(from, news.call, news.joined);
      case "event":
        return this.#lines.get(news.session)?.line.tell(news.event);
      case "end":
        this.#lines.get(news.session)?.line.end(news.reason);
        this.#lines.delete(news.session);
        return;
      case "lost":
        return this.#host.lost();
      case "gone":
        return this.#gone(from);
    }
  }

  #setWatched(from: number, owners: ReadonlySet<string>): void {
    const before = this.#watched.get(from);
    this.#watched.set(from, owners);
    for (const owner of owners) {
      if (before?.has(owner) === true) continue;
      for (const { started, session, dialect, details } of this.#host.openCalls(owner)) {
        this.#exchange.send({ kind: "begin", call: { owner, session, dialect, details }, joined: true });
        if (started !== undefined) this.#exchange.send({ kind: "event", session, event: started });
      }
    }
  }

  #begin(from: number, call: RelayedCall, joined: boolean): void {
    if (this.#lines.has(call.session) || !this.#host.owners().has(call.owner)) return;
    const line = this.#host.remoteLine(call, joined);
    this.#lines.set(call.session, { from, owner: call.owner, line });
    line.begin(call.details);
  }

  #gone(from: number): void {
    this.#watched.delete(from);
    for (const [session, { from: owner, line }] of this.#lines) {
      if (owner !== from) continue;
      this.#lines.delete(session);
      line.end("internal");
    }
  }
}
