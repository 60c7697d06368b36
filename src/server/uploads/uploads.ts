import type { Config } from "../../config/config.ts";
import type { Answer } from "../../dialects/files/answer.ts";
import type { OpenedUpload } from "../../dialects/files/file-route.ts";
import type { Caller } from "../../protocol/caller.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { Accepted } from "../../session/connection.ts";
import type { Session } from "../../session/session.ts";
import type { Sessions } from "../../session/sessions.ts";
import type { FaultLog } from "../../telemetry/log/fault-log.ts";
import { declaredBytes, RequestBody } from "./request-body.ts";
import { Upload } from "./upload.ts";

const MIB = 1024 * 1024;
/**
 * Time between two looks for clients that have left while nothing of theirs was read: Bun notices the end of a
 * connection only behind everything in front of it.
 */
const LOOK_MS = 2_000;

export interface UploadsOptions {
  readonly sessions: Sessions;
  readonly limits: Config["limits"];
  /** Receives faults that are no session's. */
  readonly faults: FaultLog;
  /** Returns milliseconds, monotonic. */
  readonly clock: () => number;
  /** A message has been handled. */
  readonly handled: (message: string | Uint8Array) => void;
}

/** The connection of a request, while it is that of an upload. */
export interface Line {
  /** The client's end, as `peerName` spells it. */
  readonly peer: string;
  /** Returns the clients' ends of connections of the same port that the clients have ended. */
  readonly ended: () => ReadonlySet<string>;
  /** The answer is known: what is usual for other requests applies again. */
  release(): void;
}

/** An upload that may have a session. */
export interface UploadRequest {
  readonly request: Request;
  readonly accepted: Accepted;
  readonly opened: OpenedUpload;
  /** Called when the upload has a session. */
  readonly line: () => Line | undefined;
}

/** An open upload. */
interface Entry {
  readonly line: Line | undefined;
  /** Bytes of memory that it may need. */
  readonly reserved: number;
  /** Id of its caller. */
  readonly caller: string;
}

/** The transport of files: a session for the body of a request, whose answer has the results. */
export class Uploads {
  readonly #options: UploadsOptions;
  readonly #open = new Map<Upload, Entry>();
  /** Bytes that all open uploads may keep together. */
  #reserved = 0;
  #nextLookAt = 0;

  constructor(options: UploadsOptions) {
    this.#options = options;
  }

  /** Uploads that are open. */
  get size(): number {
    return this.#open.size;
  }

  /** The clients' ends of their connections. */
  peers(): ReadonlySet<string> {
    return new Set([...this.#open.values()].flatMap(({ line }) => line?.peer ?? []));
  }

  /** Checks every upload. To be called a few times a second. @param now milliseconds of the clock */
  sweep(now: number): void {
    for (const upload of this.#open.keys()) this.#options.faults.contain("socket", () => upload.sweep(now));
    if (now >= this.#nextLookAt) this.#options.faults.contain("socket", () => this.#endDeserted(now));
  }

  /** Opens a session for a request. Returns the answer that will come, or why there is no session. */
  open({ request, accepted, opened, line }: UploadRequest): Promise<Response> | ProtocolError {
    const { sessions, limits, clock, handled } = this.#options;
    const reserved = this.#reservation(request.headers, opened);
    const { caller } = accepted;
    const refusal = this.#refusal(caller, reserved);
    if (refusal !== undefined) return refusal;
    const gone = (upload: Upload): void => this.#gone(upload);
    const upload = new Upload({ body: new RequestBody(request), opened, limits, handled, gone, clock });
    this.#open.set(upload, { line: line(), reserved, caller: caller.id });
    this.#reserved += reserved;
    request.signal.addEventListener("abort", () => upload.left(), { once: true });
    const session = this.#session(upload, accepted);
    try {
      sessions.begin(session);
    } catch (error) {
      session.failed(error);
    }
    void upload.feed(session);
    // The client may have left while it was admitted.
    if (request.signal.aborted) upload.left();
    return upload.answer;
  }

  /** Opens the session of an upload, which has neither place nor memory when that fails. */
  #session(upload: Upload, accepted: Accepted): Session {
    try {
      return this.#options.sessions.open(upload, accepted);
    } catch (error) {
      this.#gone(upload);
      throw error;
    }
  }

  /** Answers a request that has no session. */
  async refuse(request: Request, { status, headers, body }: Answer): Promise<Response> {
    const keeps = await new RequestBody(request).abandon(this.#options.limits.file_mb * MIB);
    return new Response(body, { status, headers: { ...headers, ...(!keeps && { connection: "close" }) } });
  }

  /** Ends paused uploads whose clients have left. */
  #endDeserted(now: number): void {
    const paused = [...this.#open].filter(([{ isPaused }]) => isPaused);
    if (paused.length === 0) return;
    this.#nextLookAt = now + LOOK_MS;
    const ended = new Map(paused.map(([, { line }]) => [line?.ended, line?.ended()]));
    for (const [upload, { line }] of paused) if (ended.get(line?.ended)?.has(line?.peer ?? "")) upload.left();
  }

  /** Bytes that an upload may keep: the file, or only what the session has not read. */
  #reservation(headers: Headers, { keepsFile, maxBytes }: OpenedUpload): number {
    if (!keepsFile) return this.#options.limits.inbox_bytes;
    return Math.min(maxBytes, declaredBytes(headers) ?? maxBytes);
  }

  /**
   * Returns why an upload cannot have its memory now. A caller gets one upload, or half of what others leave: whatever
   * somebody sends, there is room for somebody else. Programs of the machine itself have no share.
   */
  #refusal({ id, limits }: Caller, reserved: number): ProtocolError | undefined {
    const most = this.#options.limits.inbox_total_mb * MIB;
    if (this.#reserved + reserved > most) {
      const message = `uploads may keep ${most} bytes together (limits.inbox_total_mb), and those that are open need them`;
      return new ProtocolError("overloaded", message);
    }
    let own = 0;
    for (const entry of this.#open.values()) if (entry.caller === id) own += entry.reserved;
    const share = Math.floor((most - (this.#reserved - own)) / 2);
    if (limits.isExempt === true || own === 0 || own + reserved <= share) return undefined;
    const message = `your uploads may keep ${share} bytes together, half of what those of others leave (limits.inbox_total_mb), and those that are open need them`;
    return new ProtocolError("too_many_sessions", message);
  }

  #gone(upload: Upload): void {
    const entry = this.#open.get(upload);
    if (entry === undefined) return;
    this.#open.delete(upload);
    this.#reserved -= entry.reserved;
    entry.line?.release();
    const { session } = upload;
    if (session === undefined) return;
    const { sessions, faults } = this.#options;
    faults.contain("socket", () => {
      using rest = new DisposableStack();
      rest.adopt(session, (session) => sessions.forget(session));
      sessions.closed(session);
    });
  }
}
