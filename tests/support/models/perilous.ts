import { dlopen } from "bun:ffi";
import { readFileSync, writeSync } from "node:fs";

import type { Call, Model, ModelModule } from "../../../src/model/model.ts";

const NUMBERS = {
  answer: 0,
  segfault: 1,
  abort: 2,
  exit: 3,
  memory: 4,
  killed: 5,
  /** An endless loop in JavaScript. */
  spin: 6,
  /** An endless wait in native code. */
  native: 7,
  /** The same, and SIGTERM is ignored. */
  stubborn: 8,
  uncaught: 9,
  /** Writes bytes that are no frame to the channel. */
  garbage: 10,
  /** Writes a frame that is too long. */
  long: 11,
  /** Writes a result of a call that is not open. */
  forged: 12,
  flood: 13,
  environment: 14,
  /** Writes to the samples of the server. */
  scribble: 15,
  print: 16,
  /** Starts a process that would outlive this one, and waits for ever. */
  parent: 17,
  memoryMaps: 18,
  hang: 19,
  /** A C library gets no memory, and does not look. */
  malloc: 20,
} as const;

/**
 * Actions of the model, by the first sample of the audio: what ends a process, or keeps it from ending. They are small,
 * because a server limits samples.
 */
export const PERILS = Object.fromEntries(
  Object.entries(NUMBERS).map(([name, number]) => [name, number / 64]),
) as Readonly<Record<keyof typeof NUMBERS, number>>;

const libc = dlopen("libc.so.6", {
  abort: { args: [], returns: "void" },
  raise: { args: ["i32"], returns: "i32" },
  setrlimit: { args: ["i32", "buffer"], returns: "i32" },
  signal: { args: ["i32", "usize"], returns: "usize" },
  sleep: { args: ["u32"], returns: "u32" },
  malloc: { args: ["usize"], returns: "usize" },
  memset: { args: ["usize", "i32", "usize"], returns: "usize" },
  mprotect: { args: ["usize", "usize", "i32"], returns: "i32" },
}).symbols;

const RLIMIT_AS = 9;
const [SIGSEGV, SIGKILL, SIGTERM] = [11, 9, 15];
const CHANNEL_FD = 3;
const FOREVER_S = 100_000;

class Perilous implements Model<object> {
  infer(audio: Float32Array, call: Call): object | Promise<object> {
    switch (audio[0]) {
      case PERILS.segfault:
        libc.raise(SIGSEGV);
        libc.memset(8, 1, 8);
        break;
      case PERILS.abort:
        libc.abort();
        break;
      case PERILS.exit:
        return process.exit(7);
      case PERILS.memory:
        exhaustMemory();
        break;
      case PERILS.malloc:
        limitMemory(64 * 1024 * 1024);
        for (;;) libc.memset(libc.malloc(16 * 1024 * 1024), 1, 16 * 1024 * 1024);
      case PERILS.killed:
        process.kill(process.pid, SIGKILL);
        break;
      case PERILS.spin:
        for (;;);
      case PERILS.stubborn:
        libc.signal(SIGTERM, 1);
        libc.sleep(FOREVER_S);
        break;
      case PERILS.native:
        libc.sleep(FOREVER_S);
        break;
      case PERILS.hang:
        return new Promise(() => {});
      case PERILS.uncaught:
        setTimeout(() => {
          throw new Error("outside of any call");
        }, 0);
        return new Promise(() => {});
      case PERILS.garbage:
        writeSync(CHANNEL_FD, "what a library prints to descriptor 3\n");
        break;
      case PERILS.long:
        writeSync(CHANNEL_FD, Uint8Array.of(255, 255, 255, 255, 0, 0, 0, 0));
        break;
      case PERILS.forged: {
        const header = JSON.stringify({ type: "done", call: 12_345, inferMs: 0, results: [{}] });
        const prefix = new Uint8Array(new Uint32Array([header.length, 0]).buffer);
        writeSync(CHANNEL_FD, prefix);
        writeSync(CHANNEL_FD, header);
        break;
      }
      case PERILS.flood:
        for (let line = 0; line < 20_000; line++) console.log(`line ${line} ${"x".repeat(50)}`);
        console.log("y".repeat(1_000_000));
        break;
      case PERILS.environment:
        return { environment: Object.entries(process.env).map((entry) => entry.join("=")) };
      case PERILS.scribble: {
        const [from, to] = arenaRange();
        // The descriptor of the mapping could only be read, so it cannot be made writable.
        if (libc.mprotect(from, to - from, 3) === 0) return { protected: false };
        libc.memset(from, 1, 4096);
        break;
      }
      case PERILS.print:
        console.log("to standard output");
        console.error("to standard error");
        break;
      case PERILS.parent:
        Bun.spawn(["sleep", String(FOREVER_S)], { stdio: ["ignore", "ignore", "ignore"] });
        libc.sleep(FOREVER_S);
        break;
      case PERILS.memoryMaps:
        return { maps: arenaMaps() };
    }
    return { final: call.final, pid: process.pid };
  }
}

/** Allocates until the process has no address space left. An array for which there is no room would be an error only. */
function exhaustMemory(): void {
  limitMemory(64 * 1024 * 1024);
  for (let kept: unknown; ;) kept = { kept, a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7, h: 8, i: 9, j: 10, k: 11, l: 12 };
}

/** Limits the address space to so many bytes more than it has. */
function limitMemory(more: number): void {
  const bytes = Number(/^VmSize:\s+(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) * 1024;
  const limit = BigInt(bytes + more);
  libc.setrlimit(RLIMIT_AS, new BigUint64Array([limit, limit]));
}

function arenaMaps(): string[] {
  return readFileSync("/proc/self/maps", "utf8")
    .split("\n")
    .filter((line) => line.includes("streamer-arena"));
}

function arenaRange(): [from: number, to: number] {
  const [from = "", to = ""] = arenaMaps()[0]?.split(" ")[0]?.split("-") ?? [];
  return [parseInt(from, 16), parseInt(to, 16)];
}

export default {
  name: "perilous",
  load(settings: Record<string, unknown>) {
    if (settings["load"] === "native") libc.sleep(FOREVER_S);
    if (settings["load"] === "segfault") libc.raise(SIGSEGV);
    return new Perilous();
  },
} satisfies ModelModule;
