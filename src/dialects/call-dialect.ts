import type { Config } from "../config/config.ts";
import type { Pattern } from "../pipeline/pattern.ts";
import type { Ended, Ending } from "../protocol/ending.ts";
import { type ErrorRow, ERRORS, ProtocolError } from "../protocol/errors.ts";
import type { ServerEvent } from "../protocol/events.ts";
import { readRequest, type Request } from "../protocol/requests.ts";
import type { CallDetails, CallLine } from "./calls.ts";
import type { Dialect, Input, Message, OfferedModel } from "./dialect.ts";
import { chooseModel, optionsFor } from "./models.ts";

const NO_INPUTS: readonly Input[] = [];
const NO_MESSAGES: readonly Message[] = [];
const STOP: Input = { kind: "request", request: { request: "stop", disconnect: true } };

/** What a call asks for beside the format of its audio. Undefined: it does not say. */
export interface CallWishes {
  readonly model?: string | undefined;
  readonly language?: string | undefined;
  readonly interimResults?: boolean;
}

/** What a message of a telephone system means. */
export type CallMessage =
  | {
      readonly kind: "start";
      readonly details: CallDetails;
      /** Format of the audio that follows, which has not been checked; an error: why it cannot be taken. */
      readonly format: object | ProtocolError;
      readonly wishes: CallWishes;
    }
  | { readonly kind: "audio"; readonly bytes: Uint8Array }
  | { readonly kind: "stop" };

/** Reads the messages of one connection to a telephone system. */
export interface CallReader {
  /** Returns what a message means; undefined: nothing. Throws ProtocolError; the connection then ends. */
  read(message: Message): CallMessage | undefined;
}

export interface CallDialectOptions {
  readonly config: Pick<Config, "limits" | "dialects">;
  /** The models that the caller may use, the default first. */
  readonly models: readonly OfferedModel[];
  /** That of the connection: a model of another one is not chosen. */
  readonly pattern: Pattern;
  readonly reader: CallReader;
  readonly line: CallLine;
}

/**
 * The protocols of telephone systems. Their clients send the audio of a call, and have no place for results, which go to
 * those who watch the call instead. `docs/dialects/calls.md` describes it.
 */
export class CallDialect implements Dialect {
  readonly #options: CallDialectOptions;
  /** A stream is open, as far as messages have been read. */
  #isOpen = false;
  #isEnding = false;

  constructor(options: CallDialectOptions) {
    this.#options = options;
  }

  begin(): readonly Input[] {
    return NO_INPUTS;
  }

  read(message: Message): readonly Input[] {
    if (this.#isEnding) return NO_INPUTS;
    try {
      return this.#inputs(this.#options.reader.read(message));
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return [{ kind: "refused", error, ...(!this.#isOpen && { meant: "start" }) }];
    }
  }

  finished(): readonly Input[] {
    return this.#isOpen && !this.#isEnding ? [this.#stop()] : NO_INPUTS;
  }

  write(event: ServerEvent): readonly Message[] {
    this.#options.line.tell(event);
    return NO_MESSAGES;
  }

  /** A telephone cannot try again. */
  endsAt(): boolean {
    return true;
  }

  close(ending: Ending): Ended {
    this.#options.line.end(ending);
    if (ending === "stop") return { ending, code: 1000, reason: "" };
    if (ending === "drain") return { ending, code: 1001, reason: "draining" };
    const { close = 1008 }: ErrorRow = ERRORS[ending];
    return { ending, code: close, reason: ending };
  }

  #inputs(message: CallMessage | undefined): readonly Input[] {
    switch (message?.kind) {
      case undefined:
        return NO_INPUTS;
      case "start":
        return [this.#start(message)];
      case "audio":
        return [message];
      case "stop":
        // Without a stream, the error of the stop ends the session: see `endsAt`.
        return [this.#stop()];
    }
  }

  #start({ details, format, wishes }: Extract<CallMessage, { kind: "start" }>): Input {
    // Those who watch it see why it is refused.
    this.#options.line.begin(details);
    if (format instanceof ProtocolError) throw format;
    const request = this.#startRequest(format, wishes);
    this.#isOpen = true;
    return { kind: "request", request };
  }

  #startRequest(format: object, { model, language, interimResults = false }: CallWishes): Request {
    const { config, models, pattern } = this.#options;
    const chosen = chooseModel(model, models, config.dialects);
    if (chosen.pattern !== pattern) {
      const message = `model: found ${chosen.name}, which is for ${chosen.pattern.name}; allowed: models as the default`;
      throw new ProtocolError("invalid_request", message, { param: "model" });
    }
    const options = optionsFor(chosen.model, { language });
    return readRequest(
      {
        request: "start",
        format,
        interim_results: interimResults && pattern.usesVad,
        ...(chosen.name !== undefined && { model: chosen.name }),
        ...(options !== undefined && { options }),
      },
      { maxChannels: config.limits.max_channels },
    );
  }

  #stop(): Input {
    this.#isEnding = true;
    return STOP;
  }
}
