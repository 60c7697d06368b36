import { describe, expect, test } from "bun:test";

import { segmented } from "../../src/pipeline/segmented.ts";
import type { Caller } from "../../src/protocol/caller.ts";
import type { CallExchange, CallNews } from "../../src/session/call-relay.ts";
import { Calls } from "../../src/session/calls.ts";
import { untracedConnection } from "../../src/telemetry/tracing/no-tracing.ts";
import { configure, type Settings } from "../support/in-process-server.ts";

const caller = (id: string, credential?: string, address = "192.0.2.1"): Caller => ({
  id,
  address,
  limits: { maxSessions: 0 },
  credential,
});
const ALICE = caller("alice", "hash of alice");
const BOB = caller("bob", "hash of bob");
const ACTIVE = { type: "active", time: 1, channel: 0 } as const;

/** A session that watches, which is a list of what it got. */
class FakeWatcher {
  readonly texts: string[] = [];
  readonly ends: string[] = [];
  load = { outboxBytes: 0 };
  pumps = 0;
  /** It fails at each message. */
  broken = false;
  /** It reads nothing by itself. */
  keeps = false;

  reply(messages: readonly string[]): void {
    if (this.broken) throw new Error("a fault of the test");
    this.texts.push(...messages);
    if (this.keeps) for (const text of messages) this.load.outboxBytes += text.length;
  }

  pump(): void {
    this.pumps += 1;
  }

  evicted(_message: string, code: string): void {
    this.ends.push(code);
  }

  failed(): void {
    this.ends.push("failed");
  }

  /** What it got in short. */
  get told(): string[] {
    return this.texts.map((text) => {
      const { type, call, event, joined } = JSON.parse(text) as Record<string, { type?: string } | string | boolean>;
      const what = typeof event === "object" ? `${String(type)} ${event.type}` : String(type);
      return `${what} ${String(call)}${joined === true ? " joined" : ""}`;
    });
  }
}

/** The processes of one server, whose news arrive at once and in order, as they do through a supervisor. */
class Processes {
  readonly #receivers = new Map<number, (from: number, news: CallNews) => void>();

