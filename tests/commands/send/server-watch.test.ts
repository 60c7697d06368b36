import { expect, test } from "bun:test";

import type { ConnectionError } from "../../../src/client/errors.ts";
import {
  ServerWatch,
  type StreamPhase,
  type WaitLimits,
  type WatchedClient,
} from "../../../src/commands/send/server-watch.ts";
import { Screen } from "../../../src/commands/terminal/screen.ts";
import type { Started } from "../../../src/protocol/events.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { MemoryOutput } from "../../support/memory-output.ts";
import { startedEvent } from "../../support/wire.ts";

/** A watch with the limits 10 s and 60 s, and a client whose numbers the test sets. */
class Watched {
  readonly clock = new ManualClock();
  readonly terminal = new MemoryOutput({ isTerminal: true });
  readonly watch: ServerWatch;
  readonly start = Promise.withResolvers<Started>();
  receivedMessages = 0;
  sentBytes = 0;
  bufferedBytes = 0;
  heartbeats = 0;
  pings = 0;
  /** The server answers pings. */
  answers = true;
  phase: StreamPhase = "audio";
  readonly results = { owesResults: false, answers: 0 };
  aborted: ConnectionError | undefined;

  constructor(limits: WaitLimits = { startedMs: 10_000, eventMs: 60_000 }) {
    const screen = new Screen(this.terminal, this.terminal, { colour: false });
    this.watch = new ServerWatch(this.clock, limits, screen);
  }

  connected(): this {
    const client: WatchedClient = {
      receivedMessages: 0,
      sentBytes: 0,
      bufferedBytes: 0,
      heartbeat: { received: 0, ping: () => this.#ping() },
      started: () => this.start.promise,
      abort: (error) => (this.aborted = error),
    };
    const numbers = ["receivedMessages", "sentBytes", "bufferedBytes"] as const;
    for (const name of numbers) Object.defineProperty(client, name, { get: () => this[name] });
    Object.defineProperty(client.heartbeat, "received", { get: () => this.heartbeats });
    this.watch.follow(client, () => this.phase, this.results);
    return this;
  }

  async started(): Promise<this> {
    this.connected().start.resolve(startedEvent({}));
    await this.start.promise;
    await Promise.resolve();
    return this;
  }

  /** Lets time pass, as the timer of the watch divides it. */
  wait(seconds: number, each = () => {}): this {
    for (let i = 0; i < seconds * 4; i++) {
      this.clock.advance(250);
      each();
      this.watch.check();
    }
    return this;
  }

  #ping(): void {
    this.pings += 1;
    if (this.answers) this.heartbeats += 1;
  }

  /** The message of a server that did not respond in time. */
  get failure(): string | undefined {
    return (this.watch.signal.reason as ConnectionError | undefined)?.message;
  }

  /** The line that the terminal shows now. */
  get shown(): string {
    return Bun.stripANSI(this.terminal.writes.at(-1) ?? "").trim();
  }
}

test("a server that does not answer is given up after 10 s", () => {
  const watched = new Watched().wait(9.75);
  expect(watched.failure).toBeUndefined();
  expect(watched.wait(0.25).failure).toBe("the server did not answer within 10 s");
  expect(watched.watch.expiredBeforeStart).toBe(true);
});

test("a server that accepts the connection and starts no stream is given up 10 s after the start of connecting", () => {
  const watched = new Watched().wait(5).connected().wait(4.75);
  expect(watched.failure).toBeUndefined();
  expect(watched.wait(0.25).aborted?.message).toBe("the server did not start the stream within 10 s");
  expect(watched.watch.expiredBeforeStart).toBe(true);
});

test("a stream that owes nothing may be silent for any time while the server answers a ping each second", async () => {
  const watched = await new Watched().started();
  expect(watched.wait(3600).failure).toBeUndefined();
  expect(watched.pings).toBe(3600);
});

test("a server that answers no ping is given up after 60 s, however much audio the network takes", async () => {
  const watched = await new Watched().started();
  watched.wait(10);
  watched.answers = false;
  watched.wait(59, () => (watched.sentBytes += 8000));
  expect(watched.failure).toBeUndefined();
  watched.wait(2, () => (watched.sentBytes += 8000));
  expect(watched.aborted?.message).toBe("the server sent no event and answered no ping within 60 s");
  expect(watched.watch.expiredBeforeStart).toBe(false);
});

