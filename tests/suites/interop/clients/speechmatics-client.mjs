// Conversations through Speechmatics' SDK for JavaScript, unmodified. Usage: CONVERSATIONS AS JSON
// Prints what the application sees in each, as lines of JSON.

import { readFile } from "node:fs/promises";

import { RealtimeClient } from "@speechmatics/real-time-client";

/** Bytes of a message: 50 ms of 16 kHz, 16 bit. */
const PIECE = 1_600;

await Promise.all(JSON.parse(process.argv[2] ?? "[]").map(converse));
process.exit(0);

/** `format`: undefined: a file. `flush`: ForceEndOfUtterance in the middle. `waits`: the server ends. */
async function converse({ name, url, key, audio: file, format, config, flush = false, waits = false }) {
  const print = (line) => console.log(JSON.stringify({ name, ...line }));
  const audio = await readFile(file);
  const client = new RealtimeClient({ url });
  const partial = withResolvers();
  const closed = withResolvers();
  client.addEventListener("receiveMessage", ({ data }) => {
    print({ event: "message", message: data });
    if (data.message === "AddPartialTranscript") partial.resolve();
  });
  client.addEventListener("socketStateChange", ({ socketState }) => {
    print({ event: socketState });
    if (socketState === "closed") closed.resolve();
  });
  const send = (bytes) => {
    for (let at = 0; at < bytes.length; at += PIECE) client.sendAudio(bytes.subarray(at, at + PIECE));
  };
  try {
    const transcription_config = { language: "en", model: "enhanced", enable_partials: true, ...config };
    await client.start(key, { ...(format && { audio_format: format }), transcription_config });
    const half = Math.floor(audio.length / 2 / PIECE) * PIECE;
    send(audio.subarray(0, half));
    if (flush) {
      // At full speed, the final would be there before any partial transcript.
      await Promise.race([partial.promise, closed.promise]);
      client.forceEndOfUtterance();
      client.setRecognitionConfig({ max_delay: 2 });
      await client.getSpeakers({ timeout: 30_000 });
    }
    send(audio.subarray(half));
    if (!waits) await client.stopRecognition();
    await closed.promise;
  } catch (error) {
    print({ event: "error", reason: String(error.message ?? error) });
  }
}

function withResolvers() {
  let resolve;
  const promise = new Promise((settle) => (resolve = settle));
  return { promise, resolve };
}
