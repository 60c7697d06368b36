import { describe, expect, test } from "bun:test";

import { encode, noise } from "../support/audio.ts";
import { S16_MONO } from "../support/peer.ts";
import { Desk } from "../support/session-harness.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const START = JSON.stringify({ request: "start", format: S16_MONO, trace_id: `00-${TRACE}-00f067aa0ba902b7-01` });
const STOP = JSON.stringify({ request: "stop" });

type Opened = ReturnType<Desk["start"]>;

/** Ways in which a stream ends, and the reason that its line gives. */
const ENDINGS: Readonly<Record<string, readonly [reason: string, end: (opened: Opened, desk: Desk) => void]>> = {
  "a stop": ["stop", ({ session }) => session.receive(STOP)],
  "another start": ["restart", ({ session }) => session.receive(START)],
  "a shutdown": ["drain", ({ session }) => session.drain()],
  "the end of a shutdown": ["drain", ({ session }) => session.cut()],
  "a message that is too big": ["limit", ({ session }) => session.receive(Buffer.alloc(2_000_000))],
  "audio of another format": ["error", ({ session }) => session.receive(Buffer.from("RIFF\0\0\0\0WAVEfmt "))],
  "a client that is gone": ["vanished", ({ session }) => session.vanished()],
  "a fault of ours": [
    "error",
    ({ session, peer }) => {
      peer.broken = true;
      session.cut();
    },
  ],
};

describe("the log has one line for the start of a stream and one for its end", () => {
  for (const [way, [reason, end]] of Object.entries(ENDINGS)) {
    test(`by ${way}`, async () => {
      using desk = new Desk();
      const opened = desk.open();
      opened.session.receive(START);
      opened.session.receive(encode("s16", noise(0.7)));
      desk.now += 1_500;
      end(opened, desk);
      await desk.answerAll();
      const lines = desk.log.filter(({ event, stream }) => String(event).startsWith("stream_") && stream === 0);
      expect(lines.map(({ event }) => event)).toEqual(["stream_started", "stream_stopped"]);
      const [started, stopped] = lines;
      expect(started).toMatchObject({ session: opened.session.id, trace_id: TRACE, pattern: "simple" });
      expect(stopped).toMatchObject({ session: opened.session.id, trace_id: TRACE, reason, seconds: 1.5 });
      expect(stopped?.["span_id"]).toBe(started?.["span_id"]);
      expect(stopped?.["level"]).toBe(reason === "vanished" ? "warning" : "info");
    });
  }

  test("with the ledger that the client was told", async () => {
    using desk = new Desk();
    const { session, peer } = desk.open();
    session.receive(START);
    session.receive(encode("s16", noise(0.7)));
    session.receive(Buffer.alloc(1));
    session.receive(STOP);
    await desk.answerAll();
    const told = peer.events.find((event) => event.type === "stopped");
    const [record] = desk.log.filter(({ event }) => event === "stream_stopped");
    expect(record).toMatchObject({ ledger: told?.channels, trailing_bytes: 1, skipped_bytes: 0 });
  });
});

test("a session is in the log at debug level alone, and a message not at all", async () => {
  using desk = new Desk();
  const { session } = desk.open();
  session.receive(START);
  for (let i = 0; i < 10; i++) session.receive(encode("s16", noise(0.1)));
  session.receive(STOP);
  await desk.answerAll();
  session.vanished();
  expect(desk.log.map(({ event, level }) => `${level} ${event}`)).toEqual([
    "debug session_opened",
    "info stream_started",
    "info stream_stopped",
    "debug session_closed",
  ]);
  expect(desk.log.at(-1)).toMatchObject({ code: 1006, reason: "client", streams: 1 });
});
