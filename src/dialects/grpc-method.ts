import type { Config } from "../config/config.ts";
import type { Credentials } from "../protocol/credentials.ts";
import type { Message, OfferedModel, Opened } from "./dialect.ts";

/** A method of gRPC, and everything about it that is decided before a session exists. */
interface Method {
  /** Name of the dialect. */
  readonly dialect: string;
  /** `/SERVICE/METHOD`. Whether either side sends one message or a stream of them makes no difference on the wire. */
  readonly path: string;
  /** The client's credentials, wherever this dialect has them in the metadata. */
  credentials(metadata: Headers): Credentials;
}

/** A method whose calls are sessions: the first message opens one. */
export interface GrpcStream extends Method {
  /**
   * Returns the messages of the dialect in one of the client's, of which there may be none. Throws ProtocolError for what
   * is no message of this method.
   */
  read(bytes: Uint8Array): Iterable<Message>;
  /**
   * Returns what the first message asks for. Throws ProtocolError when it is refused.
   * @param models those that the client may use, the default first
   */
  open(first: Message, config: Config, models: readonly OfferedModel[]): Opened;
}

/** A method whose calls are answered at once, without a session. */
export interface GrpcQuestion extends Method {
  /** Returns the answer to the one message. Throws ProtocolError when there is none. */
  answer(bytes: Uint8Array, models: readonly OfferedModel[]): Uint8Array;
}

export type GrpcMethod = GrpcStream | GrpcQuestion;
