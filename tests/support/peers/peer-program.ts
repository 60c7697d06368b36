// Peers that misbehave, in a process of their own, so that they can be in another network and have file descriptors of
// their own: `bun tests/support/peers/peer-program.ts KIND COUNT HOST:PORT`. Prints a line `up N` when N of them have
// done what they do first, and after a line of input a line of JSON with what has become of them.

import type { Socket } from "bun";

import { frameBytes } from "../frame-bytes.ts";
import { OPCODE } from "../frames.ts";
import { handshake } from "../raw-connection.ts";
import { KEEP_ALIVE, START, STOP } from "../requests.ts";
import { CHUNK_FORMAT, eventBytes } from "../wyoming-client.ts";

/** What has become of the peers. */
export interface PeersReport {
  readonly open: number;
  /** Bytes that have been sent, by all. */
  readonly sent: number;
  /** Connections that could not be made or were refused. */
  readonly refused: number;
}

interface Peer {
  socket: Socket<Peer> | undefined;
  /** Bytes that the kernel has not taken. */
  rest: Uint8Array;
  /** The response to the handshake has come. */
  upgraded: boolean;
}

interface Kind {
  /** Sent first. */
  readonly head: Uint8Array;
  /** Sent when the handshake has been answered. */
  readonly first?: Uint8Array;
  /** Sent again and again, as fast as the server takes it. */
  readonly flood?: Uint8Array;
  /** Sent every `everyMs`, piece after piece. */
  readonly drip?: { readonly bytes: Uint8Array; readonly size: number; readonly everyMs: number };
  /** Reads nothing after the handshake. */
  readonly deaf?: boolean;
  /** The head has no answer. */
  readonly unanswered?: boolean;
  /** Ends the connection as soon as it is upgraded, and connects again. */
  readonly again?: boolean;
}

const [kindName = "", countText = "0", address = ""] = process.argv.slice(2);
const [host = "", portText = ""] = address.split(":");
const port = Number(portText);

const text = (content: string): Buffer => frameBytes(OPCODE.text, content);
const repeat = (frame: Uint8Array, bytes: number): Buffer =>
  Buffer.concat(Array.from({ length: Math.ceil(bytes / frame.length) }, () => frame));
const head = (path: string): Buffer => Buffer.from(handshake(port, {}, `GET /api/v1/${path} HTTP/1.1`));
const SIMPLE = head("simple");
const SEGMENTED = head("segmented");
const KIB = 1024;
const AUDIO = frameBytes(OPCODE.binary, Buffer.alloc(3_200, 1));

const DESCRIBE = eventBytes("describe");
const CHUNK = eventBytes("audio-chunk", CHUNK_FORMAT, AUDIO.subarray(-3_200));
const COMMAND = Buffer.concat([eventBytes("audio-start", CHUNK_FORMAT), CHUNK, eventBytes("audio-stop")]);
/** Of the Wyoming protocol, over TCP. */
const WYOMING_KINDS: Readonly<Record<string, Kind>> = {
  "Wyoming: nothing but a question": { head: DESCRIBE },
  "Wyoming: a command without an end": { head: DESCRIBE, first: CHUNK },
  "Wyoming: lines byte by byte": {
    head: DESCRIBE,
    drip: { bytes: Buffer.alloc(64 * KIB, "x"), size: 1, everyMs: 200 },
  },
  "Wyoming: chunks byte by byte": {
    head: DESCRIBE,
    first: CHUNK,
    drip: { bytes: eventBytes("audio-chunk", CHUNK_FORMAT, Buffer.alloc(64 * KIB)), size: 1, everyMs: 200 },
  },
  "Wyoming: pings without reading": {
    head: DESCRIBE,
    flood: repeat(eventBytes("ping", { text: "x".repeat(125) }), 64 * KIB),
    deaf: true,
  },
  "Wyoming: commands without reading": { head: DESCRIBE, flood: repeat(COMMAND, 64 * KIB), deaf: true },
  "Wyoming: connections": { head: DESCRIBE, again: true },
  "Wyoming: pings": { head: DESCRIBE, flood: repeat(eventBytes("ping"), 64 * KIB) },
  "Wyoming: unknown events": { head: DESCRIBE, flood: repeat(Buffer.from('{"type":""}\n'), 64 * KIB) },
  "Wyoming: empty chunks": { head: DESCRIBE, flood: repeat(eventBytes("audio-chunk", CHUNK_FORMAT), 64 * KIB) },
  "Wyoming: chunks of one byte": {
    head: DESCRIBE,
    flood: repeat(eventBytes("audio-chunk", CHUNK_FORMAT, Buffer.from("x")), 64 * KIB),
  },
  "Wyoming: large data": { head: DESCRIBE, flood: eventBytes("other", { text: "x".repeat(60 * KIB) }) },
  "Wyoming: commands": { head: DESCRIBE, flood: repeat(COMMAND, 64 * KIB) },
};
const KINDS: Readonly<Record<string, Kind>> = {
  ...WYOMING_KINDS,
  "never-starting": { head: SEGMENTED },
  "started, then silent": { head: SEGMENTED, first: Buffer.concat([text(START), AUDIO]) },
  "with keep-alives": {
    head: SEGMENTED,
    first: text(START),
    drip: { bytes: text(KEEP_ALIVE), size: Infinity, everyMs: 15_000 },
  },
  "headers byte by byte": {
    head: Buffer.from("GET / HTTP/1.1\r\nX: "),
    drip: { bytes: Buffer.alloc(KIB, "x"), size: 1, everyMs: 200 },
    unanswered: true,
  },
  "bodies byte by byte": {
    head: Buffer.from("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"),
    drip: { bytes: Buffer.alloc(KIB, "x"), size: 1, everyMs: 200 },
  },
  "frames byte by byte": {
    head: SEGMENTED,
    first: text(START),
    drip: { bytes: frameBytes(OPCODE.binary, Buffer.alloc(64 * KIB)), size: 1, everyMs: 200 },
  },
  "pings without reading": {
    head: SIMPLE,
    first: text(START),
    flood: repeat(frameBytes(OPCODE.ping, Buffer.alloc(125)), 64 * KIB),
    deaf: true,
  },
  "requests without reading": {
    head: SIMPLE,
    // Less than a block: a span without a result.
    first: Buffer.concat([text(START), AUDIO]),
    flood: repeat(text("{"), 16 * KIB),
    deaf: true,
  },
  "audio without reading": { head: SIMPLE, first: text(START), flood: repeat(AUDIO, 64 * KIB), deaf: true },
  upgrades: { head: SEGMENTED, again: true },
  pings: { head: SIMPLE, first: text(START), flood: repeat(frameBytes(OPCODE.ping, "x"), 64 * KIB) },
  "empty messages": { head: SIMPLE, first: text(START), flood: repeat(frameBytes(OPCODE.binary), 64 * KIB) },
  "messages of one byte": { head: SIMPLE, first: text(START), flood: repeat(frameBytes(OPCODE.binary, "x"), 64 * KIB) },
  "empty fragments": {
    head: SIMPLE,
    first: Buffer.concat([text(START), frameBytes(OPCODE.binary, "", { final: false })]),
    flood: repeat(frameBytes(OPCODE.more, "", { final: false }), 64 * KIB),
  },
  "starts and stops": { head: SIMPLE, flood: repeat(Buffer.concat([text(START), text(STOP)]), 64 * KIB) },
};

