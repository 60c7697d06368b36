import { interleave } from "../../client/browser/interleave.ts";
import { type Client, connect } from "../../client/client.ts";
import type { ResumeProgress } from "../../client/connect-options.ts";
import type { ReceivedEvent } from "../../client/event-reader.ts";
import type { VadSettings } from "../../protocol/vad-settings.ts";
import type { ApiAccess } from "./api-access.ts";
import type { Recording } from "./record.ts";
import type { SentTimes } from "./sent-times.ts";

/** The samples of `interleave`. */
const SAMPLES = { bit_depth: 16, is_float: false } as const;

/** What a stream is asked for. */
export interface StreamSettings {
  readonly model: string;
  readonly pattern: string;
  readonly interims: boolean;
  /** Undefined: the pattern has no detector. */
  readonly vad: Partial<VadSettings> | undefined;
}

/** The audio of a stream. */
export interface AudioShape {
  /** Hz. */
  readonly sampleRate: number;
  readonly channels: number;
}

export interface LiveStreamOptions {
  readonly access: ApiAccess;
  readonly shape: AudioShape;
  readonly settings: StreamSettings;
  readonly recording: Recording;
  readonly times: SentTimes;
  readonly onResume: (progress: ResumeProgress) => void;
}

/** One recording on its way to the server: the audio goes out, and what comes back goes into the recording. */
export class LiveStream {
  readonly #client: Client;
  readonly #options: LiveStreamOptions;
  /** Frames sent since the begin of the recording. */
  #frames = 0;
  #isFinished = false;
  /** Bytes sent in the present stream. */
  #sent = { bytes: 0 };

  /** Connects, and resolves when the stream has started. Rejects with a ConnectionError, or StartRefused. */
  static async open(options: LiveStreamOptions, signal: AbortSignal): Promise<LiveStream> {
    const { access, settings, shape, onResume } = options;
    const url = access.streamUrl(settings.pattern);
    const client = await connect(url, fieldsOf(settings, shape), {
      credentials: () => access.credentials(),
      onResume,
      signal,
    });
    const stream = new LiveStream(client, options);
    try {
      await client.started();
    } catch (error) {
      client.close();
      throw error;
    }
    return stream;
  }

  private constructor(client: Client, options: LiveStreamOptions) {
    this.#client = client;
    this.#options = options;
    this.#noteStart();
  }

  /** Seconds of audio sent. */
  get seconds(): number {
    return this.#frames / this.#options.shape.sampleRate;
  }

  /** The events, for one reader: each is in the recording already. Ends and throws as those of the client do. */
  async *events(): AsyncGenerator<ReceivedEvent> {
    const { recording } = this.#options;
    try {
      for await (const received of this.#client.events) {
        recording.isResumed = this.#client.resumptions > 0;
        recording.add(received);
        yield received;
      }
    } finally {
      recording.dropInterims();
    }
  }

  /** Sends samples of one channel each. Waits while the network does not take them. */
  async send(planes: readonly Float32Array[]): Promise<void> {
    const bytes = interleave(planes);
    const sent = performance.now();
    await this.#client.send(bytes);
    this.#sent.bytes += bytes.length;
    this.#frames += planes[0]?.length ?? 0;
    // Latency includes the wait for a network that takes no more.
    this.#options.times.add(this.seconds, sent);
  }

  /**
   * Goes on in a new stream with other settings, unless there is no more audio. Throws an Error while a lost connection
   * is replaced.
   */
  restart(settings: StreamSettings): void {
    if (this.#isFinished) return;
    this.#client.start(fieldsOf(settings, this.#options.shape));
    this.#noteStart();
  }

  /** There is no more audio: the rest of the results comes, and the events end. */
  finish(): void {
    this.#isFinished = true;
    if (this.#client.isOpen) this.#client.stop({ disconnect: true });
  }

  /** Ends at once. Results that have not come are lost. */
  close(): void {
    this.#client.close();
  }

  #noteStart(): void {
    const sent = { bytes: 0 };
    this.#sent = sent;
    this.#options.recording.asked({ start: this.seconds, bytes: () => sent.bytes, ...this.#options.shape });
  }
}

function fieldsOf({ model, interims, vad }: StreamSettings, { sampleRate, channels }: AudioShape) {
  return {
    model,
    format: { sample_rate: sampleRate, channels, ...SAMPLES },
    interim_results: interims,
    timing: true,
    ...(vad !== undefined && { vad }),
  };
}
