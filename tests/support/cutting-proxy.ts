import type { Socket } from "bun";

/** One side of a connection, with what it could not write yet. */
interface Side {
  other: Socket<Side> | undefined;
  waiting: Uint8Array[];
}

/**
 * A TCP proxy that cuts connections: each goes to the next of its servers, and ends without a close after so many bytes
 * of the client. The last one is not cut.
 */
export class CuttingProxy implements Disposable {
  readonly port: number;
  /** Connections so far. */
  connections = 0;
  readonly #listener: { stop(closeActive?: boolean): void };
  readonly #open = new Set<Socket<Side>>();

  /** @param cuts bytes of the client after which each connection ends, one after the other */
  constructor(ports: readonly number[], cuts: readonly number[] = []) {
    const proxy = this;
    const listener = Bun.listen<Side>({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        async open(client) {
          proxy.#open.add(client);
          const index = proxy.connections++;
          let left = cuts[index] ?? Infinity;
          client.data = { other: undefined, waiting: [] };
          Object.assign(client, {
            forward(bytes: Uint8Array) {
              if (left <= 0) return;
              left -= bytes.length;
              write(client.data, left > 0 ? bytes : bytes.subarray(0, bytes.length + left));
              if (left <= 0) {
                client.terminate();
                client.data.other?.terminate();
              }
            },
          });
          client.data.other = await Bun.connect<Side>({
            hostname: "127.0.0.1",
            port: ports[index % ports.length] ?? 0,
            socket: {
              open: (server) => void (server.data = { other: client, waiting: [] }),
              data: (server, bytes) => write(server.data, new Uint8Array(bytes)),
              drain: (server) => flush(server.data.other?.data, server),
              close: (server) => void server.data.other?.end(),
              error: () => undefined,
            },
          });
          flush(client.data, client.data.other);
        },
        data: (client, bytes) =>
          (client as unknown as { forward(bytes: Uint8Array): void }).forward(new Uint8Array(bytes)),
        drain: (client) => flush(client.data.other?.data, client),
        close: (client) => {
          proxy.#open.delete(client);
          client.data.other?.end();
        },
        error: () => undefined,
      },
    });
    this.#listener = listener;
    this.port = listener.port;
  }

  /** Ends all connections without a close. */
  cut(): void {
    for (const client of this.#open) {
      client.data.other?.terminate();
      client.terminate();
    }
  }

  [Symbol.dispose](): void {
    this.#listener.stop(true);
  }
}

/** Writes to the other side, or keeps what it does not take. */
function write(side: Side, bytes: Uint8Array): void {
  side.waiting.push(bytes);
  flush(side, side.other);
}

function flush(side: Side | undefined, to: Socket<Side> | undefined): void {
  while (side !== undefined && to !== undefined && side.waiting.length > 0) {
    const [first] = side.waiting;
    const written = to.write(first!);
    if (written < first!.length) {
      side.waiting[0] = first!.subarray(Math.max(0, written));
      return;
    }
    side.waiting.shift();
  }
}
