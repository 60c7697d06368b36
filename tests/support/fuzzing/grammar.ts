// Hostile messages of a client: valid requests, and mutations of their fields, their names and their text.

import { encode, noise } from "../audio.ts";

/** A message to send: a text, or audio. */
export type Sent = string | Uint8Array;

/** What the generator knows about the conversation, to send likely sequences. */
export interface Situation {
  /** Bytes of a frame of the open stream; 0: none is open. */
  readonly frameBytes: number;
  /** Bytes of audio sent to it. */
  readonly sentBytes: number;
}

/** Values in JSON, as text: numbers that JSON has and others have not, names of JavaScript, other types. */
const HOSTILE_VALUES: readonly string[] = [
  ...["null", "true", "false", "0", "-0", "1", "-1", "2", "1.5", "1e400", "-1e400", "1e-400", "1E3", "8", "16", "32"],
  ...[
    "9007199254740991",
    "9007199254740993",
    "123456789012345678901234567890",
    "4294967296",
    "4294967297",
    "-2147483649",
  ],
  ...[
    "2147483648",
    "65536",
    "255",
    "256",
    "0.1",
    "16000.5",
    "1e3",
    "5e-324",
    "1.7976931348623157e308",
    "384001",
    "3999",
  ],
  ...['""', '" "', '"x"', '"0"', '"16000"', '"NaN"', '"Infinity"', '"true"', '"null"', '"start"', '"pcm"', '"mulaw"'],
  ...['"__proto__"', '"constructor"', '"\\ud800"', '"\\udfff\\ud800"', '"\\u0000"', '"\\u202e"', '"\\u2028"', '"é😀"'],
  ...["[]", "{}", "[[]]", "[1,2,3]", "[null]", '{"a":1}', '{"a":null}', '{"__proto__":{"x":1}}', '{"constructor":1}'],
  ...['{"toString":1}', '{"length":0}', '[{"__proto__":1}]', '{"prototype":{"request":"start"}}', '{"then":1}'],
  ...['"../../etc/passwd"', '"%s%n"', '"${x}"', '"\'; drop table streams"', '"<script>"', '"simulated"', '"Simulated"'],
  ...[`"${"a".repeat(129)}"`, `"${"b".repeat(600)}"`, `"${"€".repeat(3000)}"`, nested(31), nested(32), nested(40)],
  ...[`{"deep":${nested(29)}}`, `{"deep":${nested(30)}}`, `{"deep":${nested(31)}}`, nested(2_000)],
  ...[`{"a":"${"c".repeat(4_086)}"}`, `{"a":"${"c".repeat(4_088)}"}`, `{"a":"${"c".repeat(4_089)}"}`],
];

/** Names of fields that no request has, as text in JSON. */
const HOSTILE_NAMES: readonly string[] = [
  ...["__proto__", "constructor", "prototype", "toString", "valueOf", "hasOwnProperty", "__defineGetter__", "length"],
  ...["", " ", "0", "-1", "Request", "REQUEST", "request ", "format.channels", "formt", "fromat", "vads", "channel"],
  ...[
    "sample-rate",
    "bitdepth",
    "\\u0000",
    "\\ud800",
    "\\u202ex",
    "é😀",
    "k".repeat(64),
    "k".repeat(65),
    "k".repeat(5_000),
  ],
  ...["disconect", "reqest", "trace-id", "max_channels", "then", "type", "__lookupSetter__"],
];

/** Texts that are no request at all. */
const NO_REQUESTS: readonly string[] = [
  ...["", " ", "\n", "null", "true", "0", "-", '"', '"start"', "[]", "{}", "[{}]", "{", "}", "[", "undefined", "NaN"],
  ...["{'request':'stop'}", '{"request":"stop"', '{"request":"stop"}}', '{"request":"stop"}{"request":"stop"}', "{}{}"],
  ...[
    '{"request":"stop",}',
    '{request:"stop"}',
    '// x\n{"request":"stop"}',
    '\ufeff{"request":"flush"}',
    "start",
    "stop",
  ],
  ...[
    '{"request":stop}',
    '{"request":"stop\n"}',
    '{"request":NaN}',
    '{"request":01}',
    '{"request":+1}',
    '{"request":.5}',
  ],
  ...[
    '{"request":"\\x"}',
    '{"request":"\\u12"}',
    '{"request":"\u0000"}',
    '[{"request":"stop"}]',
    '"{\\"request\\":\\"stop\\"}"',
  ],
  ...[
    '{"request":["start"]}',
    '{"request":{"request":"start"}}',
    '{"request":null}',
    '{"request":""}',
    '{"request":1e400}',
  ],
  ...['{"type":"started"}', '{"request":"started"}', '{"request":"__proto__"}', '{"request":"constructor"}'],
  ...[
    '{"request":"toString"}',
    '{"request":"start"}',
    '{"request":"START"}',
    '{"request":" stop"}',
    '{"request":"stopp"}',
  ],
  ...['{"__proto__":{"request":"start"}}', '{"request":"start","format":null}', '{"request":"resume"}'],
  ...["\ud800", "\udc00\ud800", "\u0000", "\u2028", "x".repeat(300)],
];

