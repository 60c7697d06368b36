import { ProtocolError } from "../../protocol/errors.ts";
import type { Message } from "../dialect.ts";
import { ByteBlocks } from "./byte-blocks.ts";
import type { BodyFramer } from "./file-route.ts";
import { MultipartParser } from "./multipart.ts";

/** Most bytes of the value of a field. */
export const MAX_FIELD_BYTES = 65_536;

/** What a form says, as the texts of a `FormFramer`. Binary messages between `file` and the next text are the file. */
export type FormMessage =
  { readonly field: string; readonly value: string } | { readonly file: string; readonly type?: string };

/**
 * Cuts a form into messages: a text for each field and for the head of the file, then the file in binary messages, as
 * it comes. The values of fields are kept until they are whole.
 */
export class FormFramer implements BodyFramer {
  readonly #parser: MultipartParser;
  readonly #fileField: string;
  readonly #maxFileBytes: number;
  /** Name of the field that is read, and its value so far. Undefined: the file is. */
  #field: { readonly name: string; readonly value: ByteBlocks } | undefined;
  #files = 0;
  #fileBytes = 0;

  /** @param fileField name of the field with the file */
  constructor(boundary: string, fileField: string, maxFileBytes: number) {
    this.#parser = new MultipartParser(boundary);
    this.#fileField = fileField;
    this.#maxFileBytes = maxFileBytes;
  }

  *push(bytes: Uint8Array): Generator<Message, void> {
    for (const event of this.#parser.push(bytes)) {
      if (event.kind === "part") {
        const { name, filename = "", type } = event.head;
        this.#field = name === this.#fileField ? undefined : { name, value: new ByteBlocks() };
        if (this.#field === undefined) yield this.#beginFile(filename, type);
      } else if (event.kind === "body") {
        if (this.#field !== undefined) this.#keep(this.#field, event.bytes);
        else yield this.#countFile(event.bytes);
      } else if (this.#field !== undefined) {
        const { name, value } = this.#field;
        yield message({ field: name, value: Buffer.concat(value.parts()).toString() });
      }
    }
  }

  end(): void {
    this.#parser.end();
    if (this.#files === 1) return;
    const field = this.#fileField;
    throw new ProtocolError("invalid_request", `${field}: found nothing; allowed: an audio file`, { param: field });
  }

  #beginFile(filename: string, type: string | undefined): string {
    this.#files += 1;
    const field = this.#fileField;
    if (this.#files === 1) return message({ file: filename, ...(type !== undefined && { type }) });
    throw new ProtocolError("invalid_request", `${field}: found several; allowed: one file`, { param: field });
  }

  #countFile(bytes: Uint8Array): Uint8Array {
    this.#fileBytes += bytes.length;
    if (this.#fileBytes <= this.#maxFileBytes) return bytes;
    throw tooLarge(this.#fileField, this.#maxFileBytes);
  }

  #keep({ name, value }: { readonly name: string; readonly value: ByteBlocks }, bytes: Uint8Array): void {
    if (value.length + bytes.length > MAX_FIELD_BYTES) {
      const message = `${name}: found more than ${MAX_FIELD_BYTES} bytes; allowed: at most that`;
      throw new ProtocolError("invalid_request", message, { param: name });
    }
    value.push(bytes);
  }
}

/** The error of a file that is too large. */
export function tooLarge(name: string, maxBytes: number): ProtocolError {
  const allowed = `at most ${maxBytes} bytes (limits.file_mb)`;
  return new ProtocolError("message_too_big", `${name}: found more; allowed: ${allowed}`, { param: name });
}

function message(message: FormMessage): string {
  return JSON.stringify(message);
}
