// Streams a WAV file to Streamer and prints each final result as a line of JSON.
//
//   npm install
//   node stream-file.mjs FILE [URL [MODEL]]
//
// STREAMER_TOKEN has the token, if the server wants one. REAL_TIME=1 sends at the pace of a live source.

import { on, once } from "node:events";
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

import WebSocket from "ws";

const FRAMES = 2048; // in a message
const ENCODINGS = { 1: "pcm", 3: "pcm", 6: "alaw", 7: "mulaw" };

/** Reads the header of a WAV file. Returns the `format` for Streamer, and where the samples are. */
async function readHeader(path, file) {
  const read = async (start, length) => {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, start);
    if (bytesRead < length) throw new Error(`${path}: the file ends before its audio`);
    return buffer;
  };
  const head = await read(0, 12);
  if (head.toString("latin1", 0, 4) + head.toString("latin1", 8) !== "RIFFWAVE")
    throw new Error(`${path}: found no WAV file; ffmpeg -i ${path} audio.wav converts it`);

  let format;
  for (let start = 12; ;) {
    const chunk = await read(start, 8);
    const [name, size] = [chunk.toString("latin1", 0, 4), chunk.readUInt32LE(4)];
    start += 8;
    if (name === "fmt ") {
      const fmt = await read(start, Math.min(size, 40));
      // With 0xFFFE, WAVE_FORMAT_EXTENSIBLE, the encoding stands further behind.
      const tag = fmt.readUInt16LE(fmt.readUInt16LE(0) === 0xfffe ? 24 : 0);
      const [channels, sample_rate, frameBytes] = [fmt.readUInt16LE(2), fmt.readUInt32LE(4), fmt.readUInt16LE(12)];
      if (channels === 0 || sample_rate === 0 || frameBytes === 0) throw new Error(`${path}: the header is damaged`);
      if (!(tag in ENCODINGS))
        throw new Error(`${path}: found encoding ${tag}; ffmpeg -i ${path} audio.wav converts it`);
      format = { channels, sample_rate, bit_depth: (8 * frameBytes) / channels, is_float: tag === 3 };
      format.encoding = ENCODINGS[tag];
    } else if (name === "data" && format !== undefined) {
      // A file that was written to a pipe has no size: its audio is the rest.
      const end = size === 0 || size === 0xffffffff ? Infinity : start + size - 1;
      return { format, start, end };
    }
    start += size + (size % 2);
  }
}

async function openWav(path) {
  const file = await open(path);
  try {
    const { format, start, end } = await readHeader(path, file);
    const highWaterMark = (FRAMES * format.channels * format.bit_depth) / 8;
    return { format, audio: createReadStream(path, { start, end, highWaterMark }) };
  } finally {
    await file.close();
  }
}

/** Sends the samples and `stop`. Each message waits until the last one has left, so that memory does not grow. */
async function send(socket, { format, audio }) {
  const write = promisify(socket.send.bind(socket));
  for await (const samples of audio) {
    await write(samples);
    if (process.env.REAL_TIME) await sleep((1000 * FRAMES) / format.sample_rate);
  }
  await write(JSON.stringify({ request: "stop", disconnect: true }));
}

/** Returns whether the server has answered everything without an error. Rejects if there is no connection any more. */
async function streamFile(path, url, model) {
  const wav = await openWav(path);
  const token = process.env.STREAMER_TOKEN;
  const socket = new WebSocket(url, { headers: token ? { Authorization: `Bearer ${token}` } : {} });
  // The body of a refusal is an error event, too.
  socket.on("unexpected-response", (_, response) => {
    void response.toArray().then((parts) => {
      socket.emit("error", new Error(`HTTP ${response.statusCode}: ${parts.join("").split("\n")[0]}`));
    });
  });
  await once(socket, "open");

  const messages = on(socket, "message", { close: ["close"] });
  socket.send(JSON.stringify({ request: "start", format: wav.format, model }));
  const sending = send(socket, wav).catch((error) => {
    socket.terminate();
    return error;
  });
  let [started, failed] = [false, false];
  for await (const [data, isBinary] of messages) {
    if (isBinary) continue; // the sound of a result, if the model returns any
    const event = JSON.parse(data);
    if (event.type === "started") started = true;
    // event.text, event.words, ...: what the model returns; event.channel, event.start_time, event.end_time
    if (event.type === "segment" && event.is_final !== false) console.log(String(data));
    if (event.type === "warning") console.error(`warning: ${event.code}: ${event.message}`);
    if (event.type === "error") {
      console.error(`error: ${event.code}: ${event.message}`);
      failed = true;
    }
    // Nothing follows an error in place of `started`; any other one is followed by `stopped`.
    if (event.type === "stopped" || (failed && !started)) {
      socket.terminate();
      return !failed && event.reason === "stop";
    }
  }
  throw (await sending) ?? new Error("the server has closed the connection before the stream had ended");
}

const [path, url = "ws://localhost:8080/api/v1/segmented", model] = process.argv.slice(2);
try {
  if (path === undefined) throw new Error("usage: node stream-file.mjs FILE [URL [MODEL]]");
  process.exitCode = (await streamFile(path, url, model)) ? 0 : 1;
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}
