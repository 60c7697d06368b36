// Streams audio as a microphone does, and notes when each event arrives.

import { openSocket } from "../../bench/support/server-process.ts";

export interface RealTimeStream {
  /** Such as ws://127.0.0.1:8080/api/v1/segmented. */
  readonly url: string;
  /** Fields of `start` besides the format. */
  readonly start?: object;
  /** One channel, s16. */
  readonly samples: Int16Array;
  /** Hz. */
  readonly rate: number;
  readonly messageMs?: number;
}

/** The fields of events that figures show; see docs/protocol.md. */
export interface ArrivedEvent {
  readonly type: string;
  readonly time?: number;
  readonly start_time?: number;
  readonly end_time?: number;
  readonly is_final?: boolean;
  readonly text?: string;
}

/** An event with the seconds from the first sample, as a microphone hears it, to its arrival. */
export interface Arrival {
  readonly at: number;
  readonly event: ArrivedEvent;
}

/** Sends each message when its last sample has been spoken. Returns the events up to `stopped`, in order. */
export async function streamInRealTime(stream: RealTimeStream): Promise<Arrival[]> {
  const { url, start = {}, samples, rate, messageMs = 20 } = stream;
  const socket = await openSocket(url);
  const arrivals: Arrival[] = [];
  const format = { channels: 1, sample_rate: rate, bit_depth: 16, is_float: false };
  socket.send(JSON.stringify({ request: "start", format, ...start }));
  const begun = performance.now();
  const stopped = new Promise<void>((resolve, reject) => {
    socket.onmessage = ({ data }) => {
      const event = JSON.parse(String(data)) as ArrivedEvent;
      arrivals.push({ at: (performance.now() - begun) / 1000, event });
      if (event.type === "error") reject(new Error(String(data)));
      if (event.type === "stopped") resolve();
    };
    socket.onclose = () => reject(new Error("the server has closed the connection"));
  });
  const length = (rate * messageMs) / 1000;
  for (let sent = 0; sent < samples.length; sent += length) {
    await Bun.sleep(begun + ((sent + length) * 1000) / rate - performance.now());
    socket.send(samples.slice(sent, sent + length));
  }
  socket.send(JSON.stringify({ request: "stop" }));
  await stopped;
  socket.onclose = null;
  socket.close();
  return arrivals;
}
