import { expect, setDefaultTimeout, test } from "bun:test";
import { createServer, type Socket } from "node:net";

import { sharedExecutable } from "../../support/executable.ts";
import { metricOf, streamBeside } from "../../support/outages.ts";
import { residentBytes } from "../../support/processes.ts";
import { prove, rounds } from "../../support/proof.ts";
import { waitUntil } from "../../support/wait.ts";

// Far longer than these runs take, so that a busy machine does not fail them.
setDefaultTimeout(600_000);

const executable = await sharedExecutable();
const SETTINGS = { "model.workers": 2, "model.delay": 0, "model.jitter": 0, "log.format": "json" };
const MIB = 1024 * 1024;
/** The queue of spans, the code of the exporter, and the answers of some exports, which end at 4 MiB. */
const MOST_GROWTH = 150 * MIB;
/** Spans are exported so often, and an export may take so long, in milliseconds. */
const DELAY_MS = 50;
const TIMEOUT_MS = 400;
const LONG = rounds(0, 1) === 1;
/** In the short form, the two that cost others most. */
const CHOSEN = ["accepts them and says nothing", "answers without end"];

/** What a collector does with a connection; undefined: it refuses it. */
type Behaviour = ((socket: Socket) => void) | undefined;

const respond = (status: string, body: string) => (socket: Socket) => {
  socket.on("data", () => socket.write(`HTTP/1.1 ${status}\r\ncontent-length: ${body.length}\r\n\r\n${body}`));
};

/** An answer without an end. */
function flood(socket: Socket): void {
  const part = Buffer.alloc(64 * 1024, "x");
  const write = (): void => {
    while (!socket.destroyed && socket.write(part));
    if (!socket.destroyed) socket.once("drain", write);
  };
  socket.once("data", () => {
    socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100000000000\r\n\r\n");
    write();
  });
}

const COLLECTORS: readonly (readonly [name: string, behaviour: Behaviour])[] = [
  ["refuses connections", undefined],
  ["accepts them and says nothing", () => {}],
  ["closes them at once", (socket) => socket.destroy()],
  [
    "answers late",
    (socket) =>
      void socket.on("data", () =>
        setTimeout(() => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"), 3 * TIMEOUT_MS),
      ),
  ],
  ["answers with 500", respond("500 Internal Server Error", "no")],
  ["answers with 503", respond("503 Service Unavailable", "busy")],
  ["answers without end", flood],
  ["answers nonsense", respond("200 OK", "\u0001\u0002 nonsense")],
];

/** Listens while `run` does; the port of a collector that refuses is closed. */
async function withCollector(behaviour: Behaviour, run: (port: number) => Promise<string>): Promise<string> {
  const sockets = new Set<Socket>();
  const collector = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    behaviour?.(socket);
  });
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  const address = collector.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;
  if (behaviour === undefined) await new Promise((resolve) => collector.close(resolve));
  try {
    return await run(port);
  } finally {
    for (const socket of sockets) socket.destroy();
    collector.close();
  }
}

test.each(COLLECTORS.filter(([name]) => LONG || CHOSEN.includes(name)))(
  "a collector of traces that %s harms no stream, and takes no memory",
  async (name, behaviour) => {
    await prove("dead_exporter", () =>
      withCollector(behaviour, async (port) => {
        const env = {
          OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
          OTEL_BSP_SCHEDULE_DELAY: String(DELAY_MS),
          OTEL_EXPORTER_OTLP_TIMEOUT: String(TIMEOUT_MS),
          OTEL_BSP_EXPORT_TIMEOUT: String(TIMEOUT_MS),
        };
        const server = await executable.serve(SETTINGS, [], env);
        let { streams } = await streamBeside(server, { rounds: 1, empty: 20 });
        const before = residentBytes(server.pid);
        for (let i = 0; i < (LONG ? 40 : 1); i++)
          streams += (await streamBeside(server, { rounds: LONG ? 3 : 1, empty: 100 })).streams;
        if (name !== "answers nonsense") {
          await waitUntil("an export to fail", async () => {
            return (await metricOf(server, "streamer_spans_total", { fate: "failed" })) > 0;
          });
        }
        streams += (await streamBeside(server)).streams;
        const growth = residentBytes(server.pid) - before;
        expect(growth).toBeLessThan(MOST_GROWTH);
        const said = server.log.filter(({ event }) => event === "span_export_failed");
        const minutes = Math.floor(performance.now() / 60_000);
        expect(said.length).toBeLessThanOrEqual(1 + minutes);
        expect(server.log.filter(({ level }) => level === "error")).toEqual([]);
        server.signal("SIGTERM");
        expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
        return `${name}: ${streams} streams unharmed, ${(growth / MIB).toFixed(0)} MiB`;
      }),
    );
  },
);
