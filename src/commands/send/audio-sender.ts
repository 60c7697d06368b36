import type { Client } from "../../client/client.ts";
import { ConnectionError, StartRefused } from "../../client/errors.ts";
import { type Clock, sleepUntil } from "../../lib/clock.ts";
import { messageOf } from "../../lib/thrown.ts";
import { untilAborted } from "../../lib/until-aborted.ts";
import { type AudioFormat, frameBytes } from "../../protocol/format.ts";
import type { AudioSource } from "../terminal/audio-source.ts";
import type { ProgressBar } from "./progress-bar.ts";
import type { StreamReport } from "./report.ts";

/** Audio in a message without --chunk-size, unless it is more than MAX_DEFAULT_CHUNK_BYTES. */
const DEFAULT_CHUNK_SECONDS = 0.1;
/** The default of the server's `limits.max_message_bytes`. */
const MAX_DEFAULT_CHUNK_BYTES = 1024 * 1024;
/** No audio is sent while more than this has been received and neither printed nor played. */
const MAX_UNREAD_BYTES = 4 * 1024 * 1024;
const UNREAD_POLL_MS = 20;

export interface AudioSenderOptions {
  readonly client: Client;
  readonly source: AudioSource;
  readonly report: StreamReport;
  readonly clock: Clock;
  /** Bytes of audio in a message; undefined: 100 ms. */
  readonly chunkBytes: number | undefined;
  /** True: send at the speed of a live microphone. False: as fast as the server accepts. */
  readonly realTime: boolean;
  readonly progress: ProgressBar;
  /** Ends sending when aborted, by a signal or because the server shuts down; `stop` is sent, too. */
  readonly interrupt: AbortSignal;
}

/** Sends the audio of one stream, then `stop`. */
export class AudioSender {
  readonly #options: AudioSenderOptions;
  #hasBegun = false;
  #complete = false;
  #exhausted = false;

  constructor(options: AudioSenderOptions) {
    this.#options = options;
  }

  /** True when the stream has started, and audio may have been sent. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** True when all audio, up to an interrupt, and `stop` have been sent. */
  get complete(): boolean {
    return this.#complete;
  }

  /** True when the audio has been sent to its end. */
  get exhausted(): boolean {
    return this.#exhausted;
  }

  /**
   * Sends until the audio ends, or until `ended` is aborted because the server has ended the stream. Returns the
   * reason if the source cannot be read. A refused start and a lost connection are left to the reader of the events,
   * as is an interrupt before the stream has started: the connection is given up then.
   */
  async run(ended: AbortSignal): Promise<string | undefined> {
    const { client, source } = this.#options;
    let keepAlive: ReturnType<typeof setInterval> | undefined;
    try {
      const { limits } = await untilAborted(client.started(), this.#options.interrupt);
      this.#hasBegun = true;
      keepAlive = startKeepAlive(client, limits.idle_timeout_ms);
      await this.#sendAudio(ended);
      if (ended.aborted) return undefined;
      client.stop();
      this.#complete = true;
      return undefined;
    } catch (error) {
      if (error instanceof ConnectionError) return undefined;
      if (error === this.#options.interrupt.reason) {
        client.abort(new ConnectionError("closed", "interrupted before any audio was sent"));
        return undefined;
      }
      if (error instanceof StartRefused) {
        client.close();
        return undefined;
      }
      if (client.isOpen) client.stop();
      return `${source.name}: ${messageOf(error)}`;
    } finally {
      clearInterval(keepAlive);
    }
  }

  async #sendAudio(ended: AbortSignal): Promise<void> {
    const { client, source, report, clock, realTime, progress } = this.#options;
    const halt = AbortSignal.any([this.#options.interrupt, ended]);
    const chunkBytes = this.#options.chunkBytes ?? defaultChunkBytes(source.format);
    let beginMs: number | undefined;
    let bytes = 0;
    for await (const chunk of source.chunks(chunkBytes)) {
      beginMs ??= clock.now();
      bytes += chunk.length;
      // A chunk is due when its last sample is spoken. Due times are absolute, so that a late chunk does not delay
      // the next.
      if (realTime) await sleepUntil(clock, beginMs + millisecondsOf(bytes, source.format), halt);
      await this.#untilRead(halt);
      if (halt.aborted) return;
      try {
        await client.send(chunk, { signal: halt });
      } catch (error) {
        // An interrupt while the server takes no audio ends sending, as at any other time.
        if (error === halt.reason) return;
        throw error;
      }
      const now = clock.now();
      report.sent(bytes, now);
      progress.update(report.sentSeconds, now);
    }
    progress.finish(report.sentSeconds);
    this.#exhausted = !halt.aborted;
  }

  /** Waits while the reader of the results is far behind: a pager, or a player that plays in real time. */
  async #untilRead(halt: AbortSignal): Promise<void> {
    const { client } = this.#options;
    while (client.unreadBytes > MAX_UNREAD_BYTES && client.isOpen && !halt.aborted) {
      await new Promise((resolve) => setTimeout(resolve, UNREAD_POLL_MS));
    }
  }
}

/** Sends `keep_alive` while no audio is sent, so that the server does not close the connection as idle. */
function startKeepAlive(client: Client, idleTimeoutMs: number): ReturnType<typeof setInterval> | undefined {
  if (idleTimeoutMs === 0) return undefined;
  let lastBytes = -1;
  const check = () => {
    if (client.isOpen && client.sentBytes === lastBytes) client.keepAlive();
    lastBytes = client.sentBytes;
  };
  return setInterval(check, Math.max(1, idleTimeoutMs / 3));
}

function millisecondsOf(bytes: number, format: AudioFormat): number {
  return (Math.floor(bytes / frameBytes(format)) / format.sample_rate) * 1000;
}

function defaultChunkBytes(format: AudioFormat): number {
  const bytes = frameBytes(format);
  const frames = Math.round(format.sample_rate * DEFAULT_CHUNK_SECONDS);
  return Math.min(frames, Math.floor(MAX_DEFAULT_CHUNK_BYTES / bytes)) * bytes;
}