const found = KINDS[kindName];
if (found === undefined) throw new Error(`unknown kind ${kindName}; known: ${Object.keys(KINDS).join(", ")}`);
const kind = found;
const open = new Set<Peer>();
let connected = 0;
let sent = 0;
let refused = 0;

function write(peer: Peer, bytes: Uint8Array): void {
  if (peer.socket === undefined) return;
  const all = peer.rest.length === 0 ? bytes : Buffer.concat([peer.rest, bytes]);
  const taken = Math.max(0, peer.socket.write(all));
  sent += taken;
  peer.rest = all.subarray(taken);
}

function flood(peer: Peer): void {
  if (kind.flood === undefined || !peer.upgraded) return;
  // Others of this process have their turn, too.
  for (let i = 0; i < 8 && peer.rest.length === 0; i++) write(peer, kind.flood);
  if (peer.rest.length === 0) setImmediate(() => flood(peer));
}

function goOn(peer: Peer): void {
  peer.upgraded = true;
  if (kind.again === true) peer.socket?.terminate();
  if (kind.deaf === true) peer.socket?.pause();
  if (kind.first !== undefined) write(peer, kind.first);
  flood(peer);
}

async function connect(): Promise<void> {
  const up = Promise.withResolvers<void>();
  const peer: Peer = { socket: undefined, rest: new Uint8Array(), upgraded: false };
  const ended = (): void => {
    open.delete(peer);
    peer.socket = undefined;
    if (kind.again === true && peer.upgraded) void connect().catch(() => void (refused += 1));
    up.resolve();
  };
  await Bun.connect<Peer>({
    hostname: host,
    port,
    data: peer,
    socket: {
      open: (socket) => {
        peer.socket = socket;
        open.add(peer);
        write(peer, kind.head);
        if (kind.unanswered === true) connected += 1;
        if (kind.unanswered === true) up.resolve();
      },
      data: (_, bytes) => {
        if (peer.upgraded) return;
        if (/^HTTP\/1\.1 (101|405)|^\{"type":"info"/.test(bytes.toString("latin1"))) connected += 1;
        else refused += 1;
        goOn(peer);
        up.resolve();
      },
      drain: (socket) => {
        const taken = Math.max(0, socket.write(peer.rest));
        sent += taken;
        peer.rest = peer.rest.subarray(taken);
        if (peer.rest.length === 0) flood(peer);
      },
      close: ended,
      error: ended,
    },
  });
  await up.promise;
}

const { drip } = kind;
if (drip !== undefined) {
  let at = 0;
  setInterval(() => {
    const end = Math.min(drip.bytes.length, at + drip.size);
    for (const peer of open) if (peer.upgraded || kind.unanswered === true) write(peer, drip.bytes.subarray(at, end));
    at = end % drip.bytes.length;
  }, drip.everyMs);
}

// Not all at once: the queue of a listener is not endless.
const queue = Array.from({ length: Number(countText) }).values();
const connecting = async (): Promise<void> => {
  for (const _ of queue) await connect().catch(() => void (refused += 1));
};
await Promise.all(Array.from({ length: 64 }, connecting));
console.log(`up ${connected}`);
for await (const _ of console) {
  console.log(JSON.stringify({ open: open.size, sent, refused } satisfies PeersReport));
}
