// A conversation through Deepgram's SDK for JavaScript, unmodified. Usage: URL KEY AUDIO [QUERY AS JSON [waits]]
// With `waits`, the audio goes on until the server ends the conversation.
// Prints what the application sees, as lines of JSON.

import { readFile } from "node:fs/promises";

import { DeepgramClient } from "@deepgram/sdk";

const [url, apiKey, file, query = "{}", waits] = process.argv.slice(2);
/** Bytes of a message: 50 ms of 16 kHz, 16 bit. */
const PIECE = 1_600;
/** Longer than the first pause of the SDK before it connects again. */
const RECONNECT_MS = 1_500;

const print = (line) => console.log(JSON.stringify(line));
const audio = await readFile(file);
const client = new DeepgramClient({ apiKey, baseUrl: url });
const socket = await client.listen.v1.connect({
  model: "nova-3",
  encoding: "linear16",
  sample_rate: 16_000,
  interim_results: true,
  vad_events: true,
  utterance_end_ms: 1_000,
  ...JSON.parse(query),
});
const closed = withResolvers();
const interim = withResolvers();
socket.on("open", () => print({ event: "open" }));
socket.on("message", (message) => {
  print({ event: "message", message });
  if (message.type === "Results" && !message.is_final) interim.resolve();
});
socket.on("error", (error) => {
  print({ event: "error", message: String(error.message ?? error) });
  closed.resolve();
});
socket.on("close", ({ code, reason }) => {
  print({ event: "close", code, reason: String(reason) });
  closed.resolve();
});
socket.connect();
const opened = await Promise.race([
  socket.waitForOpen().then(
    () => true,
    () => false,
  ),
  closed.promise.then(() => false),
]);
if (opened && waits) send(audio);
else if (opened) {
  const half = Math.floor(audio.length / 2 / PIECE) * PIECE;
  send(audio.subarray(0, half));
  // At full speed, the final would be there before any interim.
  await Promise.race([interim.promise, closed.promise]);
  socket.sendFinalize({ type: "Finalize" });
  socket.sendKeepAlive({ type: "KeepAlive" });
  socket.socket.send(JSON.stringify({ type: "Sing" }));
  send(audio.subarray(half));
  socket.sendCloseStream({ type: "CloseStream" });
}
await closed.promise;
await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS));
process.exit(0);

function send(bytes) {
  for (let at = 0; at < bytes.length; at += PIECE) socket.sendMedia(bytes.subarray(at, at + PIECE));
}

function withResolvers() {
  let resolve;
  const promise = new Promise((settle) => (resolve = settle));
  return { promise, resolve };
}
