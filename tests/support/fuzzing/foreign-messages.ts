import { encode, speech } from "../audio.ts";
import type { ForeignLanguage, Message } from "./foreign-languages.ts";

/** Returns a number from 0 up to 1. */
type Random = () => number;

/** Values that no field expects, as JSON writes them. */
const VALUES = [
  ...["1e999", "-1e308", "9007199254740993", "-1", "0.1", "-0", "null", "true", "[]", "{}", '""', '"NaN"', '"\\ud800"'],
  ...['"AAA"', '"####"', '"//8"', '{"__proto__":{"a":1}}', '{"constructor":1}', '"\\u0000"'],
  `"${"x".repeat(5_000)}"`,
  `${"[".repeat(40)}${"]".repeat(40)}`,
];

/** Sound of which samples are taken: silence, speech, and rubbish. */
const SOURCES = [
  new Uint8Array(64_000),
  encode("s16", speech([0.6, 0.6])),
  Uint8Array.from({ length: 64_000 }, (_, n) => (n * 151) ^ (n >> 3)),
];

/** Texts that are no message of any dialect. */
export const RUBBISH: readonly string[] = [
  ...["", " ", "null", "5", "[]", "{}", "{", '"', "\u0000", "\ud800", "true", "hello", "RIFF", "<html>", "data: x"],
  ...['{"__proto__":1}', '{"type":"__proto__"}', '{"message":"constructor"}', '{"type":1e999}', '{"message":{}}'],
  "[".repeat(10_000),
  '{"a":'.repeat(5_000),
  "ä".repeat(20_000),
];

/** Beginnings of files that are not what was announced. */
const FILES = [
  "RIFF\xff\xff\xff\xffWAVEfmt ",
  "RIFF\x24\x00\x00\x00AVI LIST",
  "OggS\x00\x02",
  "fLaC",
  "ID3\x04",
  "\x1aE\xdf\xa3",
];

/** The messages of one hostile client. */
export class ForeignMessages {
  readonly #next: Random;
  readonly #language: ForeignLanguage;
  /** Of all messages, those that carry samples; of the others, those that are not understood. */
  readonly #audioShare: number;
  readonly #badShare: number;

  constructor(next: Random, language: ForeignLanguage) {
    this.#next = next;
    this.#language = language;
    this.#audioShare = this.#pick([0.2, 0.6, 0.9]);
    // Most sessions end at the first that is not understood.
    this.#badShare = this.#pick([0, 0, 0.02, 0.3]);
  }

  /** Returns the next message. @param isFirst none was sent */
  message(isFirst: boolean): Message {
    const { starts, texts, audio } = this.#language;
    const roll = this.#next();
    if (isFirst && starts.length > 0 && roll < 0.8) return this.#pick(starts);
    if (roll > 0.9995) return this.#pick(["x".repeat(3_000_000), new Uint8Array(1_048_577)]);
    if (roll < this.#audioShare) return audio(this.#samples());
    if (this.#next() < this.#badShare) return this.#bad();
    return this.#pick([...texts, ...(this.#next() < 0.1 ? starts : [])]);
  }

  #bad(): Message {
    const { starts, texts, audio, end } = this.#language;
    const roll = this.#next();
    if (roll < 0.2) return this.#pick(RUBBISH);
    if (roll < 0.3) return Buffer.from(this.#pick(FILES), "latin1");
    if (roll < 0.4) return this.#bytes(300);
    const sample = audio(this.#samples());
    const known = [
      ...starts,
      ...texts,
      ...(end === undefined ? [] : [end]),
      ...(typeof sample === "string" ? [sample] : []),
    ];
    return this.#mutated(this.#pick(known));
  }

  /** Returns a text with one value replaced, or with its bytes changed. */
  #mutated(text: string): string {
    const at = Math.floor(this.#next() * text.length);
    switch (Math.floor(this.#next() * 5)) {
      case 0:
        return text.slice(0, at);
      case 1:
        return text + text;
      case 2:
        return `${text.slice(0, at)}${this.#pick(RUBBISH).slice(0, 20)}${text.slice(at)}`;
      default: {
        // A value of a field: it ends where the next begins.
        const values = [...text.matchAll(/:\s*("[^"]*"|[\d.]+|true|false|null)/g)];
        const value = values[Math.floor(this.#next() * values.length)]?.[1] ?? text;
        return text.replace(value, () => this.#pick(VALUES));
      }
    }
  }

  /** Returns sound, or silence, of a length that may cut samples. */
  #samples(): Uint8Array {
    return this.#bytes(Math.floor(this.#next() * this.#pick([3, 500, 3_200, 20_000])));
  }

  #bytes(length: number): Uint8Array {
    const source = this.#pick(SOURCES);
    const start = Math.floor(this.#next() * (source.length - length));
    return source.subarray(start, start + length);
  }

  #pick<Value>(values: readonly Value[]): Value {
    return values[Math.floor(this.#next() * values.length)]!;
  }
}
