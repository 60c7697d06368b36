import type { Config } from "../config/settings.ts";
import type { ProtocolError } from "../protocol/errors.ts";
import type { Message, OfferedModel, Opened } from "./dialect.ts";

/**
 * Cuts the bytes of a connection, which has no messages of its own, into those of a dialect. Every connection has an
 * instance. It keeps the beginning of one message at most, and that within limits.
 */
export interface Framer {
  /**
   * Takes bytes as they came, in any cut, and yields the messages that are complete. Throws ProtocolError after those
   * when what follows is no message of the dialect, or beyond a limit; nothing can be found behind it.
   * @param bytes not changed by anybody afterwards
   */
  push(bytes: Uint8Array): Generator<Message, void>;
}

/** The server, as dialects on ports of their own use it. */
export interface PortHost {
  readonly config: Config;
  /** Version of the program. */
  readonly version: string;
  /** The models that clients of the port may use, the default first. */
  models(): readonly OfferedModel[];
}

/** A dialect that is spoken on a TCP port of its own, where a client cannot show who it is. */
export interface Port {
  /** Name of the dialect, and of its section in the configuration. */
  readonly dialect: string;
  /** Throws ProtocolError when the connection is refused. */
  open(host: PortHost): Opened;
  createFramer(config: Config): Framer;
  /** Messages for a client that is refused, before its connection is closed. */
  refuse(error: ProtocolError): readonly Message[];
}
