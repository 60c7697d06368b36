import { isAbsolute, resolve } from "node:path";

import { messageOf } from "../../lib/thrown.ts";

/**
 * The demuxers that files may be given to, by `id` of the kind of file. Each reads one container from one file. ffmpeg's
 * choice by content could fall on a playlist, which names other files and URLs.
 */
const DEMUXERS: Readonly<Record<string, string>> = {
  wav: "wav",
  rifx: "wav",
  mp3: "mp3",
  flac: "flac",
  ogg: "ogg",
  matroska: "matroska",
  mov: "mov",
};

/** Longest time without a byte from ffmpeg, while it has all that it can have of its input. */
const STALL_MS = 30_000;
/** Largest block that ffmpeg may allocate: a file can declare sizes of its own. */
const MAX_ALLOCATION_BYTES = 256 * 1024 * 1024;
/** Characters of ffmpeg's messages that are kept: the last ones. */
const MAX_MESSAGE_LENGTH = 4096;
/** Characters of a message that are shown. */
const MAX_SHOWN_LENGTH = 300;

/** Messages without a cause, which follow one with a cause. */
const VAGUE =
  /^(Invalid data found|Error (opening|submitting|while)|Conversion failed|Nothing was written|Output file|Last message|To ignore|Not yet implemented)/;

/** A demuxer for a kind of file; undefined if there is none that is safe. */
export function demuxerFor(kindId: string): string | undefined {
  return DEMUXERS[kindId];
}

/** ffmpeg could not decode its input. The message is a clause about the input. */
export class DecodeError extends Error {
  override readonly name = "DecodeError";
}

export interface FfmpegOptions {
  /** Path of the program. */
  readonly program: string;
  readonly demuxer: string;
  /** A path, or the bytes of a pipe. */
  readonly input: string | AsyncIterator<Uint8Array>;
  /** Ends the decoding when aborted. */
  readonly interrupt?: AbortSignal | undefined;
  readonly stallMs?: number | undefined;
}

type Child = Bun.Subprocess<"pipe" | "ignore", "pipe", "pipe">;

/**
 * Decodes the first audio stream of a file with ffmpeg, at the rate and with the channels that it has, to a WAV stream
 * of 32-bit floats. ffmpeg runs as fast as its output is read.
 */
export class FfmpegDecoder implements AsyncDisposable {
  readonly #child: Child;
  readonly #stallMs: number;
  readonly #interrupt: AbortSignal | undefined;
  readonly #kill = () => this.#child.kill("SIGKILL");
  readonly #messagesRead: Promise<void>;
  #messages = "";
  /** The pipe that is decoded has no bytes at the moment. */
  #awaitsInput = false;
  #inputError: unknown;
  /** Runs while something of ffmpeg is waited for. */
  #stallTimer: NodeJS.Timeout | undefined;
  #stalled = false;
  #succeeded = false;

