import type { Ended, Ending } from "../../protocol/ending.ts";
import { type ErrorRow, ERRORS, ProtocolError } from "../../protocol/errors.ts";
import type { ErrorEvent, ServerEvent, Stopped } from "../../protocol/events.ts";
import type { AudioFormat } from "../../protocol/format.ts";
import type { Dialect, Input, Message } from "../dialect.ts";
import { type Answer, answerMessages } from "./answer.ts";
import type { FileAudio } from "./file-audio.ts";
import { type Passage, Transcript } from "./transcript.ts";

const NO_INPUTS: readonly Input[] = [];
const NO_MESSAGES: readonly Message[] = [];
const STOP: Input = { kind: "request", request: { request: "stop", disconnect: true } };

/** The answer to a file, in the form of one service. */
export interface AnswerForm {
  /** Returns what is sent as soon as a result is there; nothing unless the answer is streamed. */
  passage?(passage: Passage): readonly Message[];
  /** Returns the rest of the answer. */
  complete(transcript: Transcript): readonly Message[];
  /** Returns the answer that reports an error. */
  refuse(error: ProtocolError): Answer;
  /** Returns what is sent instead when a part of the answer has been. */
  breakOff?(error: ProtocolError): readonly Message[];
}

export interface FileDialectOptions {
  readonly audio: FileAudio;
  /** Returns the input that starts the stream of a format. */
  readonly start: (format: AudioFormat) => Input;
  readonly form: AnswerForm;
  readonly untexted: "fields" | "empty";
}

/**
 * A file as one stream: binary messages are its bytes, and the answer has the results of all of it. An answer without a
 * part of the text would pass for the whole, so that one failed part is an error. There is one answer, whatever happens.
 */
export class FileDialect implements Dialect {
  readonly #options: FileDialectOptions;
  readonly #transcript: Transcript;
  #isStarted = false;
  /** The stream has started, or there is none. */
  #hasStream = false;
  /** The whole file has been read. */
  #isRead = false;
  #hasStopped = false;
  /** A part of the answer has been sent, or all of it. */
  #answered: "no" | "partly" | "wholly" = "no";
  /** The first error that ends the session, which its end explains. */
  #fault: string | ProtocolError = "";

  constructor(options: FileDialectOptions) {
    this.#options = options;
    this.#transcript = new Transcript(options.untexted);
  }

  begin(): readonly Input[] {
    return NO_INPUTS;
  }

  read(message: Message): readonly Input[] {
    if (this.#isRead || typeof message === "string" || message.length === 0) return NO_INPUTS;
    // The answer is known, and nothing that follows changes it.
    if (this.#transcript.failure !== undefined) return this.#stop();
    return this.#inputs((audio) => audio.push(message));
  }

  finished(): readonly Input[] {
    if (this.#isRead) return NO_INPUTS;
    return [...this.#inputs((audio) => audio.end()), ...this.#stop()];
  }

  write(event: ServerEvent): readonly Message[] {
    if (event.type === "started") this.#hasStream = true;
    const passage = this.#transcript.note(event);
    if (passage !== undefined) {
      const messages = this.#options.form.passage?.(passage) ?? NO_MESSAGES;
      if (messages.length > 0 && this.#answered === "no") this.#answered = "partly";
      return messages;
    }
    if (event.type === "error" && event.start_time === undefined) this.#break(reasonOf(event));
    return event.type === "stopped" ? this.#stopped(event) : NO_MESSAGES;
  }

  endsAt(): boolean {
    return true;
  }

  awaitsStream(): boolean {
    return !this.#hasStream;
  }

  close(ending: Ending, message: string): Ended {
    const code = ending === "stop" || ending === "drain" ? (ending === "stop" ? 1000 : 1001) : closeOf(ERRORS[ending]);
    const end = { ending, code, reason: ending };
    if (this.#answered === "wholly") return end;
    const fault = this.#fault;
    if (typeof fault === "object" && fault.code === ending) return { ...end, last: this.#fail(fault) };
    const explained = message === "" && typeof fault === "string" ? fault : message;
    return { ...end, last: this.#fail(errorOf(ending, explained)) };
  }

  /** Returns the input of a file that is not recognised. Nothing more of it is read. */
  refuse(error: ProtocolError): readonly Input[] {
    this.#break(error);
    return [{ kind: "refused", error, meant: "start" }];
  }

  #inputs(take: (audio: FileAudio) => readonly Uint8Array[]): readonly Input[] {
    const { audio, start } = this.#options;
    let parts: readonly Uint8Array[];
    try {
      parts = take(audio);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return this.refuse(error);
    }
    if (audio.format === undefined) return NO_INPUTS;
    const inputs = parts.map((bytes): Input => ({ kind: "audio", bytes }));
    if (this.#isStarted) return inputs;
    this.#isStarted = true;
    return [start(audio.format), ...inputs];
  }

  /** Nothing of the file counts any more. The first reason is the one that explains the rest. */
  #break(reason: string | ProtocolError): void {
    if (this.#fault === "") this.#fault = reason;
    this.#hasStream = true;
    this.#isRead = true;
    this.#hasStopped = true;
  }

  #stop(): readonly Input[] {
    if (this.#hasStopped) return NO_INPUTS;
    this.#isRead = true;
    this.#hasStopped = true;
    return [STOP];
  }

  #stopped({ reason }: Stopped): readonly Message[] {
    // Other ends have an error of their own.
    if (reason !== "stop" || this.#answered === "wholly") return NO_MESSAGES;
    const { failure, hasAudio } = this.#transcript;
    if (failure !== undefined) return this.#fail(new ProtocolError(failureCode(failure.code), failure.message));
    if (!hasAudio) return this.#fail(this.#noAudio());
    this.#answered = "wholly";
    return this.#options.form.complete(this.#transcript);
  }

  #fail(error: ProtocolError): readonly Message[] {
    const { form } = this.#options;
    const isOpen = this.#answered === "partly";
    this.#answered = "wholly";
    return isOpen ? (form.breakOff?.(error) ?? NO_MESSAGES) : answerMessages(form.refuse(error));
  }

  #noAudio(): ProtocolError {
    const { name } = this.#options.audio;
    return new ProtocolError("invalid_request", `${name}: found no samples; allowed: audio`, { param: name });
  }
}

function closeOf({ close = 1008 }: ErrorRow): number {
  return close;
}

/** What an error says that ends the session, with the field that it is about. */
function reasonOf({ code, message, param }: ErrorEvent): string | ProtocolError {
  return param === undefined ? message : new ProtocolError(failureCode(code), message, { param });
}

function failureCode(code: string): keyof typeof ERRORS {
  return Object.hasOwn(ERRORS, code) ? (code as keyof typeof ERRORS) : "internal";
}

/** The error that an ending is for a client that waits for its answer. */
function errorOf(ending: Ending, message: string): ProtocolError {
  if (ending === "drain") return new ProtocolError("draining", message || "the server is shutting down");
  if (ending === "stop") return new ProtocolError("internal", message || "the upload has ended without an answer");
  return new ProtocolError(ending, message || ERRORS[ending].meaning);
}
