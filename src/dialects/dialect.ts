import type { Config } from "../config/settings.ts";
import type { ResultAudio } from "../model/job.ts";
import type { Pattern, PatternContext } from "../pipeline/pattern.ts";
import type { Credentials } from "../protocol/credentials.ts";
import type { Ended, Ending } from "../protocol/ending.ts";
import type { ErrorCode, ProtocolError } from "../protocol/errors.ts";
import type { ServerEvent } from "../protocol/events.ts";
import type { Request as ClientRequest, Start } from "../protocol/requests.ts";
import type { CallLine } from "./calls.ts";

/** One message on the wire, either way: text or binary. */
export type Message = string | Uint8Array;

/** One thing that a client's message means to the session. */
export type Input =
  | { readonly kind: "audio"; readonly bytes: Uint8Array }
  | { readonly kind: "request"; readonly request: ClientRequest }
  /** A request that is refused. `meant: "start"`: it ends the open stream all the same, as a valid start would. */
  | { readonly kind: "refused"; readonly error: ProtocolError; readonly meant?: "start" }
  /**
   * An answer of the dialect's own. It is made when its turn comes, so that it stands in order with the session's
   * events.
   */
  | { readonly kind: "reply"; readonly messages: () => readonly Message[] };

/**
 * One wire language: translates the messages of one connection into inputs, and events into messages. Every connection
 * has an instance of its own, which may keep state. Dialects are synchronous, use no sockets and no clocks, and never
 * throw.
 */
export interface Dialect {
  /** Inputs that follow from the connection itself, before the client has sent anything. */
  begin(): readonly Input[];
  /** Translates a message of the client. Called in order, and only when the message's turn has come. */
  read(message: Message): readonly Input[];
  /** Inputs that follow when the client sends no more but still receives, as TCP and gRPC can. */
  finished?(): readonly Input[];
  /** Translates an event, and the audio that goes with a result. Empty: this dialect does not report it. */
  write(event: ServerEvent, audio?: ResultAudio): readonly Message[];
  /** Messages that are due when `seconds` of the open stream have been decoded. */
  decoded?(seconds: number): readonly Message[];
  /** Returns true when nothing can follow an error of this code, although the native protocol would go on. */
  endsAt?(code: ErrorCode): boolean;
  /** Returns true when the connection is to be closed now that a stream is over, although the client has not asked. */
  endsAfterStream?(): boolean;
  /** Returns true while the client sends what becomes its stream, which may still start while the server drains. */
  awaitsStream?(): boolean;
  /** Returns the close of the connection for `ending`. @param message the explanation for a person */
  close(ending: Ending, message: string): Ended;
}

/**
 * Properties of a dialect that the session must know before the first message. Undefined: the server's limit applies.
 */
export interface Traits {
  /** Largest text message, bytes. */
  readonly maxTextBytes: number;
  /** Received messages that one session may queue, bytes. */
  readonly inboxBytes?: number;
  /** A client that sends nothing for so long is gone. */
  readonly idleTimeoutMs?: number;
  /** Time from the connection to the first accepted start. */
  readonly startTimeoutMs?: number;
  /** Every binary message is audio, and nothing else. */
  readonly binaryIsAudio: boolean;
  /** A ping of the transport counts as a message for the idle time-out. */
  readonly pingsCount: boolean;
  /** Clients have no message that ends a stream: they close the connection. */
  readonly closingIsStop?: true;
}

/** A model that a client may use. */
export interface OfferedModel {
  readonly name: string;
  /** A further name. */
  readonly alias?: string;
  readonly keepsState: boolean;
  readonly pinned?: PatternContext["pinned"];
  /** Names of the options that it takes; undefined: it does not say. */
  readonly options?: readonly string[] | undefined;
}

/** The result of accepting a request for a connection. */
export interface Opened {
  /** Name of the dialect. */
  readonly dialect: string;
  readonly pattern: Pattern;
  /** Name of the model of the first stream; undefined: the client's default, or a start names it. */
  readonly model?: string | undefined;
  /**
   * The start of the first stream, if the request says it. The connection is refused when it cannot be served, which
   * clients of some dialects can tell from a fault of the network only as long as there is no connection.
   */
  readonly start?: Start | undefined;
  readonly traits: Traits;
  /** What the connection has to do with calls; undefined: nothing. */
  readonly calls?: CallRole | undefined;
  /** @param session id of the session @param line of the call that the connection carries; default: it leads nowhere */
  create(session: string, line?: CallLine): Dialect;
}

/**
 * A connection carries a call: its client takes no results, so that its end is no reason not to recognise the rest. Or it
 * watches calls.
 */
export type CallRole =
  | { readonly role: "carries" }
  | {
      readonly role: "watches";
      /** Name of the calls to watch; undefined: all of the same caller. */
      readonly call: string | undefined;
    };

/**
 * Paths on which a dialect is spoken over HTTP upgrades, and everything about them that is decided before a session
 * exists.
 */
export interface Route {
  /** Name of the dialect. */
  readonly dialect: string;
  readonly paths: readonly string[];
  /**
   * The client's credentials, wherever this dialect has them: header, query or subprotocol.
   * @param queryTokens a token in the query counts, if the dialect has such
   */
  credentials(request: Request, queryTokens: boolean): Credentials;
  /** The subprotocol to answer with, of those offered, which may carry secrets; undefined: none; an error: none of them will do. */
  choose(offered: readonly string[]): string | undefined | ProtocolError;
  /** Headers of the upgrade's answer. */
  headers?(session: string, opened: Opened): Record<string, string>;
  /** JSON body of a refusal. Its status comes from the table of errors. */
  refuse(error: ProtocolError): unknown;
  /**
   * Reads query and headers. Throws ProtocolError when the connection is refused.
   * @param path the one of `paths` that the request has
   * @param models those that the client may use, the default first; default: none is known
   */
  open(path: string, request: Request, config: Config, models?: readonly OfferedModel[]): Opened;
}
