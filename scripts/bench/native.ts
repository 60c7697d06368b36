// Cost of the C library through bun:ffi: conversion, resampling, inspection and voice activity detection.
//
//   bun run bench native
//
// Numbers are medians of several rounds. Compare the numbers of one run with each other, not those of different
// machines. The resampler is compared with libsoxr where it is installed (Debian: libsoxr0).

import { SAMPLE_FORMAT_NAMES, SAMPLE_FORMATS, type SampleFormat } from "../../src/lib/sample-format.ts";
import { Inspector } from "../../src/native/inspector.ts";
import { PcmConverter } from "../../src/native/pcm.ts";
import { Resampler } from "../../src/native/resampler.ts";
import { EnergyVad } from "../../src/native/vad.ts";
import { reportFigure } from "./support/figures.ts";
import { printMachine } from "./support/machine.ts";
import { soxrPresent, soxrStream } from "./support/soxr.ts";
import { median } from "./support/statistics.ts";

const ROUNDS = 9;

const PAIRS: readonly (readonly [number, number])[] = [
  [48000, 16000],
  [44100, 16000],
  [8000, 16000],
  [11025, 16000],
  [12345, 16000],
  [47999, 16000],
  [383987, 16000],
  [16000, 48000],
];

/** Nanoseconds of one call of `work`, the median over rounds of about 10 ms each. */
function nanoseconds(work: () => void): number {
  let calls = 1;
  for (;;) {
    const start = Bun.nanoseconds();
    for (let i = 0; i < calls; i++) work();
    if (Bun.nanoseconds() - start > 10e6) break;
    calls *= 2;
  }
  const times = Array.from({ length: ROUNDS }, () => {
    const start = Bun.nanoseconds();
    for (let i = 0; i < calls; i++) work();
    return (Bun.nanoseconds() - start) / calls;
  });
  return median(times);
}

function row(name: string, ...cells: string[]): void {
  console.log([name.padEnd(24), ...cells.map((cell) => cell.padStart(20))].join(" "));
}

/** The same conversion in JavaScript, for s16 mono. */
function javascriptLoop(bytes: Uint8Array, out: Float32Array): void {
  const samples = new Int16Array(bytes.buffer, 0, bytes.length >> 1);
  for (let i = 0; i < samples.length; i++) out[i] = (samples[i] ?? 0) / 32768;
}

function benchPcm(): void {
  const out = new Float32Array(new SharedArrayBuffer(4 * 2 ** 19));
  const samplesPerNanosecond = (format: SampleFormat, channels: number, length: number) => {
    using converter = new PcmConverter(format, channels);
    const whole = length - (length % converter.frameBytes);
    const bytes = new Uint8Array(whole);
    if (format === "f32") new Float32Array(bytes.buffer).fill(0.25);
    const offsets = Uint32Array.from({ length: channels }, (_, channel) => channel * 2 ** 17);
    const time = nanoseconds(() => converter.process(bytes, 0, whole, out, offsets));
    return `${(whole / SAMPLE_FORMATS[format].bytes / time).toFixed(2)}`;
  };
  console.log("conversion, samples a nanosecond");
  row("", "mono, 3200 B", "mono, 64 KiB", "stereo, 3200 B", "stereo, 64 KiB");
  for (const format of SAMPLE_FORMAT_NAMES)
    row(
      format,
      samplesPerNanosecond(format, 1, 3200),
      samplesPerNanosecond(format, 1, 65536),
      samplesPerNanosecond(format, 2, 3200),
      samplesPerNanosecond(format, 2, 65536),
    );
  const loop = (length: number) => {
    const bytes = new Uint8Array(length);
    return (length / 2 / nanoseconds(() => javascriptLoop(bytes, out))).toFixed(2);
  };
  row("s16 in JavaScript", loop(3200), loop(65536));
  const copy = (length: number) => {
    const [from, to] = [new Uint8Array(length), new Uint8Array(length)];
    return `${(length / nanoseconds(() => to.set(from))).toFixed(1)} GB/s`;
  };
  row("copying bytes", copy(3200), copy(65536));
}

/** Microseconds of one piece. The streams alternate, so that each finds the processor caches filled by others. */
function inTurn(pieces: readonly (() => void)[]): number {
  let turn = 0;
  const time = nanoseconds(() => {
    pieces[turn]?.();
    turn = (turn + 1) % pieces.length;
  });
  return time / 1e3;
}

function benchResampler(): void {
  const streams = 400;
  const peer = soxrPresent ? "libsoxr HQ, us" : "libsoxr not installed";
  console.log(`\nresampler, 20 ms pieces, mono, ${streams} streams in turn`);
  row("", "us a piece", peer, "times libsoxr's speed", "first stream, ms", "state, bytes", "filter, KiB");
  for (const [from, to] of PAIRS) {
    const begin = Bun.nanoseconds();
    using first = new Resampler(from, to);
    const opening = (Bun.nanoseconds() - begin) / 1e6;
    const input = Float32Array.from({ length: Math.floor(from / 50) }, (_, i) => Math.sin(i / 7));
    const out = new Float32Array(Math.ceil(to / 50) + 1000);
    const ours = Array.from({ length: streams }, () => new Resampler(from, to));
    const time = inTurn(ours.map((resampler) => () => resampler.process(input, 0, input.length, out, 0)));
    for (const resampler of ours) resampler[Symbol.dispose]();
    const theirs = Array.from({ length: streams }, () => soxrStream(from, to)).filter((stream) => stream !== undefined);
    const peerTime = theirs.length > 0 ? inTurn(theirs.map((stream) => () => stream.process(input, out))) : NaN;
    for (const stream of theirs) stream.close();
    if (from === 48_000) reportFigure("native/soxr_ratio", peerTime / time);
    row(
      `${from} -> ${to} Hz`,
      time.toFixed(2),
      peerTime.toFixed(2),
      (peerTime / time).toFixed(1),
      opening.toFixed(2),
      String(first.bytes),
      (first.filterBytes / 1024).toFixed(0),
    );
  }
}

function benchDetectors(): void {
  console.log("\n100 ms of 16 kHz audio, mono and stereo");
  row("", "us", "times real time");
  const samples = Float32Array.from({ length: 3200 }, (_, i) => 0.3 * Math.sin(i / 7 + i * i));
  for (const channels of [1, 2]) {
    using inspector = new Inspector(16000, channels);
    const offsets = Uint32Array.from({ length: channels }, (_, channel) => channel * 1600);
    const time = nanoseconds(() => inspector.process(samples, offsets, 1600));
    row(`inspector, ${channels}`, (time / 1e3).toFixed(2), Math.round(1e8 / time).toLocaleString("en"));
  }
  using vad = new EnergyVad(16000, 10, -70);
  const [speech, level] = [new Uint8Array(11), new Float32Array(11)];
  const time = nanoseconds(() => vad.process(samples, 0, 1600, speech, level));
  reportFigure("native/vad_times", 1e8 / time);
  row("energy VAD, 1", (time / 1e3).toFixed(2), Math.round(1e8 / time).toLocaleString("en"));
}

printMachine();
benchPcm();
benchResampler();
benchDetectors();
