import type { Config } from "../../config/config.ts";
import type { Credentials } from "../../protocol/credentials.ts";
import type { ProtocolError } from "../../protocol/errors.ts";
import type { OfferedModel, Opened } from "../dialect.ts";
import type { Framer } from "../port.ts";
import type { Answer } from "./answer.ts";

/** Cuts the body of a request into the messages of a dialect. */
export interface BodyFramer extends Framer {
  /** The body has ended. Throws ProtocolError when it is not complete. */
  end(): void;
}

/** An upload that has been accepted. Its dialect sends the messages of one answer: see `answerMessages`. */
export interface OpenedUpload extends Opened {
  readonly framer: BodyFramer;
  /** Most bytes of the file. */
  readonly maxFileBytes: number;
  /** Most bytes of the body. */
  readonly maxBytes: number;
  /** The dialect may have to keep the whole file until it knows what to do with it. */
  readonly keepsFile: boolean;
}

/** Paths at which a file is recognised: the body of a POST has the audio, its answer the text. */
export interface FileRoute {
  /** Name of the dialect. */
  readonly dialect: string;
  readonly paths: readonly string[];
  /** The client's credentials, wherever this dialect has them. */
  credentials(request: Request): Credentials;
  /** The answer that refuses a request. */
  refuse(error: ProtocolError): Answer;
  /**
   * Reads query and headers. Throws ProtocolError when the request is refused.
   * @param models those that the client may use, the default first
   */
  open(request: Request, config: Config, models: readonly OfferedModel[]): OpenedUpload;
}