  /** Starts ffmpeg. Throws DecodeError. */
  constructor({ program, demuxer, input, interrupt, stallMs = STALL_MS }: FfmpegOptions) {
    this.#stallMs = stallMs;
    this.#interrupt = interrupt;
    const isPipe = typeof input !== "string";
    try {
      this.#child = Bun.spawn([resolve(program), ...ffmpegArguments(demuxer, isPipe ? undefined : input)], {
        // Nothing is named by a relative path.
        cwd: "/",
        env: { ...process.env, AV_LOG_FORCE_NOCOLOR: "1" },
        stdin: isPipe ? "pipe" : "ignore",
        stdout: "pipe",
        stderr: "pipe",
        // A group of its own: Ctrl-C in a terminal is for this program, which decides what to do.
        detached: true,
      });
    } catch (error) {
      throw new DecodeError(`cannot run ${program}: ${messageOf(error)}`);
    }
    process.once("exit", this.#kill);
    interrupt?.addEventListener("abort", this.#kill, { once: true });
    if (interrupt?.aborted === true) this.#kill();
    this.#messagesRead = this.#readMessages();
    if (isPipe) void this.#feed(input);
  }

  /** Reads the WAV stream. Throws DecodeError if ffmpeg fails, also after the last byte. */
  async *bytes(): AsyncGenerator<Uint8Array, void> {
    const reader = this.#child.stdout.getReader();
    try {
      for (;;) {
        const { done, value } = await this.#orStall(reader.read());
        if (done || this.#interrupt?.aborted === true) break;
        yield value;
      }
      await this.#orStall(this.#child.exited);
      await this.#messagesRead;
      if (this.#interrupt?.aborted !== true) this.#checkExit();
      this.#succeeded = true;
    } finally {
      await this[Symbol.asyncDispose]();
    }
  }

  /** True when the input has been decoded to its end. */
  get succeeded(): boolean {
    return this.#succeeded;
  }

  /**
   * Returns the last message that names a cause, in one line; undefined if there is no new one. Errors go before
   * warnings, which are left out on request.
   */
  takeMessage({ warnings }: { readonly warnings: boolean }): string | undefined {
    const cause = lastCause(this.#messages, { warnings });
    this.#messages = "";
    return cause;
  }

  /** Ends ffmpeg, if it still runs, and waits for its end. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#kill();
    await this.#child.exited;
    process.off("exit", this.#kill);
    this.#interrupt?.removeEventListener("abort", this.#kill);
  }

  #checkExit(): void {
    if (this.#inputError !== undefined) throw new DecodeError(messageOf(this.#inputError));
    if (this.#stalled) throw new DecodeError(`ffmpeg gave no audio for ${this.#stallMs / 1000} s`);
    const { exitCode, signalCode } = this.#child;
    if (exitCode === 0) return;
    const end = signalCode === null ? `exit code ${exitCode}` : String(signalCode);
    throw new DecodeError(`ffmpeg cannot decode it: ${this.takeMessage({ warnings: true }) ?? `no message, ${end}`}`);
  }

  /** Waits for something of ffmpeg. Kills it when that takes too long, so that the wait ends. */
  async #orStall<Result>(waiting: Promise<Result>): Promise<Result> {
    const timer = setTimeout(() => {
      // The time begins again with the next bytes of the input.
      if (this.#awaitsInput) return;
      this.#stalled = true;
      this.#kill();
    }, this.#stallMs);
    this.#stallTimer = timer;
    try {
      return await waiting;
    } finally {
      clearTimeout(timer);
      this.#stallTimer = undefined;
    }
  }

  /** Copies the input to ffmpeg, as fast as it takes it. */
  async #feed(input: AsyncIterator<Uint8Array>): Promise<void> {
    const stdin = this.#child.stdin;
    if (stdin === undefined) return;
    try {
      for (;;) {
        this.#awaitsInput = true;
        const { done, value } = await input.next().catch((error: unknown) => {
          this.#inputError = error;
          return { done: true, value: undefined } as const;
        });
        this.#awaitsInput = false;
        this.#stallTimer?.refresh();
        if (done === true) break;
        // A piece is valid until the next one is read, and ffmpeg may take it later.
        await stdin.write(value.slice());
        await stdin.flush();
      }
      await stdin.end();
    } catch {
      // ffmpeg has ended, which its exit code explains.
      void input.return?.();
    }
  }

  async #readMessages(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of this.#child.stderr) {
      this.#messages = (this.#messages + decoder.decode(bytes, { stream: true })).slice(-MAX_MESSAGE_LENGTH);
    }
  }
}

/** `path`: of the input, absolute or relative to the current folder; undefined: standard input. */
function ffmpegArguments(demuxer: string, path: string | undefined): string[] {
  const absolute = path === undefined || isAbsolute(path) ? path : resolve(path);
  return [
    ...["-nostdin", "-hide_banner", "-loglevel", "level+warning", "-max_alloc", String(MAX_ALLOCATION_BYTES)],
    // No file that this one names is opened.
    ...["-protocol_whitelist", "file,pipe", ...(demuxer === "mov" ? ["-enable_drefs", "0"] : [])],
    // The prefix keeps a name with a colon from being a URL.
    ...["-f", demuxer, "-i", absolute === undefined ? "pipe:0" : `file:${absolute}`],
    ...["-map", "0:a:0", "-vn", "-sn", "-dn", "-map_metadata", "-1"],
    ...["-c:a", "pcm_f32le", "-f", "wav", "pipe:1"],
  ];
}

/** Returns the last message of a program that names a cause; undefined: there is none. Errors go before warnings. */
export function lastCause(messages: string, { warnings }: { readonly warnings: boolean }): string | undefined {
  const lines = messages.split("\n").map(parseMessage);
  const shown = lines.filter(({ text, isWarning }) => text !== "" && (warnings || !isWarning));
  const causes = shown.filter(({ text }) => !VAGUE.test(text));
  const last =
    causes.findLast(({ isWarning }) => !isWarning) ?? causes.at(-1) ?? shown.findLast(({ isWarning }) => !isWarning);
  return last?.text.slice(0, MAX_SHOWN_LENGTH);
}

/** Removes what ffmpeg puts in front of a message, and characters that could control a terminal. */
function parseMessage(line: string): { text: string; isWarning: boolean } {
  const plain = line.replaceAll(/\p{Cc}/gu, "").trim();
  const [start = "", level] = /^(?:\[[^\]]* @ 0x[0-9a-f]+\] )*(?:\[(\w+)\] )?/.exec(plain) ?? [];
  const text = plain.slice(start.length).replace(/^(file:\/.*?|pipe:\d): /, "");
  return { text, isWarning: level === "warning" };
}
