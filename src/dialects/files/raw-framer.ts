import type { Message } from "../dialect.ts";
import type { BodyFramer } from "./file-route.ts";

/** A body that is a file: all of it is audio. */
export class RawFramer implements BodyFramer {
  *push(bytes: Uint8Array): Generator<Message, void> {
    if (bytes.length > 0) yield bytes;
  }

  end(): void {}
}