/** Texts of up to the largest size: rare, since they take long. */
const LONG_TEXTS: readonly string[] = [
  ...[
    "[".repeat(20_000),
    `${"[".repeat(20_000)}${"]".repeat(20_000)}`,
    `${'{"a":'.repeat(9_000)}1${"}".repeat(9_000)}`,
  ],
  ...["x".repeat(10_000), `"${"y".repeat(60_000)}"`, " ".repeat(65_536), `{"request":"stop"${" ".repeat(65_518)}}`],
  ...[`{"request":"start","options":{"a":"${"z".repeat(60_000)}"}}`, `{"request":"${"€".repeat(20_000)}"}`],
];

const FIELDS = ["interim_results", "trace_id", "tracestate", "model", "options", "vad", "interim_interval_ms"] as const;
const MORE_FIELDS = ["flush_after_ms", "timing"] as const;
const VAD_FIELDS: Readonly<Record<string, readonly string[]>> = {
  threshold_db: ["3", "10", "40", "3.5"],
  floor_dbfs: ["-100", "-70", "-20"],
  min_speech_ms: ["0", "100", "2000"],
  min_silence_ms: ["50", "500", "5000"],
  pre_roll_ms: ["0", "200", "1000"],
  post_roll_ms: ["0", "50", "100"],
  max_utterance_ms: ["1000", "30000", "120000"],
};
const VALID: Readonly<Record<(typeof FIELDS)[number] | (typeof MORE_FIELDS)[number], readonly string[]>> = {
  interim_results: ["true", "false", "null"],
  trace_id: ['"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"', '"4BF92F3577b34da6a3ce929d0e0e4736"', "null"],
  tracestate: ['"a=b"', '""'],
  model: ['"simulated"', '"strict"', "null"],
  options: ["{}", '{"language":"en"}', '{"language":null,"languag":null}', '{"a":[null,{"b":null}]}'],
  vad: ["{}", "null"],
  interim_interval_ms: ["100", "500", "10000", "1e3"],
  flush_after_ms: ["0", "-0", "200", "60000"],
  timing: ["true", "false"],
};
/** Places to go on from, none of which exists. */
const RESUMES: readonly string[] = [
  ...[
    "null",
    "{}",
    "[]",
    '""',
    '"x"',
    '{"token":null}',
    '{"token":""}',
    '{"token":1}',
    '{"token":"x"}',
    '{"tokn":"x"}',
  ],
  ...[
    '{"token":"AQdtYXktMjZ2Q0pPMk9lVWRkRnk"}',
    '{"token":"AQ=="}',
    '{"token":"\\ud800"}',
    '{"token":"x","position":0}',
  ],
  ...[`{"token":"${"A".repeat(32_768)}"}`, `{"token":"${"A".repeat(32_769)}"}`, `{"token":"AQE${"A".repeat(200)}"}`],
];
/** Formats by the layout of their samples: bits, is_float, encoding. */
const LAYOUTS = [
  ["8", "false", undefined],
  ["16", "false", '"pcm"'],
  ["16", "false", undefined],
  ["24", "false", undefined],
  ["32", "false", "null"],
  ["32", "true", undefined],
  ["64", "true", undefined],
  ["8", "false", '"mulaw"'],
  ["8", "false", '"alaw"'],
] as const;

/** Files that are no PCM, by their first bytes. */
const FOREIGN = [
  "OggS\0",
  "fLaC\0\0\0\x22",
  "\x1aE\xdf\xa3\x01",
  "#!AMR\n",
  ".snd\0\0\0",
  "RIFX\0\0\0\0",
  "TTA1\0",
].map((text) => Uint8Array.from({ length: 4_200 }, (_, i) => (i < text.length ? text.charCodeAt(i) : (i * 37) & 0xff)));

