import { generator, LOUD, noise, QUIET, RATE } from "./bursts.ts";
import { openSocket, type ServerProcess } from "./server-process.ts";

const MESSAGE_MS = 100;
const SPEECH_MESSAGES = 20;
const CYCLE_MESSAGES = 30;
const MIN_SILENCE_MS = 500;
/** The interval of a Prometheus that scrapes often. */
const SCRAPE_MS = 5_000;

export interface Load {
  readonly streams: number;
  /** Seconds before counting starts. */
  readonly settle: number;
  /** Seconds that are counted. */
  readonly seconds: number;
}

export interface LoadResult {
  /** Milliseconds of the server's processor time for a second of one stream. */
  readonly cpuMs: number;
  /** Milliseconds from the message with the deciding sample to the final result. */
  readonly delays: readonly number[];
  readonly rssMib: number;
  /** Messages sent more than the time of one message late: the limit of the generator. */
  readonly late: number;
}

/** One cycle of audio: faint noise, then loud noise that counts as speech. */
const MESSAGES = Array.from({ length: CYCLE_MESSAGES }, (_, i) => {
  const peak = i < CYCLE_MESSAGES - SPEECH_MESSAGES ? QUIET : LOUD;
  return new Uint8Array(noise(generator(i + 1), (RATE * MESSAGE_MS) / 1000, peak).buffer);
});

/** Sends real-time streams to /api/v1/segmented, on an absolute clock, while /metrics is scraped. */
export async function runLoad(server: ServerProcess, { streams, settle, seconds }: Load): Promise<LoadResult> {
  const scrape = async (): Promise<string> => await (await fetch(`http://${server.host}/metrics`)).text();
  // The first scrape loads modules, which is not part of the cost of a scrape.
  await scrape();
  const clients: RealTimeStream[] = [];
  const delays: number[] = [];
  let counting = false;
  for (let i = 0; i < streams; i++) {
    const socket = await openSocket(`ws://${server.host}/api/v1/segmented`);
    clients.push(new RealTimeStream(socket, (delay) => void (counting && delays.push(delay))));
  }
  const scrapes = setInterval(() => void scrape(), SCRAPE_MS);
  try {
    const start = performance.now();
    const end = start + (settle + seconds) * 1000;
    for (const [i, client] of clients.entries()) client.begin(start + (i / streams) * MESSAGE_MS);
    let [cpuBefore, countedFrom] = [0, start];
    for (let now = start; now < end; now = performance.now()) {
      if (!counting && now >= start + settle * 1000) {
        counting = true;
        [cpuBefore, countedFrom] = [server.cpuMs, now];
      }
      for (const client of clients) client.sendDue(now);
      await Bun.sleep(1);
    }
    const streamSeconds = (streams * (performance.now() - countedFrom)) / 1000;
    return {
      cpuMs: (server.cpuMs - cpuBefore) / streamSeconds,
      delays,
      rssMib: server.rssMib,
      late: clients.reduce((sum, { late }) => sum + late, 0),
    };
  } finally {
    clearInterval(scrapes);
    for (const client of clients) client.close();
  }
}

class RealTimeStream {
  late = 0;
  readonly #socket: WebSocket;
  #begun = Infinity;
  #sent = 0;

  constructor(socket: WebSocket, onFinal: (delayMs: number) => void) {
    this.#socket = socket;
    const format = { channels: 1, sample_rate: RATE, bit_depth: 16, is_float: false };
    socket.send(JSON.stringify({ request: "start", format, vad: { min_silence_ms: MIN_SILENCE_MS } }));
    let inactive: number | undefined;
    socket.onmessage = ({ data }) => {
      const event = JSON.parse(String(data)) as { type: string; time?: number };
      if (event.type === "inactive") inactive = event.time ?? 0;
      if (event.type !== "segment" || inactive === undefined) return;
      // The deciding sample is in the message that ends at or after it.
      const message = Math.ceil((inactive * 1000 + MIN_SILENCE_MS) / MESSAGE_MS);
      onFinal(performance.now() - (this.#begun + (message - 1) * MESSAGE_MS));
    };
  }

  begin(at: number): void {
    this.#begun = at;
  }

  /** Sends at most one message, when it is due. */
  sendDue(now: number): void {
    const due = this.#begun + this.#sent * MESSAGE_MS;
    if (now < due) return;
    if (now - due > MESSAGE_MS) this.late += 1;
    this.#socket.send(MESSAGES[this.#sent % CYCLE_MESSAGES]!);
    this.#sent += 1;
  }

  close(): void {
    this.#socket.terminate();
  }
}
