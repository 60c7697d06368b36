import { describe, expect, test } from "bun:test";

import { encode, noise } from "../support/audio.ts";
import { startRequest, STOP } from "../support/requests.ts";
import { SessionHarness } from "../support/session-harness.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const START = startRequest({ trace_id: `00-${TRACE}-00f067aa0ba902b7-01` });

type Opened = ReturnType<SessionHarness["start"]>;

/** Ways in which a stream ends, and the reason that its line gives. */
const ENDINGS: Readonly<
  Record<string, readonly [reason: string, end: (opened: Opened, harness: SessionHarness) => void]>
> = {
  "a stop": ["stop", ({ session }) => session.receive(STOP)],
  "another start": ["restart", ({ session }) => session.receive(START)],
  "a shutdown": [
    "drain",
    ({ session }) => {
      session.drain(0);
      session.finish();
    },
  ],
  "the end of a shutdown": ["drain", ({ session }) => session.abortForShutdown()],
  "a message that is too big": ["limit", ({ session }) => session.receive(Buffer.alloc(2_000_000))],
  "audio of another format": ["error", ({ session }) => session.receive(Buffer.from("RIFF\0\0\0\0WAVEfmt "))],
  "a client that is gone": ["vanished", ({ session }) => session.disconnected()],
  "an internal fault": [
    "error",
    ({ session, connection }) => {
      connection.broken = true;
      session.abortForShutdown();
    },
  ],
};

describe("the log has one line for the start of a stream and one for its end", () => {
  for (const [way, [reason, end]] of Object.entries(ENDINGS)) {
    test(`by ${way}`, async () => {
      using harness = new SessionHarness();
      const opened = harness.open();
      opened.session.receive(START);
      opened.session.receive(encode("s16", noise(0.7)));
      harness.now += 1_500;
      end(opened, harness);
      await harness.answerAll();
      const lines = harness.log.filter(({ event, stream }) => String(event).startsWith("stream_") && stream === 0);
      expect(lines.map(({ event }) => event)).toEqual(["stream_started", "stream_stopped"]);
      const [started, stopped] = lines;
      expect(started).toMatchObject({ session: opened.session.id, trace_id: TRACE, pattern: "simple" });
      expect(stopped).toMatchObject({ session: opened.session.id, trace_id: TRACE, reason, seconds: 1.5 });
      expect(stopped?.["span_id"]).toBe(started?.["span_id"]);
      expect(stopped?.["level"]).toBe(reason === "vanished" ? "warning" : "info");
    });
  }

  test("has the same ledger as the client's stopped event", async () => {
    using harness = new SessionHarness();
    const { session, connection } = harness.open();
    session.receive(START);
    session.receive(encode("s16", noise(0.7)));
    session.receive(Buffer.alloc(1));
    session.receive(STOP);
    await harness.answerAll();
    const told = connection.events.find((event) => event.type === "stopped");
    const [record] = harness.log.filter(({ event }) => event === "stream_stopped");
    expect(record).toMatchObject({ ledger: told?.channels, trailing_bytes: 1, skipped_bytes: 0 });
  });
});

test("a session is in the log at debug level alone, and a message not at all", async () => {
  using harness = new SessionHarness();
  const { session } = harness.open();
  session.receive(START);
  for (let i = 0; i < 10; i++) session.receive(encode("s16", noise(0.1)));
  session.receive(STOP);
  await harness.answerAll();
  session.disconnected();
  expect(harness.log.map(({ event, level }) => `${level} ${event}`)).toEqual([
    "debug session_opened",
    "info stream_started",
    "info stream_stopped",
    "debug session_closed",
  ]);
  expect(harness.log.at(-1)).toMatchObject({ code: 1006, reason: "client", streams: 1 });
});
