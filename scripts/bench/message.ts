// Processor time of an audio message without sockets and workers: the session, its stream, the C library and the
// events. Real speech in messages of 100 ms, mono s16, from streams that take turns; jobs are answered at once.
//
//   bun run bench message [--streams 1000] [--seconds 20] [--rates 16000,48000] [--pattern segmented]
//
// The first half of the time is not counted: JavaScriptCore compiles the code. "main" is the processor time of the
// thread that handles the messages, "all" has the threads that compile and collect garbage, too.

import { parseArgs } from "node:util";

import { loadRecordings } from "../../src/commands/bench/plan.ts";
import { SessionHarness } from "../../tests/support/session-harness.ts";
import { printMachine } from "./support/machine.ts";

const { values } = parseArgs({
  options: {
    streams: { type: "string", default: "1000" },
    seconds: { type: "string", default: "20" },
    rates: { type: "string", default: "16000,48000" },
    pattern: { type: "string", default: "segmented" },
  },
});

const MESSAGE_MS = 100;
/** Size of the arena: enough for an utterance of every stream. */
const SLABS = 65_536;

/** Returns the messages of the built-in speech, each with an array of its own, as a socket would give them. */
async function messagesAt(sampleRate: number): Promise<Uint8Array[]> {
  const [recording] = await loadRecordings({
    path: undefined,
    formats: [{ sampleFormat: "s16", sampleRate, channels: 1 }],
    messageMs: MESSAGE_MS,
    pauseSeconds: 0,
  });
  // The audio is the end of a masked WebSocket frame; the mask in front of it is zero.
  return recording!.frames.map((frame) => frame.slice(frame.length - recording!.messageBytes));
}

async function measure(sampleRate: number): Promise<void> {
  const messages = await messagesAt(sampleRate);
  using harness = new SessionHarness({}, SLABS);
  Object.assign(harness.services, { clock: () => performance.now() });
  const format = { channels: 1, sample_rate: sampleRate, bit_depth: 16, is_float: false };
  let events = 0;
  const sessions = Array.from({ length: Number(values.streams) }, () => {
    const { session, connection } = harness.start(values.pattern, { format });
    connection.send = () => void (events += 1);
    return session;
  });
  const rounds = Math.round((Number(values.seconds) * 1000) / MESSAGE_MS);
  const counted = Math.floor(rounds / 2);
  let [main, all] = [process.threadCpuUsage(), process.cpuUsage()];
  for (let round = 0; round < rounds; round++) {
    if (round === counted) [main, all, events] = [process.threadCpuUsage(), process.cpuUsage(), 0];
    for (const [number, session] of sessions.entries()) {
      // A copy: each message of a socket has memory of its own.
      session.receive(messages[(round + number * 7) % messages.length]!.slice());
    }
    harness.nextTurn();
    await harness.answerAll();
  }
  const total = (rounds - counted) * sessions.length;
  const [usedMain, usedAll] = [process.threadCpuUsage(main), process.cpuUsage(all)];
  const micros = ({ user, system }: { user: number; system: number }) => ((user + system) / total).toFixed(2);
  const perMessage = (events / total).toFixed(3);
  console.log(
    `${sampleRate} Hz: main ${micros(usedMain)} us, all ${micros(usedAll)} us a message, ${perMessage} events`,
  );
}

printMachine();
for (const rate of values.rates.split(",")) await measure(Number(rate));