  open(number: number, settings: Settings = {}): Calls {
    const exchange: CallExchange = {
      send: (news) => {
        for (const [other, receive] of this.#receivers) if (other !== number) receive(number, structuredClone(news));
      },
      receive: (receiver) => void this.#receivers.set(number, receiver),
    };
    return new Calls(configure(settings).limits, exchange);
  }

  /** The supervisor reports something of a process. */
  report(from: number, news: CallNews): void {
    for (const [other, receive] of this.#receivers) if (other !== from) receive(from, news);
  }
}

let sessions = 0;

/** The line of a call. */
function lineOf(calls: Calls, owner: Caller) {
  const place = { release: () => undefined };
  const opened = {
    dialect: "twilio",
    pattern: segmented,
    traits: { maxTextBytes: 1, binaryIsAudio: false, pingsCount: false },
    create: () => expect.unreachable(),
  };
  return calls.lineOf({ id: `session-${sessions++}`, caller: owner, place, opened, trace: untracedConnection() });
}

describe("the calls of a process", () => {
  test("are reported to whoever watches them, by principal and by name, from the begin on or from joining on", () => {
    const calls = new Calls(configure().limits);
    const [all, one, foreign, late] = [new FakeWatcher(), new FakeWatcher(), new FakeWatcher(), new FakeWatcher()];
    calls.watch(all, ALICE, undefined);
    calls.watch(one, ALICE, "CA2");
    calls.watch(foreign, BOB, undefined);
    const lines = [lineOf(calls, ALICE), lineOf(calls, ALICE)];
    lines[0]?.tell(ACTIVE);
    lines.forEach((line, n) => line.begin({ call: `CA${n + 1}` }));
    lines.forEach((line) => line.tell(ACTIVE));
    calls.watch(late, ALICE, undefined);
    lines[0]?.end("stop");
    lines[0]?.tell(ACTIVE);
    lines[0]?.end("internal");
    expect(all.told).toEqual([
      "watching null",
      "call CA1",
      "call CA2",
      "call_event active CA1",
      "call_event active CA2",
      "call_ended CA1",
    ]);
    expect(one.told).toEqual(["watching CA2", "call CA2", "call_event active CA2"]);
    expect(foreign.told).toEqual(["watching null"]);
    expect(late.told).toEqual(["watching null", "call CA1 joined", "call CA2 joined", "call_ended CA1"]);
  });

  test("of the machine itself are one caller's, if nobody shows a token", () => {
    const calls = new Calls(configure().limits);
    const watcher = new FakeWatcher();
    calls.watch(watcher, caller("::1", undefined, "::1"), undefined);
    lineOf(calls, caller("127.0.0.1", undefined, "127.0.0.1")).begin({ call: "local" });
    lineOf(calls, caller("192.0.2.1")).begin({ call: "elsewhere" });
    for (const name of ["alice", "loopback"]) {
      lineOf(calls, caller(name, "hash", "127.0.0.1")).begin({ call: "of a principal" });
    }
    expect(watcher.told).toEqual(["watching null", "call local"]);
  });

  test("that were open before are reported as a watcher reads, and before anything that happens in them", () => {
    const calls = new Calls(configure({ "limits.outbox_bytes": 4_096 }).limits);
    const lines = Array.from({ length: 1_000 }, (_, n) => {
      const line = lineOf(calls, ALICE);
      line.begin({ call: `CA${n}` });
      return line;
    });
    const watcher = new FakeWatcher();
    watcher.keeps = true;
    calls.watch(watcher, ALICE, undefined);
    lines[900]?.tell(ACTIVE);
    lines[901]?.end("stop");
    const { length } = watcher.told;
    expect(length).toBeLessThan(50);
    expect(watcher.told.slice(-4)).toEqual([
      "call CA900 joined",
      "call_event active CA900",
      "call CA901 joined",
      "call_ended CA901",
    ]);
    for (let look = 0; look < 100; look += 1) {
      watcher.load.outboxBytes = 0;
      calls.sweep();
    }
    expect(watcher.ends).toEqual([]);
    expect(watcher.told.filter((text) => text.endsWith(" joined"))).toHaveLength(1_000);
    expect(new Set(watcher.told).size).toBe(watcher.told.length);
  });

  test("end a watcher that does not read, or fails, and nothing else", () => {
    const limits = configure({ "limits.outbox_bytes": 4_096 }).limits;
    const calls = new Calls(limits);
    const [slow, broken, good] = [new FakeWatcher(), new FakeWatcher(), new FakeWatcher()];
    for (const watcher of [slow, broken, good]) calls.watch(watcher, ALICE, undefined);
    slow.load = { outboxBytes: 5_000 };
    broken.broken = true;
    const line = lineOf(calls, ALICE);
    line.begin({ call: "CA1" });
    line.tell(ACTIVE);
    expect([slow.ends, slow.told]).toEqual([["slow_reader"], ["watching null", "call CA1"]]);
    expect(broken.ends).toEqual(["failed", "failed"]);
    expect(good.told).toEqual(["watching null", "call CA1", "call_event active CA1"]);
  });

  test("have room for so many watchers in all, and of one caller", () => {
    const calls = new Calls(configure({ "limits.max_watchers": 2, "limits.max_watchers_per_caller": 1 }).limits);
    const first = new FakeWatcher();
    calls.watch(first, ALICE, undefined);
    expect([calls.refusal(ALICE)?.code, calls.refusal(BOB)]).toEqual(["too_many_sessions", undefined]);
    calls.watch(new FakeWatcher(), BOB, undefined);
    expect(calls.refusal(caller("carol", "hash"))?.code).toBe("overloaded");
    calls.forget(first);
    expect(calls.refusal(ALICE)).toBeUndefined();
  });

  test("let those who watch them know when none is open any more", () => {
    const calls = new Calls(configure().limits);
    const watcher = new FakeWatcher();
    calls.watch(watcher, ALICE, "CA1");
    const [mine, other] = [lineOf(calls, ALICE), lineOf(calls, ALICE)];
    mine.begin({ call: "CA1" });
    other.begin({ call: "CA2" });
    expect([calls.anyOpen(ALICE, "CA1"), watcher.pumps]).toEqual([true, 0]);
    mine.end("stop");
    expect([calls.anyOpen(ALICE, "CA1"), watcher.pumps]).toEqual([false, 1]);
    expect([calls.anyOpen(ALICE, undefined), calls.anyOpen(BOB, undefined)]).toEqual([true, false]);
  });
});

describe("the calls of several processes", () => {
  test("are reported wherever they are watched, whichever came first", () => {
    const processes = new Processes();
    const [here, there] = [processes.open(1), processes.open(2)];
    const early = lineOf(there, ALICE);
    early.begin({ call: "early" });
    early.tell({ type: "started" } as never);
    const [watcher, foreign] = [new FakeWatcher(), new FakeWatcher()];
    here.watch(watcher, ALICE, undefined);
    here.watch(foreign, BOB, undefined);
    const late = lineOf(there, ALICE);
    late.begin({ call: "late" });
    late.tell(ACTIVE);
    early.end("stop");
    late.end("drain");
    expect(watcher.told).toEqual([
      "watching null",
      "call early joined",
      "call_event started early",
      "call late",
      "call_event active late",
      "call_ended early",
      "call_ended late",
    ]);
    expect(foreign.told).toEqual(["watching null"]);
  });

  test("are reported to those who join where others watch already, and to processes that start later", () => {
    const processes = new Processes();
    const [here, there] = [processes.open(1), processes.open(2)];
    const line = lineOf(there, ALICE);
    here.watch(new FakeWatcher(), ALICE, undefined);
    line.begin({ call: "CA1" });
    const [joined, again] = [new FakeWatcher(), new FakeWatcher()];
    here.watch(joined, ALICE, undefined);
    expect(joined.told).toEqual(["watching null", "call CA1 joined"]);
    const third = lineOf(processes.open(3), ALICE);
    third.begin({ call: "CA3" });
    expect(joined.told.at(-1)).toBe("call CA3");
    here.watch(again, ALICE, "CA3");
    expect(again.told).toEqual(["watching CA3", "call CA3 joined"]);
  });

  test("end when their process does; nothing is reported to where nobody watches any more", () => {
    const processes = new Processes();
    const [here, there] = [processes.open(1), processes.open(2)];
    const watcher = new FakeWatcher();
    here.watch(watcher, ALICE, undefined);
    lineOf(there, ALICE).begin({ call: "CA1" });
    processes.report(2, { kind: "gone" });
    expect(watcher.texts.at(-1)).toContain('"reason":"internal"');
    here.forget(watcher);
    const next = new FakeWatcher();
    here.watch(next, ALICE, undefined);
    expect(next.told).toEqual(["watching null", "call CA1 joined"]);
  });

  test("end those who watch them when some of it is lost on the way", () => {
    const processes = new Processes();
    const here = processes.open(1);
    const watcher = new FakeWatcher();
    here.watch(watcher, ALICE, undefined);
    processes.report(2, { kind: "lost" });
    expect(watcher.ends).toEqual(["overloaded"]);
  });
});
