// Accepts exported spans and discards them. Runs as a process of its own, so that its processor time does not count for
// the server.

export {};

const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  async fetch(request) {
    await request.arrayBuffer();
    return new Response(new Uint8Array(), { headers: { "content-type": "application/x-protobuf" } });
  },
});
console.log(`listening on http://127.0.0.1:${server.port}`);