/** The largest message that is allowed. */
const LARGEST = new Uint8Array(1_048_576);

/** Audio, to be cut from: silence, a tone, noise, numbers that are none, text. */
const SOURCES: readonly Uint8Array[] = [
  new Uint8Array(70_000),
  encode("s16", noise(2)),
  encode("f32", noise(1)),
  new Uint8Array(70_000).fill(0xff),
  new Uint8Array(70_000).fill(0x7f),
  Uint8Array.from({ length: 70_000 }, (_, i) => (i * 2_654_435_761) >>> 24),
  new TextEncoder().encode('{"request":"stop"} '.repeat(4_000)),
];

function nested(levels: number): string {
  return "[".repeat(levels) + "]".repeat(levels);
}

/** Returns 0 to 1. */
type Random = () => number;

function picker(next: Random): <Item>(items: readonly Item[]) => Item {
  return (items) => items[Math.floor(next() * items.length)]!;
}

/** Texts of requests: valid starts, and requests with mutations. */
export class Grammar {
  readonly #next: Random;
  readonly #pick: ReturnType<typeof picker>;
  /** Sample rates, Hz. */
  readonly #rates: readonly string[];

  constructor(next: Random, rates: readonly number[]) {
    this.#next = next;
    this.#pick = picker(next);
    this.#rates = rates.map(String);
  }

  /** Returns a valid start. */
  start(): string {
    return this.#object([["request", '"start"'], ...this.#validStart()]);
  }

