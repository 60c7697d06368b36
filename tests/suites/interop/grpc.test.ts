// Clients of gRPC in Python (grpcio, generated code) and Go (grpcurl, by reflection), in processes of their own.

import { afterAll, describe, expect } from "bun:test";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { connect } from "../../../src/client/client.ts";
import { root } from "../../support/documents.ts";
import { goProgram } from "../../support/go-program.ts";
import { InProcessServer } from "../../support/in-process-server.ts";
import { clients, linesOf } from "../../support/interop-clients.ts";
import { output } from "../../support/output.ts";
import { freePort } from "../../support/proxies.ts";
import { pythonPackages } from "../../support/python-packages.ts";
import { testWith } from "../../support/requirements.ts";

const TIMEOUT_MS = 300_000;
const SPEECH = join(root, "tests", "data", "two-speakers-48k.wav");
const WAV_HEADER_BYTES = 44;

const python = await pythonPackages(await Bun.file(join(clients, "grpc.txt")).text());
const grpcurl = await goProgram("github.com/fullstorydev/grpcurl/cmd/grpcurl", "v1.9.3");

const model = join(import.meta.dir, "../../support/models/words.ts");
const port = await freePort();
const server = await InProcessServer.start({ "model.name": model, "grpc.port": port });
afterAll(async () => {
  await server.waitUntilIdle();
  await server[Symbol.asyncDispose]();
});

type Line = Readonly<Record<string, unknown>> & { readonly kind: string };

/** A final result as every client tells it. */
interface Final {
  readonly channel: number;
  readonly span: readonly [number, number];
  readonly text: unknown;
}

const ordered = (finals: readonly Final[]): Final[] =>
  finals.toSorted((a, b) => a.channel - b.channel || a.span[0] - b.span[0]);

/** The finals of the same file over a WebSocket. */
async function nativeFinals(): Promise<Final[]> {
  const bytes = (await Bun.file(SPEECH).bytes()).subarray(WAV_HEADER_BYTES);
  const format = { channels: 2, sample_rate: 48_000, bit_depth: 16, is_float: false } as const;
  const client = await connect(`ws://localhost:${server.port}/api/v1/segmented`, { format });
  const sending = async (): Promise<void> => {
    for (let at = 0; at < bytes.length; at += 96_000) await client.send(bytes.slice(at, at + 96_000));
    client.stop({ disconnect: true });
  };
  const sent = sending();
  const finals: Final[] = [];
  for await (const { event } of client.events) {
    if (event.type !== "segment") continue;
    finals.push({ channel: event.channel, span: [event.start_time, event.end_time], text: event["text"] });
  }
  await sent;
  return ordered(finals);
}

function run(target: number, mode: string, ...rest: readonly string[]): Promise<Line[]> {
  const program = join(python ?? "", "bin", "python");
  const protos = join(root, "src", "protocol", "proto");
  return linesOf<Line>([program, join(clients, "grpc_client.py"), protos, `localhost:${target}`, mode, ...rest]);
}

describe("grpcio, with code generated from the contract", () => {
  testWith(python)(
    "gets the finals and the ledger that a WebSocket has",
    async () => {
      const lines = await run(port, "speech", SPEECH);
      const finals = lines.flatMap(({ segment }) => {
        const found = segment as { channel?: number; start_time: number; end_time: number; output: { text: string } };
        if (segment === undefined) return [];
        return [
          { channel: found.channel ?? 0, span: [found.start_time, found.end_time] as const, text: found.output.text },
        ];
      });
      expect(finals.length).toBeGreaterThan(5);
      expect(ordered(finals)).toEqual(await nativeFinals());
      expect(lines.at(-2)).toMatchObject({
        stopped: { reason: "stop", channels: [{ received: "864000" }, { received: "864000" }] },
      });
      expect(lines.at(-1)).toEqual({ kind: "status", code: "OK" });
    },
    TIMEOUT_MS,
  );

  testWith(python)(
    "finds the services by reflection, and their health",
    async () => {
      expect(await run(port, "services")).toEqual([
        {
          kind: "services",
          names: ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "streamer.v1.Streamer"],
        },
        { kind: "messages", same: true },
        { kind: "health", status: "SERVING" },
      ]);
    },
    TIMEOUT_MS,
  );

  testWith(python)(
    "is told why a call is refused",
    async () => {
      const details = 'pattern: found "nope"; allowed: "simple", "stateful", "segmented"';
      expect(await run(port, "refused")).toEqual([
        { kind: "status", code: "INVALID_ARGUMENT", details, error: "invalid_request" },
      ]);
    },
    TIMEOUT_MS,
  );

  testWith(python)(
    "is held back by a model that takes its time, and ended when it takes no results",
    async () => {
      const own = await freePort();
      await using busy = await InProcessServer.start({
        ...{ "grpc.port": own, "model.delay": 3, "limits.read_ahead_seconds": 1, "limits.inbox_bytes": 65_536 },
        ...{ "limits.slow_reader_ms": 1_000, "limits.outbox_bytes": 16_384 },
      });
      const [held] = await run(own, "held");
      // The inbox, the windows of HTTP/2, and sixteen messages in gRPC.
      expect(held?.["bytes"]).toBeLessThan(8_000_000);
      const [ended] = await run(own, "slow");
      expect(ended).toMatchObject({ kind: "status", code: "CANCELLED" });
      expect((await busy.metrics()).value("streamer_sessions_closed_total", { reason: "slow_reader" })).toBe(1);
      await busy.waitUntilIdle();
    },
    TIMEOUT_MS,
  );
});