test("a server that reads no pings and sends its own, or events, is waited for", async () => {
  for (const name of ["heartbeats", "receivedMessages"] as const) {
    const watched = await new Watched().started();
    watched.answers = false;
    for (let i = 0; i < 20; i++) {
      watched[name] += 1;
      expect(watched.wait(50).failure).toBeUndefined();
    }
  }
});

test("a server that takes what had to wait is waited for, also when it answers no ping yet", async () => {
  const watched = await new Watched().started();
  watched.answers = false;
  watched.sentBytes = watched.bufferedBytes = 1000;
  watched.wait(50);
  watched.bufferedBytes = 0;
  expect(watched.wait(59).failure).toBeUndefined();
  watched.wait(2);
  expect(watched.aborted?.message).toContain("answered no ping within 60 s");
});

test("nothing is waited for when the stream has stopped", async () => {
  const watched = await new Watched().started();
  watched.answers = false;
  watched.wait(50).phase = "stopped";
  expect(watched.wait(600).failure).toBeUndefined();
});

test("a limit shorter than the time between two looks leaves time for an answer", async () => {
  const watched = await new Watched({ startedMs: 10_000, eventMs: 10 }).started();
  expect(watched.wait(60).failure).toBeUndefined();
  watched.answers = false;
  expect(watched.wait(1).aborted?.message).toContain("answered no ping within 0.01 s");
});

test("a server that owes results and sends no event is given up after 60 s, counted from the last one", async () => {
  const watched = await new Watched().wait(9).started();
  watched.phase = "results";
  watched.wait(59);
  watched.receivedMessages += 1;
  watched.wait(59.75);
  expect(watched.failure).toBeUndefined();
  watched.wait(1);
  expect(watched.aborted?.message).toBe("the server sent no event within 60 s, although results are owed");
  expect(watched.watch.expiredBeforeStart).toBe(false);
});

test("a slow server that still takes audio is waited for, one that takes none is given up after 60 s", async () => {
  const watched = await new Watched().started();
  watched.sentBytes = 10_000_000;
  watched.bufferedBytes = 1_000_000;
  watched.wait(600, () => (watched.bufferedBytes -= 100));
  expect(watched.failure).toBeUndefined();
  // More is sent, with the headers of its messages, and nothing is taken.
  watched.wait(61, () => {
    watched.sentBytes += 100;
    watched.bufferedBytes += 104;
  });
  expect(watched.aborted?.message).toBe("the server took no audio and sent no event within 60 s");
});

test("a wait of some seconds is shown on a terminal until it ends", async () => {
  const watched = await new Watched().started();
  watched.phase = "results";
  expect(watched.wait(2.75).shown).toBe("");
  expect(watched.wait(1).shown).toBe("waiting for results: 3 s of at most 60 s");
  expect(watched.wait(1).shown).toBe("waiting for results: 4 s of at most 60 s");
  watched.receivedMessages += 1;
  expect(watched.wait(0.25).shown).toBe("");
});

test("time in which this program was frozen does not count", async () => {
  const watched = await new Watched().started();
  watched.phase = "results";
  watched.wait(10);
  watched.clock.advance(3_600_000);
  watched.watch.check();
  expect(watched.wait(49).failure).toBeUndefined();
  expect(watched.wait(1).failure).toContain("within 60 s");
});

test("results that are owed while audio is sent to a live server are shown after 3 s, and never given up", async () => {
  const watched = await new Watched().started();
  watched.wait(10);
  expect(watched.shown).toBe("");
  watched.results.owesResults = true;
  watched.wait(3);
  expect(watched.shown).toBe("");
  watched.wait(0.25);
  expect(watched.shown).toBe("waiting for results: 3 s");
  watched.results.answers = 1;
  watched.wait(2);
  expect(watched.shown).toBe("");
  watched.wait(120);
  expect(watched.shown).toBe("waiting for results: 121 s");
  expect(watched.failure).toBeUndefined();
  watched.results.owesResults = false;
  expect(watched.wait(0.25).shown).toBe("");
});
