// Conversations through OpenAI's SDK for JavaScript, unmodified. Usage: AUDIO CERTIFICATES CONVERSATIONS
// Prints what the application sees, as lines of JSON, each with the name of its conversation.

import { readFileSync } from "node:fs";

import OpenAI from "openai";
import { OpenAIRealtimeWebSocket } from "openai/realtime/websocket";
import { OpenAIRealtimeWS } from "openai/realtime/ws";

/** Bytes of a message: 50 ms of 24 kHz, 16 bit. */
const PIECE = 2_400;
const TRANSCRIPTION = "conversation.item.input_audio_transcription";

const [, , path, certificates, list = "[]"] = process.argv;
const audio = readFileSync(path);
const ca = readFileSync(certificates);

const settings = {
  type: "transcription",
  audio: {
    input: {
      format: { type: "audio/pcm", rate: 24_000 },
      transcription: { model: "gpt-4o-transcribe", language: "en" },
      turn_detection: { type: "server_vad", threshold: 0.5, prefix_padding_ms: 300, silence_duration_ms: 400 },
      noise_reduction: { type: "near_field" },
    },
  },
  include: ["item.input_audio_transcription.logprobs"],
};

function append(realtime, bytes) {
  for (let at = 0; at < bytes.length; at += PIECE) {
    const piece = bytes.subarray(at, at + PIECE);
    realtime.send({ type: "input_audio_buffer.append", audio: piece.toString("base64") });
  }
}

/** Sends what comes next. Returns false at the end. @param count messages of this type so far */
function answer(realtime, { type, error }, count, waits) {
  if (type === "session.created") realtime.send({ type: "session.update", session: settings });
  else if (type === "session.updated" && count === 1 && !waits) append(realtime, audio);
  else if (type === "session.updated" && count === 2) {
    append(realtime, audio.subarray(0, audio.length / 2));
    realtime.send({ type: "input_audio_buffer.commit" });
  } else if (type === `${TRANSCRIPTION}.completed` && count === 2) realtime.send({ type: "input_audio_buffer.clear" });
  else if (type === "input_audio_buffer.cleared") {
    realtime.send({ type: "input_audio_buffer.commit", event_id: "nothing" });
  } else if (error?.event_id === "nothing") {
    const session = { type: "transcription", audio: { input: { turn_detection: null } } };
    realtime.send({ type: "session.update", session });
  } else if (type === `${TRANSCRIPTION}.completed` && count === 3) return false;
  else if (type === `${TRANSCRIPTION}.failed` && count === 2) return false;
  return true;
}

/** @param kind `ws`, or `native` for the WebSocket of the run-time @param waits the server ends it */
async function converse({ name, kind, url, key, waits }) {
  const show = (event, fields) => console.log(JSON.stringify({ name, event, ...fields }));
  const client = new OpenAI({ apiKey: key, baseURL: `${url}/v1` });
  const realtime =
    kind === "ws"
      ? new OpenAIRealtimeWS({ intent: "transcription", options: { ca } }, client)
      : new OpenAIRealtimeWebSocket({ intent: "transcription" }, client);
  const counts = new Map();
  realtime.on("error", ({ message, error }) => show("error", { text: message, code: error?.code }));
  realtime.on("event", (message) => {
    show("message", { message });
    const count = (counts.get(message.type) ?? 0) + 1;
    counts.set(message.type, count);
    if (!answer(realtime, message, count, waits)) realtime.close();
  });
  await new Promise((resolve) => {
    realtime.socket.addEventListener("close", ({ code }) => {
      show("close", { code });
      resolve();
    });
  });
}

await Promise.all(JSON.parse(list).map(converse));
