// Fuzzing of the protocol in this process: sessions on a transport in memory, a model that the test answers for.

import { streamer } from "../../../src/dialects/streamer.ts";
import { parseEvent, type ServerEvent } from "../../../src/protocol/events.ts";
import { Sessions } from "../../../src/session/sessions.ts";
import { seeded } from "../audio.ts";
import { Pipe } from "../pipe.ts";
import { SessionHarness } from "../session-harness.ts";
import { ConversationModel, Violation } from "./conversation-model.ts";
import { type Corpus, type Path, PATHS, STRICT } from "./corpus.ts";
import { describeSent, HostileClient, type Sent } from "./grammar.ts";

/** Messages that were sent last, in the report of a failure. */
const REPORTED = 12;
const MOST_EVENTS = 20_000;
/** Longest pause of a client, less than the time limits of sessions. */
const MOST_PAUSE_MS = 500;

/** The server's side of sessions, for one after the other. */
export class FuzzedSessions implements Disposable {
  readonly harness = new SessionHarness({ "simple.block_ms": 100, "stateful.block_ms": 100, "limits.arena_mb": 64 });
  readonly sessions = new Sessions(this.harness.services);
  readonly corpus: Corpus;
  messages = 0;
  refusals = 0;
  streams = 0;
  /** Events of the server as they were parsed: most come again and again. */
  readonly #events = new Map<string, ServerEvent>();

  constructor(corpus: Corpus) {
    this.corpus = corpus;
    this.harness.addModel("strict", STRICT.strict);
  }

  /** Forgets what was kept to save time. */
  forget(): void {
    this.#events.clear();
    this.corpus.forget();
  }

  /** Parses and validates an event. */
  parse(text: string): ServerEvent {
    const known = this.#events.get(text);
    if (known !== undefined) return known;
    const event = parseEvent(text);
    if (event.type === "error" || event.type === "flushed") this.#events.set(text, event);
    if (this.#events.size > MOST_EVENTS) this.#events.clear();
    return event;
  }

  /**
   * Runs one session to its end. Throws an error that says how to repeat it, with the last messages.
   * @param seed of the corpus @param number of the session
   */
  async run(seed: number, number: number, messages: number): Promise<void> {
    const session = new FuzzedSession(this, (seed + Math.imul(number, 0x9e3779b1)) >>> 0);
    try {
      await session.run(messages);
    } catch (error) {
      const sent = session.last.map((message) => `  ${describeSent(message)}`).join("\n");
      const problem = error instanceof Error ? error.message : String(error);
      throw new Error(
        `session ${number} on /${session.path}: ${problem}\nlast messages:\n${sent}\nrepeat with ` +
          `STREAMER_SEED=${seed} STREAMER_FUZZ_SESSION=${number} bun test tests/contracts/hostile-messages.test.ts`,
        { cause: error },
      );
    }
    this.messages += session.sent;
    this.refusals += session.refusals;
    this.streams += session.streams;
  }

  [Symbol.dispose](): void {
    this.harness[Symbol.dispose]();
  }
}

class FuzzedSession {
  readonly path: Path;
  readonly last: Sent[] = [];
  sent = 0;
  readonly #host: FuzzedSessions;
  readonly #next: () => number;
  readonly #client: HostileClient;
  readonly #model: ConversationModel;
  readonly #pipe: Pipe;
  readonly #failures: number;
  #checked = 0;

  constructor(host: FuzzedSessions, seed: number) {
    this.#host = host;
    this.#next = seeded(seed);
    this.path = PATHS[Math.floor(this.#next() * PATHS.length)]!;
    this.#client = new HostileClient(this.#next, host.corpus);
    this.#model = new ConversationModel(this.path, (path, text) => host.corpus.judge(path, text));
    this.#failures = this.#next() < 0.5 ? 0 : 0.2;
    const url = `/api/v1/${this.path}`;
    const { config } = host.harness.services;
    this.#pipe = new Pipe(host.sessions, streamer.open(url, new Request(`http://localhost${url}`), config), `${seed}`);
  }

  get refusals(): number {
    return this.#model.refusals;
  }

  get streams(): number {
    return this.#model.streams;
  }

  async run(messages: number): Promise<void> {
    while (this.sent < messages && this.#model.closeCode === undefined) {
      this.#pipe.reading = this.#next() < 0.95;
      const burst = 1 + Math.floor(this.#next() * 60);
      for (let i = 0; i < burst && this.#model.closeCode === undefined; i++) {
        this.#send(this.#client.message(this.#model));
      }
      if (this.#next() < 0.6) await this.#answer();
      if (this.#next() < 0.3) this.#pass(Math.floor(this.#next() * MOST_PAUSE_MS));
    }
    await this.#end();
  }

  #send(message: Sent): void {
    this.last.push(message);
    if (this.last.length > REPORTED) this.last.shift();
    this.sent += 1;
    this.#model.sent(message);
    this.#pipe.write(message);
    this.#check();
  }

  /** Lets time pass: clients that pause may have asked for a flush. No limit is reached. */
  #pass(ms: number): void {
    const { harness, sessions } = this.#host;
    harness.now += ms;
    sessions.tick(harness.now);
    sessions.sweep(harness.now);
    this.#check();
  }

  /** Answers all jobs, in any order, some with failures. */
  async #answer(): Promise<void> {
    const { harness } = this.#host;
    this.#pipe.reading = true;
    while (this.#pipe.buffered > 0) this.#pipe.read();
    for (await harness.runDeferred(); harness.pendingJobs.length > 0; await harness.runDeferred()) {
      while (harness.pendingJobs.length > 0) {
        const job = Math.floor(this.#next() * harness.pendingJobs.length);
        if (this.#next() < this.#failures) harness.fail(job, "worker_crashed");
        else harness.answer(job);
      }
    }
    this.#check();
  }

  #check(): void {
    const { received } = this.#pipe;
    for (; this.#checked < received.length; this.#checked++) {
      const message = received[this.#checked];
      if (typeof message !== "string") throw new Violation("a binary message, which this model does not send");
      this.#model.received(this.#host.parse(message));
    }
  }

  /** Ends the session in one of the ways in which sessions end, and checks that nothing is left of it. */
  async #end(): Promise<void> {
    const roll = this.#next();
    if (roll < 0.5) this.#send('{"request":"stop"}');
    else if (roll < 0.7) this.#send('{"request":"stop","disconnect":true}');
    else if (roll < 0.8) {
      await this.#answer();
      this.#send(roll < 0.75 ? "x".repeat(65_537) : new Uint8Array(1_048_577));
    }
    if (roll < 0.9) {
      await this.#answer();
      this.#model.end(this.#pipe.closed?.code);
    }
    this.#pipe.cut();
    const { harness, sessions } = this.#host;
    sessions.tick(harness.now);
    await harness.runDeferred();
    const left = { sessions: sessions.size, slabs: harness.arena.used, jobs: harness.pendingJobs.length };
    if (left.sessions + left.slabs + left.jobs > 0) throw new Violation(`left behind: ${JSON.stringify(left)}`);
    const faults = harness.log.filter(({ level }) => level === "error");
    if (faults.length > 0) throw new Violation(`logged: ${JSON.stringify(faults[0])}`);
    harness.log.length = 0;
    harness.laneOwners.length = 0;
  }
}
