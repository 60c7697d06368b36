/** 16 kHz, 16-bit integer samples, one channel: the format that most tests send. */
export const S16_MONO = { channels: 1, sample_rate: 16_000, bit_depth: 16, is_float: false };

/** Requests of the native dialect as texts. */
export const START = startRequest();
export const STOP = JSON.stringify({ request: "stop" });
export const FLUSH = JSON.stringify({ request: "flush" });
export const KEEP_ALIVE = JSON.stringify({ request: "keep_alive" });

/** Returns the text of a start for S16_MONO with these fields. */
export function startRequest(fields: object = {}): string {
  return JSON.stringify({ request: "start", format: S16_MONO, ...fields });
}
