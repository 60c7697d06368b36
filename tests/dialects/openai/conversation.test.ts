import { expect, test } from "bun:test";

import fc from "fast-check";
import * as v from "valibot";

import { type Numbered, serverMessageSchema } from "../../../src/dialects/openai/messages.ts";
import { openai } from "../../../src/dialects/openai/route.ts";
import { Sessions } from "../../../src/session/sessions.ts";
import { encode, speech } from "../../support/audio.ts";
import { configure } from "../../support/in-process-server.ts";
import { Pipe } from "../../support/pipe.ts";
import { SessionHarness } from "../../support/session-harness.ts";

const TRANSCRIPTION = "conversation.item.input_audio_transcription";
const RATE = 24_000;
/** Speech with silence around it: pieces of it are cut anywhere. */
const AUDIO = encode("s16", speech([0.8, 0.5, 1.5, 0.4], { rate: RATE }));
const PIECE = 24_000;
const TEXTS = ["turn", "turn left", "turn left here", "turn right", "", "here"];

/** What a client does, and what the model does meanwhile. */
type Step =
  | { readonly do: "append"; readonly piece: number }
  | { readonly do: "commit" | "clear" | "manual" | "detect" | "language" }
  | { readonly do: "answer"; readonly job: number; readonly text: string }
  | { readonly do: "fail"; readonly job: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant("append"), piece: fc.nat(20) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom("commit", "clear", "manual", "detect", "language") }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("answer"), job: fc.nat(3), text: fc.constantFrom(...TEXTS) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("fail"), job: fc.nat(3) }) },
);

let languages = 0;

function messageOf({ do: what, ...more }: Step): string | undefined {
  const update = (input: object): string => {
    return JSON.stringify({ type: "session.update", session: { type: "transcription", audio: { input } } });
  };
  switch (what) {
    case "append": {
      const at = ("piece" in more ? more.piece : 0) * PIECE;
      const audio = Buffer.from(AUDIO.subarray(at, at + PIECE)).toString("base64");
      return JSON.stringify({ type: "input_audio_buffer.append", audio });
    }
    case "commit":
    case "clear":
      return JSON.stringify({ type: `input_audio_buffer.${what}` });
    case "manual":
      return update({ turn_detection: null });
    case "detect":
      return update({ turn_detection: { type: "server_vad", silence_duration_ms: 300 + (languages++ % 100) } });
    case "language":
      return update({ format: { type: "audio/pcm", rate: RATE }, transcription: { language: `x${languages++}` } });
    default:
      return undefined;
  }
}

/** Checks what holds in every conversation. */
function checkItems(messages: readonly Numbered[]): void {
  expect(messages.map(({ event_id }) => event_id)).toEqual(messages.map((_, n) => `event_${n + 1}`));
  const committed = messages.filter((message) => message.type === "input_audio_buffer.committed");
  const ids = committed.map(({ item_id }) => item_id);
  expect(committed.map(({ previous_item_id }) => previous_item_id)).toEqual(
    [null, ...ids.slice(0, -1)].slice(0, ids.length),
  );
  const ends = messages.filter(
    ({ type }) => type === `${TRANSCRIPTION}.completed` || type === `${TRANSCRIPTION}.failed`,
  );
  // Each item that was committed has one end, in order, and no other has one.
  expect(ends.map((message) => ("item_id" in message ? message.item_id : ""))).toEqual(ids);
  const ended = new Set<string>();
  const sent = new Map<string, string>();
  for (const message of messages) {
    if (!("item_id" in message)) continue;
    const { item_id: id } = message;
    expect(ended.has(id)).toBeFalse();
    if ("delta" in message) sent.set(id, (sent.get(id) ?? "") + message.delta);
    if ("transcript" in message || "error" in message) ended.add(id);
    // All deltas together are the transcript, unless it contradicts them.
    const deltas = sent.get(id) ?? "";
    if ("transcript" in message && message.transcript !== deltas) {
      expect(message.transcript.startsWith(deltas)).toBeFalse();
    }
  }
}

test("each item has one end, in order, and deltas that begin it, whatever a client and the model do", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      using harness = new SessionHarness();
      const url = "http://localhost/v1/realtime?intent=transcription";
      const pipe = new Pipe(
        new Sessions(harness.services),
        openai.open("/v1/realtime", new Request(url), configure({})),
      );
      const messages = () => pipe.lines.map((line) => v.parse(serverMessageSchema, JSON.parse(line)));
      for (const each of steps) {
        const message = messageOf(each);
        if (message !== undefined) pipe.write(message);
        else if (each.do === "answer" && harness.pendingJobs.length > each.job) {
          harness.answer(each.job, { output: { text: each.text } });
        } else if (each.do === "fail") harness.fail(each.job);
        await harness.runDeferred();
      }
      // What goes on is committed, and everything is answered.
      pipe.write(...Array.from({ length: 3 }, () => messageOf({ do: "append", piece: 1_000 }) ?? ""));
      pipe.write(messageOf({ do: "append", piece: 0 }) ?? "", messageOf({ do: "commit" }) ?? "");
      await harness.answerAll();
      const before = messages();
      pipe.cut();
      await harness.runDeferred();
      checkItems(before);
      expect(before.filter(({ type }) => type === "error").length).toBeLessThanOrEqual(steps.length);
      for (const record of harness.log.filter(({ event }) => event === "stream_stopped")) {
        const [ledger] = record["ledger"] as Record<string, number>[];
        expect(ledger!["decoded"]).toBe(ledger!["inferred"]! + ledger!["silent"]! + ledger!["failed"]!);
      }
      expect(harness.arena.used).toBe(0);
    }),
    { numRuns: 150 },
  );
});
