import { expect, test } from "bun:test";

import { StartRefused } from "../../src/client/errors.ts";
import { StartReplies } from "../../src/client/start-replies.ts";
import type { ErrorEvent } from "../../src/protocol/events.ts";
import { rejection, startedEvent } from "../support/wire.ts";

function errorEvent(fields: Partial<ErrorEvent> = {}): ErrorEvent {
  return { type: "error", code: "unknown_model", message: "no model x", fatal: false, ...fields };
}

test("a reply is known until the next start", async () => {
  const replies = new StartReplies();
  replies.sent();
  expect(replies.pending).toBe(true);
  replies.receive(startedEvent({ stream: 0 }));
  expect(replies.pending).toBe(false);
  expect((await replies.reply).stream).toBe(0);
  replies.sent();
  replies.receive(startedEvent({ stream: 1 }));
  expect((await replies.reply).stream).toBe(1);
});

test("of several starts, the reply to the last one counts", async () => {
  const replies = new StartReplies();
  replies.sent();
  const { reply } = replies;
  replies.sent();
  replies.receive(errorEvent());
  replies.receive(startedEvent({ stream: 1 }));
  expect((await reply).stream).toBe(1);
});

test("a fatal error that names no channel refuses the start, such as draining", async () => {
  const replies = new StartReplies();
  replies.sent();
  replies.receive(errorEvent({ code: "draining", fatal: true, channel: 0 }));
  expect(replies.pending).toBe(true);
  replies.receive(errorEvent({ code: "draining", fatal: true }));
  expect(await rejection(replies.reply)).toMatchObject({ event: { code: "draining" } });
});

test("an error is a refusal only if a start is pending, it names no channel, and its code refuses starts", async () => {
  const replies = new StartReplies();
  replies.receive(errorEvent());
  replies.sent();
  replies.receive(errorEvent({ code: "inference_failed" }));
  replies.receive(errorEvent({ channel: 0 }));
  expect(replies.pending).toBe(true);
  replies.receive(errorEvent());
  expect(await rejection(replies.reply)).toBeInstanceOf(StartRefused);
});

test("model_unavailable refuses a start, or takes the place of a result when it names a channel", async () => {
  const replies = new StartReplies();
  replies.sent();
  const unavailable = { code: "model_unavailable", retryable: true };
  replies.receive(errorEvent({ ...unavailable, channel: 0, start_time: 0, end_time: 1 }));
  expect(replies.pending).toBe(true);
  replies.receive(errorEvent({ ...unavailable, param: "model" }));
  expect(await rejection(replies.reply)).toMatchObject({ event: { code: "model_unavailable" } });
});

test("a failure rejects a pending reply and leaves one that has arrived", async () => {
  const replies = new StartReplies();
  replies.sent();
  replies.receive(startedEvent({}));
  replies.fail(new Error("closed"));
  expect((await replies.reply).type).toBe("started");
  replies.sent();
  replies.fail(new Error("closed"));
  expect(await rejection(replies.reply)).toEqual(new Error("closed"));
});
