import { excerpt } from "../../lib/excerpt.ts";
import { messageOf } from "../../lib/thrown.ts";
import { untilAborted } from "../../lib/until-aborted.ts";
import { UsageError } from "./exit-codes.ts";
import { lastCause } from "./ffmpeg.ts";
import type { ByteStream, Input } from "./input.ts";
import { findRecorders, type FoundRecorder, INSTALL_RECORDER, type Recording } from "./recorders.ts";

/** Longest time without a byte from the recorder. */
const SILENT_MS = 10_000;
/** Longest wait for the end of a recorder that is told to end. */
const END_MS = 1_000;
/** Characters of the recorder's messages that are kept: the last ones. */
const MAX_MESSAGE_LENGTH = 4_096;
/** Characters of a message that are shown. */
const MAX_SHOWN = 300;
/** What recorders report when their sound is not taken in time. */
const LOST_SOUND = /overrun|xrun|queue blocking|dropped|discard/i;
const LIST = "send --microphone=list lists the devices";

type Child = Bun.Subprocess<"ignore", "pipe", "pipe">;

export interface MicrophoneOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Ends the recording when aborted. */
  readonly signal: AbortSignal;
  readonly silentMs?: number;
}

/** The recorder has ended by itself, or gives no sound. The message is a clause about the microphone. */
class RecorderError extends Error {
  override readonly name = "RecorderError";
}

/**
 * Opens a microphone: starts a program that records, and waits for its first sound. Resolves with PCM of 16-bit integers,
 * little-endian. Throws UsageError with what to install if there is no such program, or with its own message if it ends.
 */
export async function openMicrophone(recording: Recording, options: MicrophoneOptions): Promise<Input> {
  const [found] = findRecorders(options.env, recording.device);
  if (found === undefined) {
    throw new UsageError(`--microphone: no program that records is on the PATH; ${INSTALL_RECORDER}`);
  }
  const microphone = new Microphone(found, recording, options);
  try {
    await microphone.begin();
    return microphone;
  } catch (error) {
    await microphone[Symbol.asyncDispose]();
    if (!(error instanceof RecorderError)) throw error;
    const device = recording.device === undefined ? "" : ` ${JSON.stringify(excerpt(recording.device))}`;
    throw new UsageError(`--microphone${device}: ${error.message}; ${LIST}`);
  }
}

class Microphone implements Input {
  readonly name: string;
  readonly size = undefined;
  readonly path = undefined;
  readonly bytes: ByteStream;
  readonly #program: string;
  readonly #child: Child;
  readonly #signal: AbortSignal;
  readonly #silentMs: number;
  readonly #take: () => Promise<{ readonly value?: Uint8Array | undefined }>;
  readonly #messagesRead: Promise<void>;
  #messages = "";
  #first: Uint8Array | undefined;
  readonly #kill = (): void => this.#child.kill("SIGKILL");

  constructor(
    { recorder, program }: FoundRecorder,
    recording: Recording,
    { env, signal, silentMs = SILENT_MS }: MicrophoneOptions,
  ) {
    this.name = `microphone (${recorder.name}, ${recorder.system})`;
    this.#program = recorder.name;
    this.#signal = signal;
    this.#silentMs = silentMs;
    try {
      this.#child = Bun.spawn([program, ...recorder.arguments(recording)], {
        env: { ...env, AV_LOG_FORCE_NOCOLOR: "1", LC_ALL: "C.UTF-8" },
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
        // A group of its own: Ctrl-C in a terminal is for this program, which decides what to do.
        detached: true,
      });
    } catch (error) {
      throw new UsageError(`--microphone: cannot run ${program}: ${messageOf(error)}`);
    }
    process.once("exit", this.#kill);
    const reader = this.#child.stdout.getReader();
    this.#take = () => reader.read();
    this.#messagesRead = this.#readMessages();
    this.bytes = this.#read();
  }

  /** Waits for the first sound. Throws RecorderError, or the reason of the signal. */
  async begin(): Promise<void> {
    this.#first = await untilAborted(this.#next(), this.#signal);
    if (this.#first === undefined) throw new RecorderError(await this.#describeEnd());
  }

  takeWarning(): string | undefined {
    const lost = this.#messages.split("\n").filter((line) => LOST_SOUND.test(line));
    const last = lastCause(lost.at(-1) ?? "", { warnings: true });
    if (last === undefined) return undefined;
    const more = lost.length === 1 ? "" : ` (${lost.length} such messages)`;
    return `${this.name}: sound was lost: ${clean(last, this.#program)}${more}`;
  }

  /** Ends the recorder. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    const timer = setTimeout(this.#kill, END_MS);
    await this.#child.exited;
    clearTimeout(timer);
    process.off("exit", this.#kill);
  }

  async *#read(): AsyncGenerator<Uint8Array, void> {
    let piece = this.#first;
    while (!this.#signal.aborted) {
      if (piece !== undefined) yield piece;
      piece = await untilAborted(this.#next(), this.#signal).catch((error: unknown) => {
        if (!this.#signal.aborted) throw error;
        return undefined;
      });
      if (this.#signal.aborted) return;
      // A microphone has no end: whatever ends it is a fault.
      if (piece === undefined) throw new RecorderError(await this.#describeEnd());
    }
  }

  /** Reads the next piece; undefined: the recorder has ended. Throws RecorderError when it gives none for long. */
  async #next(): Promise<Uint8Array | undefined> {
    const silent = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      const device = "it may be suspended, or in use by another program";
      silent.reject(
        new RecorderError(`${this.#program} gave no sound for ${this.#silentMs / 1000} s: ${device}${this.#reason()}`),
      );
    }, this.#silentMs);
    try {
      return (await Promise.race([this.#take(), silent.promise])).value;
    } finally {
      clearTimeout(timer);
    }
  }

  async #describeEnd(): Promise<string> {
    await this.#child.exited;
    await this.#messagesRead;
    const { exitCode, signalCode } = this.#child;
    const end = signalCode === null ? `exit code ${exitCode}` : String(signalCode);
    return `${this.#program} has ended (${end})${this.#reason()}`;
  }

  /** The message of the recorder, as the end of a clause. */
  #reason(): string {
    const cause = lastCause(this.#messages, { warnings: true });
    return cause === undefined ? "" : `: ${clean(cause, this.#program)}`;
  }

  async #readMessages(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of this.#child.stderr) {
      this.#messages = (this.#messages + decoder.decode(bytes, { stream: true })).slice(-MAX_MESSAGE_LENGTH);
    }
  }
}

/** Removes the name and the place in the source from a message, such as `arecord: main:831: `. */
function clean(message: string, program: string): string {
  const [start = ""] = /^(?:\w+: )?(?:\w+:\d+: )?/.exec(message) ?? [];
  const isOwn = start.startsWith(program) || /:\d+: $/.test(start);
  return excerpt(isOwn ? message.slice(start.length) : message, MAX_SHOWN);
}
