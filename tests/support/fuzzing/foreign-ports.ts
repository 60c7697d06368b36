// What clients of dialects on TCP ports of their own send and can read, for fuzzing over the wire.

import { PORTS } from "../../../src/dialects/ports.ts";
import { seeded } from "../audio.ts";
import { audioSocketMessage } from "../call-clients.ts";
import { tcp } from "../raw-connection.ts";
import { waitUntil } from "../wait.ts";
import { CHUNK_FORMAT, eventBytes } from "../wyoming-client.ts";
import { RUBBISH } from "./foreign-messages.ts";

/** How clients speak on a port. */
interface PortLanguage {
  /** Messages that are understood, in some order. */
  readonly messages: readonly Uint8Array[];
  /** Returns the message that carries samples. */
  readonly audio: (bytes: Uint8Array) => Uint8Array;
  /** Throws unless the bytes of the server are whole messages that clients can read. */
  readonly check: (bytes: Buffer) => void;
}

/** Types of events of a Wyoming server. */
const WYOMING_EVENTS = /^(?:info|pong|error|transcript(?:-start|-chunk|-stop)?)$/;

/** By the name of the port. */
const LANGUAGES: Readonly<Record<keyof typeof PORTS, PortLanguage>> = {
  wyoming: {
    messages: [
      eventBytes("describe"),
      eventBytes("ping", { text: "are you there?" }),
      eventBytes("transcribe", { name: "words", language: "en" }),
      eventBytes("audio-start", CHUNK_FORMAT),
      eventBytes("audio-start", { rate: 48_000, width: 4, channels: 2 }),
      eventBytes("audio-stop"),
      eventBytes("sing", { song: "unknown" }),
    ],
    audio: (bytes) => eventBytes("audio-chunk", CHUNK_FORMAT, bytes),
    check: (bytes) => {
      for (let at = 0; at < bytes.length;) {
        const end = bytes.indexOf("\n", at);
        const line = JSON.parse(bytes.subarray(at, end).toString()) as Record<string, unknown>;
        if (!WYOMING_EVENTS.test(String(line["type"]))) throw new Error(`an event ${String(line["type"])}`);
        const length = Number(line["data_length"] ?? 0);
        if (length > 0) JSON.parse(bytes.subarray(end + 1, end + 1 + length).toString());
        at = end + 1 + length;
      }
    },
  },
  audiosocket: {
    messages: [
      audioSocketMessage(0x01, Buffer.alloc(16, 7)),
      audioSocketMessage(0x03, Buffer.from("5")),
      audioSocketMessage(0x12, Buffer.alloc(640)),
      audioSocketMessage(0xff, Buffer.from([2])),
    ],
    audio: (bytes) => audioSocketMessage(0x10, bytes),
    check: (bytes) => {
      if (bytes.length > 0) throw new Error("bytes for a telephone");
    },
  },
};

export const PORT_NAMES = Object.keys(PORTS) as (keyof typeof PORTS)[];

/**
 * Runs one hostile session over TCP. Throws an error that has its seed.
 * @param seed decides everything that the client does
 * @returns the number of messages that were sent
 */
export async function portSession(
  port: number,
  name: keyof typeof PORTS,
  seed: number,
  messages: number,
): Promise<number> {
  const next = seeded(seed);
  const language = LANGUAGES[name];
  const badShare = next() < 0.5 ? 0 : 0.1;
  const received: Buffer[] = [];
  let end: "FIN" | "RST" | undefined;
  const socket = await tcp(port);
  socket.on("data", (bytes: Buffer) => received.push(bytes));
  socket.once("end", () => (end ??= "FIN"));
  for (const event of ["error", "close"]) socket.on(event, () => (end ??= "RST"));
  let sent = 0;
  while (sent < messages && end === undefined) {
    socket.write(next() < badShare ? bad(language, next) : good(language, next));
    sent += 1;
    while (socket.writableLength > 262_144 && end === undefined) await Bun.sleep(1);
    if (next() < 0.1) await Bun.sleep(0);
  }
  try {
    if (next() < 0.3) return sent;
    socket.end();
    await waitUntil("the end of the connection", () => end !== undefined);
    if (end !== "FIN") throw new Error("the connection was reset");
    language.check(Buffer.concat(received));
    return sent;
  } catch (error) {
    throw new Error(`${name} with seed ${seed}: ${String(error)}`, { cause: error });
  } finally {
    socket.destroy();
  }
}

function good({ messages, audio }: PortLanguage, next: () => number): Uint8Array {
  const known = messages[Math.floor(next() * messages.length)];
  if (next() < 0.5 && known !== undefined) return known;
  return audio(new Uint8Array(Math.floor(next() * 4_000)).fill(Math.floor(next() * 256)));
}

/** Returns bytes that are no message, or one of which a part is missing or another. */
function bad(language: PortLanguage, next: () => number): Uint8Array {
  if (next() < 0.4) return Buffer.from(`${RUBBISH[Math.floor(next() * RUBBISH.length)]}\n`);
  const message = Buffer.from(good(language, next));
  const at = Math.floor(next() * message.length);
  if (next() < 0.5) return message.subarray(0, at);
  message[at] = Math.floor(next() * 256);
  return message;
}