testWith(python)(
  "the commands and the program of docs/grpc.md print every segment",
  async () => {
    const text = await Bun.file(join(root, "docs", "grpc.md")).text();
    const protoc = /^python -m (grpc_tools\.protoc .*)$/m.exec(text)?.[1] ?? expect.unreachable("no command");
    const program = /^```python\n(.*?)^```/ms.exec(text)?.[1] ?? expect.unreachable("no program");
    const folder = await mkdtemp(join(tmpdir(), "streamer-grpc-page-"));
    try {
      const executable = join(python ?? "", "bin", "python");
      const words = protoc.replace("src/protocol/proto", join(root, "src", "protocol", "proto")).split(" ");
      expect(await output([executable, "-m", ...words], folder)).toMatchObject({ code: 0 });
      await copyFile(SPEECH, join(folder, "speech.wav"));
      const here = program.replace("localhost:50051", `localhost:${port}`);
      const printed = await output([executable, "-c", here], folder);
      const lines = printed.text.trim().split("\n").toSorted();
      const expected = (await nativeFinals()).map(({ channel, span, text }) => `${channel} ${span.join(" ")} ${text}`);
      const found = lines.map((line) => line.replace(/\{.*'text': '([^']*)'.*\}$/, "$1"));
      expect([printed.code, found]).toEqual([0, expected.toSorted()]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
  TIMEOUT_MS,
);

describe("grpcurl, by reflection", () => {
  testWith(grpcurl)(
    "describes the service, and gets the finals that a WebSocket has",
    async () => {
      const target = `localhost:${port}`;
      const ask = async (...command: string[]): Promise<string> =>
        await Bun.$`${grpcurl ?? ""} -plaintext ${command}`.nothrow().text();
      expect(await ask(target, "describe", "streamer.v1.Segment")).toContain(".google.protobuf.Struct output = 5;");
      const wav = (await Bun.file(SPEECH).bytes()).subarray(WAV_HEADER_BYTES);
      const format = { channels: 2, sample_rate: 48_000, bit_depth: 16 };
      const requests: object[] = [{ start: { pattern: "segmented", format } }];
      for (let at = 0; at < wav.length; at += 96_000)
        requests.push({ audio: wav.subarray(at, at + 96_000).toBase64() });
      const input = Buffer.from(requests.map((request) => JSON.stringify(request)).join("\n"));
      const out =
        await Bun.$`${grpcurl ?? ""} -plaintext -emit-defaults -d @ ${target} streamer.v1.Streamer/Stream < ${input}`.text();
      const finals = messagesIn(out).flatMap(({ segment }) => {
        const found = segment as
          { channel: number; startTime: number; endTime: number; output: { text: string } } | undefined;
        return found === undefined
          ? []
          : [{ channel: found.channel, span: [found.startTime, found.endTime] as const, text: found.output.text }];
      });
      expect(ordered(finals)).toEqual(await nativeFinals());
    },
    TIMEOUT_MS,
  );
});

/** Objects of JSON that are printed one after the other, over several lines each. */
function messagesIn(text: string): Record<string, unknown>[] {
  return text
    .split(/^(?=\{)/m)
    .filter((part) => part.trim() !== "")
    .map((part) => JSON.parse(part) as Record<string, unknown>);
}
