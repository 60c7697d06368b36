import type { Opened } from "../../src/dialects/dialect.ts";
import type { Ended } from "../../src/protocol/ending.ts";
import { ProtocolError } from "../../src/protocol/errors.ts";
import type { Connection } from "../../src/session/connection.ts";
import type { Session } from "../../src/session/session.ts";
import { newSessionId, type Sessions } from "../../src/session/sessions.ts";
import { untracedConnection } from "../../src/telemetry/tracing/no-tracing.ts";

type Message = string | Uint8Array;

/** A transport in memory: one connection whose client is the test. Nothing of it is Bun's or a WebSocket's. */
export class Pipe implements Connection {
  /** Messages that the client has taken, in order. */
  readonly received: Message[] = [];
  /** The client takes messages as they come. */
  reading = true;
  /** The server takes messages as they come. */
  paused = false;
  closed: Ended | undefined;
  readonly #sessions: Sessions;
  readonly #session: Session;
  #outgoing: Message[] = [];
  #incoming: Message[] = [];

  constructor(sessions: Sessions, opened: Opened, caller = "pipe") {
    this.#sessions = sessions;
    const pipeCaller = { id: caller, address: "", limits: { maxSessions: 2 } };
    const place = sessions.claim(pipeCaller, opened);
    if (place instanceof ProtocolError) throw place;
    const accepted = {
      id: newSessionId(),
      caller: pipeCaller,
      place,
      opened,
      trace: untracedConnection(),
    };
    this.#session = sessions.open(this, accepted);
    sessions.begin(this.#session);
  }

  /** The texts that the client has taken. */
  get lines(): string[] {
    return this.received.filter((message) => typeof message === "string");
  }

  /** The binary messages that the client has taken. */
  get binaries(): Uint8Array[] {
    return this.received.filter((message) => typeof message !== "string");
  }

  /** The client sends messages. They wait while the server does not read. */
  write(...messages: Message[]): void {
    this.#incoming.push(...messages);
    this.#deliver();
  }

  /** The client reads all that waits. */
  read(): void {
    this.received.push(...this.#outgoing.splice(0));
    this.#session.writable();
    this.#closeIfWritten();
  }

  /** The client sends no more, but still reads. */
  finish(): void {
    this.#session.finished();
  }

  /** The client sends a ping of the transport. */
  ping(): void {
    this.#session.pinged();
  }

  /** The client vanishes. */
  cut(): void {
    using rest = new DisposableStack();
    rest.defer(() => this.#sessions.forget(this.#session));
    this.#sessions.closed(this.#session);
  }

  // The server's end.

  get buffered(): number {
    return this.#outgoing.reduce((sum, { length }) => sum + length, 0);
  }

  send(message: Message): void {
    if (this.closed !== undefined) throw new Error("pipe: a message after the close");
    if (this.reading && this.#outgoing.length === 0) this.received.push(message);
    else this.#outgoing.push(message);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    queueMicrotask(() => this.#deliver());
  }

  close(end: Ended): void {
    for (const message of end.last ?? []) this.send(message);
    this.closed = end;
    this.#incoming = [];
    this.#closeIfWritten();
  }

  #deliver(): void {
    while (!this.paused && this.closed === undefined) {
      const message = this.#incoming.shift();
      if (message === undefined) return;
      this.#session.receive(message);
    }
  }

  #closeIfWritten(): void {
    if (this.closed !== undefined && this.#outgoing.length === 0) this.cut();
  }
}
