import * as v from "valibot";

import type { Config } from "../../../config/config.ts";
import type { Ended, Ending } from "../../../protocol/ending.ts";
import { ProtocolError } from "../../../protocol/errors.ts";
import type { ServerEvent } from "../../../protocol/events.ts";
import type { AudioFormat } from "../../../protocol/format.ts";
import { MAX_OPTIONS_BYTES } from "../../../protocol/requests.ts";
import type { Dialect, Input, Message } from "../../dialect.ts";
import { ByteBlocks } from "../../files/byte-blocks.ts";
import { FileAudio } from "../../files/file-audio.ts";
import { FileDialect } from "../../files/file-dialect.ts";
import type { FormMessage } from "../../files/form-framer.ts";
import { type ChosenModel, optionsFor } from "../../models.ts";
import { invalidParameter } from "../../query-fields.ts";
import { startInput } from "../../start-input.ts";
import { TranscriptionAnswers } from "./answers.ts";
import { AskedFields } from "./fields.ts";

/** Name of the field with the audio. */
export const FILE_FIELD = "file";
const NO_INPUTS: readonly Input[] = [];

const messageSchema: v.GenericSchema<unknown, FormMessage> = v.union([
  v.object({ field: v.string(), value: v.string() }),
  v.object({ file: v.string(), type: v.exactOptional(v.string()) }),
]);

export interface TranscriptionOptions {
  /** Returns the model for a name, or the default. Throws ProtocolError when there is none. */
  readonly choose: (name: string | undefined) => ChosenModel;
  /** Whatever name may follow, the model is this one. */
  readonly onlyModel: ChosenModel | undefined;
  readonly maxChannels: number;
  readonly dialects: Pick<Config["dialects"], "untexted" | "extras">;
}

/**
 * OpenAI's audio transcriptions: a form with a file, whose fields may stand behind the file. The file is recognised
 * while it comes as soon as no field can change how, and is kept until then.
 */
export class TranscriptionDialect implements Dialect {
  readonly #options: TranscriptionOptions;
  readonly #asked = new AskedFields();
  readonly #file: FileDialect;
  /** The file so far, which waits for the rest of the form; undefined: nothing waits any more. */
  #kept: ByteBlocks | undefined = new ByteBlocks();
  #hasFile = false;

  constructor(options: TranscriptionOptions) {
    this.#options = options;
    this.#file = new FileDialect({
      audio: new FileAudio({ mixes: true, name: FILE_FIELD }),
      start: (format) => this.#start(format),
      form: new TranscriptionAnswers(this.#asked, options.dialects.extras === "on"),
      untexted: options.dialects.untexted,
    });
  }

  begin(): readonly Input[] {
    return NO_INPUTS;
  }

  read(message: Message): readonly Input[] {
    if (typeof message === "string") return this.#guarded(() => this.#readText(message));
    if (this.#kept === undefined) return this.#file.read(message);
    this.#kept.push(message);
    return NO_INPUTS;
  }

  finished(): readonly Input[] {
    const kept = this.#guarded(() => this.#release());
    return [...kept, ...this.#file.finished()];
  }

  write(event: ServerEvent): readonly Message[] {
    return this.#file.write(event);
  }

  endsAt(): boolean {
    return this.#file.endsAt();
  }

  awaitsStream(): boolean {
    return this.#file.awaitsStream();
  }

  close(ending: Ending, message: string): Ended {
    return this.#file.close(ending, message);
  }

  #readText(text: string): readonly Input[] {
    const message = readMessage(text);
    if ("field" in message) this.#asked.take(message.field, message.value);
    else this.#hasFile = true;
    return this.#hasFile && this.#isDecided() ? this.#release() : NO_INPUTS;
  }

  /** What follows in the form cannot change how the audio is recognised. */
  #isDecided(): boolean {
    const { model: name, language, prompt } = this.#asked;
    const chosen = name === undefined ? this.#options.onlyModel : this.#options.choose(name);
    if (chosen === undefined) return false;
    const options = chosen.model?.options ?? [];
    if (options.includes("vocabulary")) return false;
    return (
      (language !== undefined || !options.includes("language")) && (prompt !== undefined || !options.includes("prompt"))
    );
  }

  #release(): readonly Input[] {
    const kept = this.#kept;
    this.#kept = undefined;
    return kept?.parts().flatMap((bytes) => [...this.#file.read(bytes)]) ?? NO_INPUTS;
  }

  #start(format: AudioFormat): Input {
    const { language, prompt, keywords, model } = this.#asked;
    try {
      const chosen = this.#options.choose(model);
      const vocabulary = keywords.length === 0 ? undefined : keywords;
      const options = optionsFor(chosen.model, { language, prompt, vocabulary });
      if (options !== undefined && Buffer.byteLength(JSON.stringify(options)) > MAX_OPTIONS_BYTES) {
        throw invalidParameter(
          "prompt",
          `more than ${MAX_OPTIONS_BYTES} bytes`,
          "at most that, with language and keywords",
        );
      }
      const fields = { ...(chosen.name !== undefined && { model: chosen.name }), ...(options && { options }) };
      return startInput({ ...fields, format }, this.#options.maxChannels);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return { kind: "refused", error, meant: "start" };
    }
  }

  #guarded(act: () => readonly Input[]): readonly Input[] {
    try {
      return act();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#kept = undefined;
      return this.#file.refuse(error);
    }
  }
}

function readMessage(text: string): FormMessage {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const result = v.safeParse(messageSchema, value);
  if (result.success) return result.output;
  throw new ProtocolError(
    "invalid_request",
    "body: found a message that is no part of a form; allowed: a field or a file",
  );
}
