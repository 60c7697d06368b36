// Conversations through AssemblyAI's SDK for JavaScript, unmodified, at once. Usage: AUDIO CONVERSATIONS AS JSON
// A conversation is `{ name, url, key, parameters }`; one that `waits` does not end by itself. Prints what the
// application sees, as lines of JSON with the name of the conversation.

import { readFile } from "node:fs/promises";

import { AssemblyAI } from "assemblyai";

const [file, conversations] = process.argv.slice(2);
/** Bytes of a message: 50 ms of 16 kHz, 16 bit. */
const PIECE = 1_600;

const audio = await readFile(file);
await Promise.all(JSON.parse(conversations).map(converse));
process.exit(0);

async function converse({ name, url, key, parameters, waits }) {
  const print = (line) => console.log(JSON.stringify({ name, ...line }));
  const partial = withResolvers();
  const closed = withResolvers();
  const client = new AssemblyAI({ apiKey: key });
  const transcriber = client.streaming.transcriber({
    websocketBaseUrl: `${url}/v3/ws`,
    sampleRate: 16_000,
    encoding: "pcm_s16le",
    formatTurns: true,
    minTurnSilence: 400,
    keytermsPrompt: ["Streamer"],
    ...parameters,
  });
  transcriber.on("open", (message) => print({ event: "message", message }));
  transcriber.on("speechStarted", (message) => print({ event: "message", message }));
  transcriber.on("turn", (message) => {
    print({ event: "message", message });
    if (!message.end_of_turn) partial.resolve();
  });
  transcriber.on("error", (error) => print({ event: "error", code: error.code, text: error.message }));
  transcriber.on("close", (code, reason) => {
    print({ event: "close", code, reason });
    closed.resolve();
  });
  try {
    await transcriber.connect();
    const half = Math.floor(audio.length / 2 / PIECE) * PIECE;
    send(transcriber, audio.subarray(0, half));
    // At full speed, the end of the turn would be there before any partial one.
    await Promise.race([partial.promise, closed.promise]);
    transcriber.forceEndpoint();
    transcriber.keepAlive();
    transcriber.updateConfiguration({ max_turn_silence: 900 });
    send(transcriber, audio.subarray(half));
    if (waits) await closed.promise;
    else await transcriber.close();
    print({ event: "ended" });
  } catch (error) {
    print({ event: "raised", text: error.message });
  }
}

function send(transcriber, bytes) {
  for (let at = 0; at < bytes.length; at += PIECE) transcriber.sendAudio(bytes.subarray(at, at + PIECE));
}

function withResolvers() {
  let resolve;
  const promise = new Promise((settle) => (resolve = settle));
  return { promise, resolve };
}
