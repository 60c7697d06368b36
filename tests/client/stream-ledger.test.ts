import { expect, test } from "bun:test";

import type { ReceivedEvent } from "../../src/client/event-reader.ts";
import { StreamLedger } from "../../src/client/stream-ledger.ts";
import type { SentTotals } from "../../src/client/stream-totals.ts";
import type { ServerEvent } from "../../src/client/types/events.ts";
import { startedEvent, stoppedEvent } from "../support/wire.ts";

const LEDGER = {
  ...{ channel: 0, received: 16_000, received_rate: 16_000, decoded: 16_000, inferred: 8_000, silent: 8_000 },
  ...{ failed: 0, segments: 1, interims: 0, errors: 0 },
};
const SEGMENT: ServerEvent = { type: "segment", channel: 0, start_time: 0, end_time: 0.5, is_final: true };

function received(event: ServerEvent, sent?: SentTotals): ReceivedEvent {
  return { event, text: "", receivedMs: 0, audio: undefined, sent };
}

test("the streams of a connection are checked one after the other, each with what was sent in it", () => {
  const ledger = new StreamLedger();
  for (const bytes of [32_000, 31_998]) {
    expect(ledger.add(received(startedEvent({})))).toBeUndefined();
    expect(ledger.add(received(SEGMENT))).toBeUndefined();
    const problems = ledger.add(received(stoppedEvent([LEDGER]), { bytes, resumptions: 0 }));
    expect(problems).toEqual(bytes === 32_000 ? [] : ["channel 0: received 16000 frames; sent: 15999"]);
  }
});

test("a stream whose start has not come is not called correct", () => {
  const stopped = received(stoppedEvent([LEDGER]), { bytes: 32_000, resumptions: 0 });
  expect(new StreamLedger().add(stopped)).toEqual(["the start of the stream is missing"]);
});

test("interims that came before a resumption are no difference", () => {
  const interim = { ...SEGMENT, is_final: false } as ServerEvent;
  const counted = (resumptions: number) => {
    const ledger = new StreamLedger();
    for (const event of [startedEvent({}), interim, SEGMENT]) ledger.add(received(event));
    return ledger.add(received(stoppedEvent([LEDGER]), { bytes: 32_000, resumptions }))?.length;
  };
  expect([counted(0), counted(1)]).toEqual([1, 0]);
});
