// What clients of other services send and can read, for fuzzing over the wire.

import * as v from "valibot";

import { serverMessageSchema as assemblyAi } from "../../../src/dialects/assemblyai/messages.ts";
import { serverMessageSchema as deepgram } from "../../../src/dialects/deepgram/messages.ts";
import { serverMessageSchema as openAi } from "../../../src/dialects/openai/messages.ts";
import { serverMessageSchema as speechmatics } from "../../../src/dialects/speechmatics/messages.ts";
import { serverMessageSchema as vosk } from "../../../src/dialects/vosk/messages.ts";

export type Message = string | Uint8Array;

/** How clients of a dialect speak over a WebSocket. */
export interface ForeignLanguage {
  /** Paths with queries, at which its sessions begin. */
  readonly targets: readonly string[];
  /** Texts that start something, as far as it has such. */
  readonly starts: readonly string[];
  /** Other texts that are understood, in some order. */
  readonly texts: readonly string[];
  /** Text after which the server closes the connection; undefined: clients leave. */
  readonly end?: string;
  /** Returns the message that carries samples. */
  readonly audio: (bytes: Uint8Array) => Message;
  /** Throws unless a text of the server is one that clients can read. */
  readonly check: (text: string) => void;
}

const reads = (schema: v.GenericSchema) => {
  return (text: string): void => void v.parse(schema, JSON.parse(text));
};
const binary = (bytes: Uint8Array): Uint8Array => bytes;
const lines = (...messages: readonly object[]): string[] => messages.map((message) => JSON.stringify(message));

const OPENAI = "input_audio_buffer";
const update = (input: object): object => {
  return { type: "session.update", event_id: "mine", session: { type: "transcription", audio: { input } } };
};
const recognition = (fields: object): object => ({ message: "StartRecognition", ...fields });
const rawAudio = { type: "raw", encoding: "pcm_s16le", sample_rate: 16_000 };

const twilioStart = (fields: object): object => {
  const mediaFormat = { encoding: "audio/x-mulaw", sampleRate: 8_000, channels: 1 };
  return { event: "start", start: { mediaFormat, ...fields } };
};
/** Of telephones, which are sent nothing. */
const nothing = (text: string): void => {
  throw new Error(`a text for a telephone: ${text}`);
};

/** By the name of the dialect. Every route of another service has one: the test fails without. */
export const FOREIGN_LANGUAGES: Readonly<Record<string, ForeignLanguage>> = {
  deepgram: {
    targets: [
      "/v1/listen?encoding=linear16&sample_rate=16000&interim_results=true&vad_events=true&utterance_end_ms=1000",
      "/v1/listen?encoding=linear32&sample_rate=48000&channels=2",
      "/v1/listen",
    ],
    starts: [],
    texts: lines({ type: "KeepAlive" }, { type: "Finalize" }, { type: "Configure", keyterms: ["Streamer"] }),
    end: '{"type":"CloseStream"}',
    audio: binary,
    check: reads(deepgram),
  },
  openai: {
    targets: ["/v1/realtime?intent=transcription", "/v1/realtime?intent=transcription&model=gpt-4o-transcribe"],
    starts: lines(
      update({ format: { type: "audio/pcm", rate: 24_000 } }),
      update({ format: { type: "audio/pcmu" }, turn_detection: null }),
      update({ turn_detection: { type: "server_vad", silence_duration_ms: 400, prefix_padding_ms: 100 } }),
      { type: "transcription_session.update", session: { input_audio_format: "g711_alaw" } },
    ),
    texts: lines(
      { type: `${OPENAI}.commit` },
      { type: `${OPENAI}.clear` },
      { type: `${OPENAI}.append`, audio: "AAA=" },
    ),
    audio: (bytes) => JSON.stringify({ type: `${OPENAI}.append`, audio: Buffer.from(bytes).toString("base64") }),
    check: reads(openAi),
  },
  assemblyai: {
    targets: ["/v3/ws?sample_rate=16000&encoding=pcm_s16le", "/v3/ws?sample_rate=8000&encoding=pcm_mulaw"],
    starts: [],
    texts: lines({ type: "ForceEndpoint" }, { type: "KeepAlive" }, { type: "UpdateConfiguration", format_turns: true }),
    end: '{"type":"Terminate"}',
    audio: binary,
    check: reads(assemblyAi),
  },
  speechmatics: {
    targets: ["/v2", "/v2?jwt=any&sm-sdk=fuzzing"],
    starts: lines(
      recognition({ audio_format: rawAudio, transcription_config: { language: "en", enable_partials: true } }),
      recognition({ audio_format: { type: "file" } }),
      recognition({ audio_format: { ...rawAudio, encoding: "mulaw" }, transcription_config: { model: "enhanced" } }),
    ),
    texts: lines(
      { message: "ForceEndOfUtterance", timestamp: 1.5 },
      { message: "SetRecognitionConfig", transcription_config: { enable_partials: false, max_delay: 1 } },
      { message: "GetSpeakers", final: true },
    ),
    end: '{"message":"EndOfStream","last_seq_no":3}',
    audio: binary,
    check: reads(speechmatics),
  },
  twilio: {
    targets: ["/twilio"],
    starts: lines(
      twilioStart({ callSid: "CA1", tracks: ["inbound", "outbound"], customParameters: { interim_results: "true" } }),
      twilioStart({ mediaFormat: { encoding: "audio/x-l16", sampleRate: "16000" } }),
    ),
    texts: lines(
      { event: "connected", protocol: "Call", version: "1.0.0" },
      { event: "dtmf", dtmf: { track: "inbound_track", digit: "5" } },
      { event: "mark", mark: { name: "label" } },
      { event: "media", media: { track: "outbound", payload: "AAAA" } },
    ),
    end: '{"event":"stop"}',
    audio: (bytes) => JSON.stringify({ event: "media", media: { track: "inbound", payload: bytes.toBase64() } }),
    check: nothing,
  },
  asterisk: {
    targets: ["/asterisk", "/asterisk?call=1764194400.6&interim_results=true"],
    starts: [
      "MEDIA_START connection_id:c channel:WebSocket/c/0x1 channel_id:1.2 format:ulaw optimal_frame_size:160 ptime:20",
      '{"event":"MEDIA_START","channel_id":"1.2","format":"slin16"}',
    ],
    texts: ["DTMF_END digit:5 channel_id:1.2", "MEDIA_XON", '{"event":"STATUS","queue_length":0}'],
    audio: binary,
    check: nothing,
  },
  vosk: {
    targets: ["/"],
    starts: lines(
      { config: { sample_rate: 16_000, words: true } },
      { config: { sample_rate: 8_000.4, max_alternatives: 2, phrase_list: ["turn left"] } },
    ),
    texts: lines({ reset: 1 }),
    end: '{"eof" : 1}',
    audio: binary,
    check: reads(vosk),
  },
};
