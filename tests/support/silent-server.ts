export interface SilentServer extends Disposable {
  readonly port: number;
  /** Connections so far. */
  readonly connections: number;
}

/** Listens, and upgrades connections to WebSockets or not. It never says anything else. */
export function silentServer(upgrades: boolean): SilentServer {
  let connections = 0;
  const count = () => void (connections += 1);
  const server = upgrades
    ? Bun.serve({
        port: 0,
        hostname: "127.0.0.1",
        fetch: (request, server) => (server.upgrade(request) ? undefined : new Response("", { status: 400 })),
        websocket: { open: count, message: () => {} },
      })
    : Bun.listen({ port: 0, hostname: "127.0.0.1", socket: { open: count, data: () => {} } });
  return {
    port: server.port ?? 0,
    get connections() {
      return connections;
    },
    [Symbol.dispose]: () => void server.stop(true),
  };
}
