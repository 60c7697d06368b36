import { expect, test } from "bun:test";

import { encode, noise } from "../support/audio.ts";
import { GrpcEngine, StatusError } from "../support/engines/grpc-engine.ts";
import { BUILD_MS, sharedExecutable } from "../support/executable.ts";
import { expectExactLedger } from "../support/ledgers.ts";

const executable = await sharedExecutable();
const BLOCK = 8_000;
/** RESOURCE_EXHAUSTED */
const BUSY = 8;

/** Answers with the number of samples. The answer to the second block is that there is too much to do, twice. */
async function counting(): Promise<{ engine: GrpcEngine; traces: string[] }> {
  const traces: string[] = [];
  let calls = 0;
  const engine = await GrpcEngine.start({
    ModelReady: () => ({ ready: true }),
    ModelInfer: ({ raw_input_contents: raw }, metadata) => {
      const [audio] = raw as [Uint8Array];
      traces.push(String(metadata.get("traceparent")[0]));
      calls += 1;
      // The first call is the warm-up, the second the first block.
      if (calls === 3 || calls === 4) throw new StatusError(BUSY, "the queue is full");
      const count = BigInt64Array.of(BigInt(audio.length / 4));
      return {
        outputs: [{ name: "samples", datatype: "INT64", shape: [1, 1] }],
        raw_output_contents: [new Uint8Array(count.buffer)],
      };
    },
  });
  return { engine, traces };
}

test(
  "the executable alone calls an inference server over gRPC, retries what it may, and passes on its errors",
  async () => {
    const { engine, traces } = await counting();
    using _ = engine;
    await using server = await executable.serve({
      "model.name": "remote",
      "model.urls": engine.url,
      "model.protocol": "oip-grpc",
      "model.model": "counter",
      "stateful.block_ms": 500,
    });
    const client = await server.connect({ path: "/api/v1/stateful" });
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const bytes = encode("s16", noise((3 * BLOCK) / 16_000));
    client.start({ trace_id: traceparent });
    for (let block = 0; block < 3; block++) {
      await client.sendAudio(bytes.subarray(2 * block * BLOCK, 2 * (block + 1) * BLOCK));
      client.flush();
      await client.nextEvent("flushed");
    }
    client.stop({ disconnect: true });
    await client.waitForClose();
    expectExactLedger(client.events, { bytes: bytes.length, frameBytes: 2 });
    expect(client.eventsOf("segment").map(({ samples }) => samples)).toEqual([BLOCK, BLOCK]);
    expect(client.eventsOf("error")).toMatchObject([
      { code: "model_unavailable", message: "the inference server: RESOURCE_EXHAUSTED: the queue is full" },
    ]);
    // A trace goes on in the engine.
    expect(traces.slice(1).map((trace) => trace.slice(0, 35))).toEqual(
      Array.from({ length: 4 }, () => traceparent.slice(0, 35)),
    );
  },
  BUILD_MS,
);