  /** Returns a text that is most probably no valid request. */
  bad(): string {
    const roll = this.#next();
    if (roll < 0.002) return this.#pick(LONG_TEXTS);
    if (roll < 0.1) return this.#pick(NO_REQUESTS);
    if (roll < 0.3) return this.#damaged(this.#chance(0.5) ? this.start() : '{"request":"stop","disconnect":false}');
    const kind = this.#pick(["start", "start", "start", "start", "stop", "flush", "keep_alive"]);
    const fields: [string, string][] = [["request", `"${kind}"`], ...(kind === "start" ? this.#validStart() : [])];
    for (let n = this.#pick([1, 1, 1, 2, 3]); n > 0; n--) this.#mutate(fields);
    return this.#object(fields);
  }

  #chance(share: number): boolean {
    return this.#next() < share;
  }

  #validStart(): [string, string][] {
    const fields: [string, string][] = [["format", this.#object(this.#format())]];
    while (this.#chance(0.3)) {
      const name = this.#pick(this.#chance(0.5) ? FIELDS : MORE_FIELDS);
      if (fields.every(([other]) => other !== name)) fields.push([name, this.#pick(VALID[name])]);
    }
    return fields;
  }

  #format(): [string, string][] {
    const [bits, isFloat, encoding] = this.#pick(LAYOUTS);
    const fields: [string, string][] = [
      ["channels", this.#pick(["1", "1", "1", "2", "3", "16", "1.0", "1e0"])],
      ["sample_rate", this.#pick(this.#rates)],
      ["bit_depth", bits],
      ["is_float", isFloat],
    ];
    if (encoding !== undefined) fields.push(["encoding", encoding]);
    return fields;
  }

  /** Changes one thing about an object: a value, a name, a field more, less or twice. */
  #mutate(fields: [string, string][]): void {
    const at = Math.floor(this.#next() * fields.length);
    const roll = this.#next();
    if (roll < 0.25) {
      const inner = this.#chance(0.5) ? this.#format() : this.#vad();
      const name = inner[0]?.[0] === "channels" ? "format" : "vad";
      this.#mutateFlat(inner);
      const known = fields.findIndex(([other]) => other === name);
      if (known < 0) fields.push([name, this.#object(inner)]);
      else fields[known] = [name, this.#object(inner)];
    } else this.#mutateFlat(fields, at);
  }

  #mutateFlat(fields: [string, string][], at = Math.floor(this.#next() * fields.length)): void {
    const roll = this.#next();
    const [name = "request"] = fields[at] ?? [];
    if (roll < 0.35) fields[at] = [name, this.#pick(HOSTILE_VALUES)];
    else if (roll < 0.5) fields.splice(at, 1);
    else if (roll < 0.65) fields.push([this.#pick(HOSTILE_NAMES), this.#pick(HOSTILE_VALUES)]);
    else if (roll < 0.75) fields.push([name, this.#pick(HOSTILE_VALUES)]);
    else if (roll < 0.8) fields[at] = [this.#pick(HOSTILE_NAMES), fields[at]?.[1] ?? "0"];
    else if (roll < 0.85)
      fields.push([this.#pick(["channels", "disconnect", "format", "stop"]), this.#pick(HOSTILE_VALUES)]);
    else if (roll < 0.88) fields.push(["resume", this.#pick(RESUMES)]);
    else fields.push([this.#pick(this.#chance(0.5) ? FIELDS : MORE_FIELDS), this.#pick(HOSTILE_VALUES)]);
  }

  #vad(): [string, string][] {
    const names = Object.keys(VAD_FIELDS).filter(() => this.#chance(0.4));
    return names.map((name) => [name, this.#pick(VAD_FIELDS[name] ?? ["0"])]);
  }

  /** A text with a piece cut out, doubled or replaced. */
  #damaged(text: string): string {
    const at = Math.floor(this.#next() * text.length);
    const end = at + Math.floor(this.#next() * 6);
    const middle = this.#pick([
      "",
      "",
      '"',
      "{",
      "}",
      ",",
      ":",
      "\\",
      "\u0000",
      "e999",
      "null",
      text.slice(at, end).repeat(2),
    ]);
    return text.slice(0, at) + middle + text.slice(end);
  }

  /** Writes an object as one of the texts that JSON allows for it. */
  #object(fields: readonly [string, string][]): string {
    const order = this.#chance(0.1) ? fields.toReversed() : fields;
    const space = this.#chance(0.05) ? this.#pick([" ", "\n\t", "\r\n  "]) : "";
    let text = "{";
    for (const [name, value] of order) {
      if (text.length > 1) text += `,${space}`;
      const escaped = space !== "" && name === "request" ? "\\u0072equest" : name;
      text += `"${escaped}":${space}${value}`;
    }
    return `${text}${space}}`;
  }
}

/** The client of one session: draws messages, and decides what kind of client it is. */
export class HostileClient {
  readonly #next: Random;
  readonly #pick: ReturnType<typeof picker>;
  readonly #texts: { readonly starts: readonly string[]; readonly bad: readonly string[] };
  /** Of all messages, those that are audio; of the others, those that are no valid request. */
  readonly #audioShare: number;
  readonly #badShare: number;

  constructor(next: Random, texts: { readonly starts: readonly string[]; readonly bad: readonly string[] }) {
    this.#next = next;
    this.#pick = picker(next);
    this.#texts = texts;
    this.#audioShare = this.#pick([0.2, 0.6, 0.9, 0.97]);
    this.#badShare = this.#pick([0.05, 0.2, 0.5, 0.95]);
  }

  /** Returns the next message. */
  message({ frameBytes, sentBytes }: Situation): Sent {
    if (this.#next() < this.#audioShare) return this.#audio(frameBytes > 0 && sentBytes === 0);
    if (this.#next() < this.#badShare) return this.#pick(this.#texts.bad);
    const roll = this.#next();
    if (roll < (frameBytes === 0 ? 0.3 : 0.02)) return this.#pick(this.#texts.starts);
    if (roll < 0.6) return '{"request":"flush"}';
    if (roll < 0.95) return '{"request":"keep_alive"}';
    return this.#pick(STOPS);
  }

  #audio(isFirst: boolean): Uint8Array {
    const roll = this.#next();
    if (roll < 0.02 && isFirst) return this.#pick(FOREIGN);
    if (roll > 0.9999) return LARGEST;
    const source = this.#pick(SOURCES);
    const most = roll < 0.01 ? source.length : roll < 0.1 ? 4_000 : roll < 0.9 ? 400 : 5;
    const length = Math.floor(this.#next() * most);
    const start = Math.floor(this.#next() * (source.length - length));
    return source.subarray(start, start + length);
  }
}

const STOPS = ['{"request":"stop"}', '{"request":"stop","disconnect":false}', '{"request":"stop","disconnect":null}'];

/** Describes a message for a report. */
export function describeSent(message: Sent): string {
  if (typeof message !== "string")
    return `${message.length} bytes: ${Buffer.from(message.subarray(0, 16)).toString("hex")}`;
  const text = JSON.stringify(message);
  return text.length <= 300 ? text : `${text.slice(0, 300)}... (${message.length} characters)`;
}
