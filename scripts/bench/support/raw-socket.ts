// The reference for `streams`: a bare Bun.serve socket that reads the same messages, sends as many replies and does
// nothing else.

export {};

const REPLY = JSON.stringify({
  type: "segment",
  start_time: 0,
  end_time: 2,
  is_final: true,
  count: 32_000,
  channel: 0,
});
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
      if (typeof message === "string") {
        ws.sendText(message.includes("stop") ? '{"type":"stopped","channels":[]}' : '{"type":"started"}');
      } else if (++ws.data.messages % MESSAGES_PER_REPLY === 0) ws.sendText(REPLY);
    },
  },
});
console.log(`listening on http://127.0.0.1:${server.port}`);
