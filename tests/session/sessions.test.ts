import { describe, expect, test } from "bun:test";

import { Sessions } from "../../src/session/sessions.ts";
import { FaultSwitch } from "../support/faults/fault-switch.ts";
import { openLine } from "../support/line-dialect.ts";
import { Pipe } from "../support/pipe.ts";
import { SessionHarness } from "../support/session-harness.ts";

const audio = new Uint8Array(16_000);

/** Two sessions with an open stream each. */
function twoSessions(harness: SessionHarness): { sessions: Sessions; pipes: Pipe[] } {
  const sessions = new Sessions(harness.services);
  const pipes = [new Pipe(sessions, openLine("simple"), "one"), new Pipe(sessions, openLine("simple"), "two")];
  for (const pipe of pipes) pipe.write("open 16000", audio);
  return { sessions, pipes };
}

const crashes = (harness: SessionHarness): unknown[] => harness.log.filter(({ event }) => event === "session_crashed");

describe("a fault of the server in one session", () => {
  test.each(["Session.sweep", "SessionEnd.check", "Deadlines.expired", "Outbox.standsStill"])(
    "found while all are swept (%s) ends that session with internal, and the others are swept",
    async (name) => {
      using harness = new SessionHarness();
      const { sessions, pipes } = twoSessions(harness);
      const faults = new FaultSwitch();
      faults.arm(name, "throw", 0);
      sessions.sweep((harness.now = 500));
      expect(faults.fired).toBe(1);
      expect(pipes.map(({ closed }) => closed?.ending)).toEqual(["internal", undefined]);
      pipes[1]?.write("end");
      await harness.answerAll();
      expect(pipes[1]?.lines).toContain("done 8000");
      expect([crashes(harness).length, sessions.size, harness.arena.used]).toEqual([1, 0, 0]);
    },
  );

  test("in the middle of its end closes the connection nevertheless, and gives everything back", async () => {
    using harness = new SessionHarness();
    const { sessions, pipes } = twoSessions(harness);
    const faults = new FaultSwitch();
    await harness.answerAll();
    faults.arm("Outbox.close", "throw", 0);
    pipes[0]?.write("end");
    await harness.answerAll();
    pipes[0]?.finish();
    await harness.answerAll();
    expect(faults.fired).toBe(1);
    expect(pipes[0]?.closed?.ending).toBe("internal");
    pipes[1]?.cut();
    expect([sessions.size, harness.arena.used]).toEqual([0, 0]);
  });

  test.each(["Sessions.closed", "Session.disconnected", "SessionEnd.disconnect", "Conversation.abort"])(
    "when its connection is gone (%s) keeps neither its place nor its stream, and both ends are logged",
    async (name) => {
      using harness = new SessionHarness();
      const { sessions, pipes } = twoSessions(harness);
      const faults = new FaultSwitch();
      faults.arm(name, "throw", 0);
      expect(() => pipes[0]?.cut()).toThrow(`a fault made by the test at ${name}`);
      pipes[1]?.cut();
      await harness.runDeferred();
      const { arena, memory, log } = harness;
      expect([faults.fired, sessions.size, arena.used, memory.streams]).toEqual([1, 0, 0, 0]);
      for (const end of ["stream_stopped", "session_closed"]) {
        expect(log.filter(({ event }) => event === end)).toHaveLength(2);
      }
    },
  );
});
