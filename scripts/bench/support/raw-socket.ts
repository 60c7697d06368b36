// The reference for `streams`: a bare Bun.serve socket that reads the same messages, sends as many replies and does
// nothing else. Its replies are events of the protocol, so that the same load generator can drive it.

export {};

const STARTED = JSON.stringify({
  type: "started",
  session_id: "raw",
  stream: 0,
  trace_id: "00-4bf92f3577b34da6a3ce929d0e0e4736-53995c3f42cd8ad8-01",
  format: { channels: 1, sample_rate: 16_000, bit_depth: 16, is_float: false, encoding: "pcm" },
  model: "raw",
  sample_rate: 16_000,
  limits: { max_message_bytes: 1_048_576, max_channels: 16, idle_timeout_ms: 60_000, session_ms: 0 },
});
const REPLY = JSON.stringify({
  type: "segment",
  start_time: 0,
  end_time: 2,
  is_final: true,
  channel: 0,
  count: 32_000,
});
const STOPPED = JSON.stringify({ type: "stopped", reason: "stop", channels: [], trailing_bytes: 0, skipped_bytes: 0 });
/** Messages for each reply: three events every three seconds of audio in messages of 100 ms. */
const MESSAGES_PER_REPLY = 10;

const server = Bun.serve<{ messages: number }>({
  port: 0,
  hostname: "127.0.0.1",
  fetch: (request, own) => (own.upgrade(request, { data: { messages: 0 } }) ? undefined : new Response("raw")),
  websocket: {
    maxPayloadLength: 2 * 1024 * 1024,
    idleTimeout: 0,
    sendPings: false,
    message(ws, message) {
      if (typeof message === "string") ws.sendText(message.includes('"stop"') ? STOPPED : STARTED);
      else if (++ws.data.messages % MESSAGES_PER_REPLY === 0) ws.sendText(REPLY);
    },
  },
});
console.log(`listening on http://127.0.0.1:${server.port}`);
