// Models on Triton: the processor time of a call in each form, and streams whose only engine is killed and frozen.
//
//   bun run bench engines [--streams N] [--phase-seconds N] [--calls-only]
//
// Triton comes from PyPI, see examples/remote. A call has 0.5 s of audio; the forms alternate, and the time is that of
// this process, with all its threads. The streams are those of the compiled executable, in real time; half of them have
// a state. No sample may be missing.

import { parseArgs } from "node:util";

import { createGrpcTransport } from "../../src/model/remote/oip-grpc.ts";
import { OipHttp } from "../../src/model/remote/oip-http.ts";
import type { EngineTransport } from "../../src/model/remote/transport.ts";
import { type Effort, type Outage, type Protocol, streamThroughOutages } from "../../tests/support/engines/outage.ts";
import { installTriton, Triton } from "../../tests/support/engines/triton.ts";
import { Executable } from "../../tests/support/executable.ts";
import { printMachine } from "./support/machine.ts";
import { median } from "./support/statistics.ts";

const SAMPLES = 8_000;
const ROUNDS = 15;
const CALLS_PER_ROUND = 200;
const WARM_UP_ROUNDS = 3;
/** Calls under way at once, as those of several streams. */
const AT_ONCE = 8;
const PROTOCOLS: readonly Protocol[] = ["oip-http", "oip-grpc"];

const { values } = parseArgs({
  options: {
    streams: { type: "string", default: "200" },
    "phase-seconds": { type: "string", default: "10" },
    "calls-only": { type: "boolean", default: false },
  },
});

interface Form {
  readonly name: string;
  readonly transport: EngineTransport;
  readonly url: string;
}

/** Returns the processor time of a call, us. */
async function measure({ transport, url }: Form): Promise<number> {
  const inputs = [{ name: "audio", datatype: "FP32", shape: [1, SAMPLES], data: audio }] as const;
  const { signal } = new AbortController();
  let left = CALLS_PER_ROUND;
  const before = process.cpuUsage();
  const caller = async (): Promise<void> => {
    while (left-- > 0) await transport.infer({ url }, { model: "loudness", inputs }, { signal });
  };
  await Promise.all(Array.from({ length: AT_ONCE }, caller));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / CALLS_PER_ROUND;
}

async function measureCalls(triton: Triton): Promise<void> {
  const options = { headers: () => ({}), connectTimeoutMs: 5_000, maxAnswerBytes: 1_000_000 };
  const forms: Form[] = [
    { name: "HTTP, binary", transport: new OipHttp({ ...options, encoding: "binary" }), url: triton.http },
    { name: "gRPC", transport: createGrpcTransport({ ...options, encoding: "auto" }), url: triton.grpc },
    { name: "HTTP, JSON", transport: new OipHttp({ ...options, encoding: "json" }), url: triton.http },
  ];
  const found = new Map(forms.map(({ name }) => [name, [] as number[]]));
  for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
    for (const form of forms) {
      const each = await measure(form);
      if (round >= 0) found.get(form.name)!.push(each);
    }
  }
  console.log("\n| Form | processor time of a call, us |\n| --- | --- |");
  for (const [name, times] of found) console.log(`| ${name} | ${median(times).toFixed(0)} |`);
  for (const { transport } of forms) transport.close();
}

const ms = (time: number): string => `${(time / 1000).toFixed(1)} s`;
const cores = ({ processorSeconds, seconds }: Effort): string => (processorSeconds / seconds).toFixed(2);
const each = ({ processorSeconds, messages }: Effort): string => ((processorSeconds / messages) * 1e6).toFixed(0);

function row(
  protocol: Protocol,
  missing: number,
  { kind, pieces, readyMs, firstMs, allMs, before, out }: Outage,
): string {
  const { ok = 0, ...errors } = pieces;
  const words = Object.entries(errors).map(([code, count]) => `${count} \`${code}\``);
  return [
    "",
    `${kind}, \`${protocol}\``,
    out.seconds.toFixed(0),
    missing,
    ok,
    words.join(", "),
    `${ms(readyMs)}, ${ms(firstMs)}, ${ms(allMs)}`,
    `${cores(before)}, ${cores(out)}`,
    `${each(before)}, ${each(out)}`,
    "",
  ]
    .join(" | ")
    .trim();
}

const audio = new Float32Array(SAMPLES).map((_, i) => Math.sin(i / 10));
const packages = await installTriton();
if (packages === undefined) process.exit(1);
printMachine();
await using triton = await Triton.start({ packages });
await measureCalls(triton);
if (!values["calls-only"]) {
  await using executable = await Executable.create();
  console.log(
    `\n${values.streams} streams\n\n| Engine | out, s | samples missing | results | errors | ready, first result, results for all | cores with, without | us a message with, without |\n| --- | --- | --- | --- | --- | --- | --- | --- |`,
  );
  for (const protocol of PROTOCOLS) {
    const report = await streamThroughOutages(executable, triton, {
      streams: Number(values.streams),
      protocols: [protocol],
      outages: ["killed", "frozen"],
      phaseMs: 1_000 * Number(values["phase-seconds"]),
    });
    for (const outage of report.outages) console.log(row(protocol, report.missing, outage));
    for (const problem of report.problems) console.error(problem);
    console.log(JSON.stringify({ calls: report.calls, retries: report.retries, samples: report.samples }));
    if (report.missing > 0 || report.problems.length > 0) process.exitCode = 1;
  }
}
