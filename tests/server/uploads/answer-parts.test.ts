import { expect, test } from "bun:test";

import { answerHead } from "../../../src/dialects/files/answer.ts";
import { AnswerParts } from "../../../src/server/uploads/answer-parts.ts";

test("a client that waits for a part of a streamed answer is reported behind the send that gives it, not within", async () => {
  const calls: string[] = [];
  const begun = Promise.withResolvers<ReadableStream<Uint8Array>>();
  const reader = { taken: () => calls.push("taken"), left: () => calls.push("left") };
  const parts = new AnswerParts(reader, (_, body) => {
    if (typeof body !== "string") begun.resolve(body);
  });
  parts.send(answerHead({ status: 200, headers: {}, streamed: true }) as string);
  const body = (await begun.promise).getReader();
  const first = body.read();
  await Bun.sleep(0);
  calls.length = 0;
  parts.send("one");
  calls.push("sent");
  expect(Buffer.from((await first).value ?? "").toString()).toBe("one");
  await Bun.sleep(0);
  expect(calls).toEqual(["sent", "taken"]);
  parts.end();
});
