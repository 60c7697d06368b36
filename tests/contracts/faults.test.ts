import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { LEFT_OUT, SEAMS } from "../support/faults/boundaries.ts";
import { CallCounter } from "../support/faults/call-counter.ts";
import { FaultConversation } from "../support/faults/conversation.ts";
import { FAULT_MESSAGE, FaultSwitch } from "../support/faults/fault-switch.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

/** What gives something back: what it should have given back stays. */
const GIVES_BACK: readonly string[] = [
  ...Object.values(LEFT_OUT).flat(),
  "Headroom.leave",
  "Memory.leave",
  "MemoryPlace.leave",
];
const seams = SEAMS.filter(({ name }) => !GIVES_BACK.includes(name));
/** What logs the end of a session. */
const LOGS_CLOSE: readonly string[] = ["SessionLog.closed", "SessionLog.disconnected"];
/** A method is tried at so many of its calls, from the first one on. */
const MOST_CALLS = 6;
/** Time after the end of a conversation in which the timers of the server go on, milliseconds. */
const AFTER_MS = 3_000;
const SESSION_MS = 60_000;
const FINISH_MS = 10_000;
const STOP = JSON.stringify({ request: "stop", disconnect: true });

interface End {
  readonly of: (client: FaultConversation) => Promise<void> | void;
  /** The server closes the connection. */
  readonly closes: boolean;
}

/** How a conversation ends while an utterance waits for its answer. */
const ENDS: Readonly<Record<string, End>> = {
  "the client vanishes": { of: ({ socket }) => socket.vanish(), closes: false },
  "the client stops": {
    of: async ({ socket, harness }) => {
      socket.receive(STOP);
      await harness.answerAll();
    },
    closes: true,
  },
  "its calls fail, and the client stops": {
    of: ({ socket, harness }) => {
      while (harness.pendingJobs.length > 0) harness.fail();
      socket.receive(STOP);
    },
    closes: true,
  },
  "the session has its whole time": {
    of: async (client) => {
      await client.pass(SESSION_MS);
      await client.pass(FINISH_MS);
    },
    closes: true,
  },
  "the server shuts down": {
    of: async (client) => {
      client.each((session) => session.drain(0));
      client.each((session) => session.finish());
      await client.harness.runDeferred();
      client.each((session) => session.abortForShutdown());
    },
    closes: true,
  },
  "another session needs its memory": {
    of: (client) => client.each((session) => session.evicted("test")),
    closes: true,
  },
};

/** The calls of each method: up to the end of a conversation, and in all. */
async function countCalls(
  end: End,
): Promise<{ before: ReadonlyMap<string, number>; all: ReadonlyMap<string, number> }> {
  using client = new FaultConversation();
  using counter = new CallCounter(seams);
  await client.stream();
  const before = counter.counts;
  await end.of(client);
  await client.pass(AFTER_MS);
  const all = counter.counts;
  expect(await client.left()).toEqual({});
  return { before, all };
}

/** Lets a call of a method fail, and returns what should not have happened. */
async function problemsOf(end: End, name: string, skip: number): Promise<string[]> {
  using client = new FaultConversation();
  const faults = new FaultSwitch();
  faults.arm(name, "throw", skip);
  await client.stream();
  await end.of(client);
  await client.pass(AFTER_MS);
  faults.disarm();
  const { socket } = client;
  const left = await client.left();
  const count = (event: string): number => client.harness.log.filter((each) => each["event"] === event).length;
  const logged = client.harness.log.filter((each) => JSON.stringify(each).includes(FAULT_MESSAGE)).length;
  const problems: string[] = [];
  if (faults.fired !== 1) problems.push(`made ${faults.fired} times`);
  // What the handlers of the sockets throw, the server logs.
  if (logged + socket.thrown.length !== 1) problems.push(`reported ${logged + socket.thrown.length} times`);
  if (count("stream_started") !== count("stream_stopped")) problems.push("the end of the stream is not logged");
  if (count("session_opened") !== count("session_closed") && !LOGS_CLOSE.includes(name)) {
    problems.push("the end of the session is not logged");
  }
  if (end.closes && !socket.isClosedByServer) problems.push("the connection stays open");
  if (Object.keys(left).length > 0) problems.push(`is left: ${JSON.stringify(left)}`);
  return problems.map((problem) => `${name} after ${skip} calls: ${problem}`);
}

describe("a fault in any call of a conversation leaves nothing open, and is reported once", () => {
  test.each(Object.entries(ENDS))("at its end, when %s", async (_, end) => {
    const { before, all } = await countCalls(end);
    const problems: string[] = [];
    for (const [name, calls] of all) {
      const first = before.get(name) ?? 0;
      for (let skip = first; skip < Math.min(first + MOST_CALLS, calls); skip++) {
        problems.push(...(await problemsOf(end, name, skip)));
      }
    }
    expect(problems).toEqual([]);
  });

  test("up to its end", async () => {
    const end = ENDS["the client stops"]!;
    const { before } = await countCalls(end);
    const problems: string[] = [];
    for (const [name, calls] of before) {
      for (let skip = 0; skip < Math.min(MOST_CALLS, calls); skip++)
        problems.push(...(await problemsOf(end, name, skip)));
    }
    expect(problems).toEqual([]);
  });
});
