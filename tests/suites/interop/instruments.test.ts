// Traces through an OpenTelemetry Collector with deploy/otel/collector.yml to Jaeger, from `send` to the worker. Both are
// built from their sources, in minutes: `STREAMER_CLIENTS=all`.

import { expect, setDefaultTimeout } from "bun:test";
import { join } from "node:path";

import { root } from "../../support/documents.ts";
import { BUILD_MS, sharedExecutable } from "../../support/executable.ts";
import { goModule } from "../../support/go-program.ts";
import { otelCollector } from "../../support/otel-collector.ts";
import { OtlpReceiver } from "../../support/otlp.ts";
import { output } from "../../support/output.ts";
import { freePort, replaceEach } from "../../support/proxies.ts";
import { RECORDING } from "../../support/recorded.ts";
import { reportMissing, testWith } from "../../support/requirements.ts";
import { waitUntil } from "../../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(BUILD_MS + 120_000);

const isWanted = process.env["STREAMER_CLIENTS"] === "all";
if (!isWanted)
  reportMissing("the OpenTelemetry Collector and Jaeger: STREAMER_CLIENTS=all builds (2 GB) and runs them");
const collector = isWanted ? await otelCollector() : undefined;
const jaeger = isWanted
  ? await goModule(join(import.meta.dir, "instruments", "jaeger"), "github.com/jaegertracing/jaeger/cmd/jaeger")
  : undefined;

const CONFIG = join(root, "deploy", "otel", "collector.yml");
/** What all seven utterances of the recording have, from the worker up. */
const PATH = [
  ...["streamer: compute", "streamer: inference", "streamer: utterance", "streamer: stream segmented"],
  "streamer-send: send",
];

interface Span {
  readonly spanId: string;
  readonly parentId: string;
  readonly name: string;
  readonly service: unknown;
}

/** The names from each call of a worker up to the root. */
function pathsOf(spans: readonly Span[]): string[][] {
  const above = ({ parentId }: Span): Span | undefined => spans.find(({ spanId }) => spanId === parentId);
  return spans
    .filter(({ name }) => name === "compute")
    .map((compute) => {
      const path: string[] = [];
      for (let span: Span | undefined = compute; span !== undefined; span = above(span)) {
        path.push(`${String(span.service)}: ${span.name}`);
      }
      return path;
    });
}

/** Starts a program, ended when it is disposed of, and waits until it answers at a URL. */
async function start(command: readonly string[], url: string, method = "GET"): Promise<AsyncDisposable> {
  const child = Bun.spawn([...command], { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
  const stop = async (): Promise<void> => {
    child.kill("SIGKILL");
    await child.exited;
  };
  try {
    await waitUntil(command[0] ?? "", async () => {
      if (child.exitCode !== null) throw new Error(`${command.join(" ")} exited with ${child.exitCode}`);
      return (await fetch(url, { method }).catch(() => undefined)) !== undefined;
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return { [Symbol.asyncDispose]: stop };
}

/** Starts the collector with these changes of its configuration. Returns the environment of programs that use it. */
async function startCollector(changes: readonly [string, string][]) {
  const [http, grpc, own] = [await freePort(), await freePort(), await freePort()];
  const path = join((await sharedExecutable()).folder, `collector-${http}.yml`);
  const ports: [string, string][] = [
    ["0.0.0.0:4317", `127.0.0.1:${grpc}`],
    ["0.0.0.0:4318", `127.0.0.1:${http}`],
    ["port: 8888", `port: ${own}`],
  ];
  await Bun.write(path, replaceEach(await Bun.file(CONFIG).text(), ...ports, ...changes));
  const url = `http://127.0.0.1:${http}`;
  const running = await start([collector!, "--config", path], `${url}/v1/traces`, "POST");
  return { running, env: { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_BSP_SCHEDULE_DELAY: "100" } };
}

/** Sends the recording to a server, both with this environment. Returns the id of the trace, which `send` prints. */
async function sendTraced(env: Record<string, string>): Promise<string> {
  const executable = await sharedExecutable();
  const server = await executable.serve({ "model.workers": 1, "model.delay": 0 }, [], env);
  const sent = await executable.run(["send", "-i", RECORDING, "--addr", `localhost:${server.port}`], { env });
  expect([sent.code, sent.out]).toEqual([0, expect.stringContaining("7 final results, 0 errors")]);
  server.signal("SIGTERM");
  expect((await server.waitForExit()).code).toBe(0);
  return /, trace ([0-9a-f]{32})/.exec(sent.out)?.[1] ?? "";
}

testWith(collector)(
  "the collector accepts deploy/otel/collector.yml, and none with a field that it does not know",
  async () => {
    expect(await output([collector!, "validate", "--config", CONFIG], root)).toEqual({ code: 0, text: "" });
    const wrong = join((await sharedExecutable()).folder, "wrong.yml");
    await Bun.write(wrong, replaceEach(await Bun.file(CONFIG).text(), ["limit_mib: 256", "limit_mb: 256"]));
    const { code, text } = await output([collector!, "validate", "--config", wrong], root);
    expect(code).not.toBe(0);
    expect(text).toContain("limit_mb");
  },
);

testWith(collector)(
  "traces of a stream go through it whole: client, stream, utterance, inference, worker",
  async () => {
    await using viewer = new OtlpReceiver();
    const { running, env } = await startCollector([
      // The viewer of this test takes HTTP.
      ["  otlp/jaeger:\n    endpoint: jaeger:4317\n", `  otlphttp/jaeger:\n    endpoint: ${viewer.url}\n`],
      ["exporters: [otlp/jaeger]", "exporters: [otlphttp/jaeger]"],
    ]);
    await using _collector = running;
    const trace = await sendTraced(env);
    await waitUntil(
      "all spans",
      () => viewer.named("stream segmented").length === 1 && viewer.named("send").length === 1,
    );
    expect(pathsOf(viewer.spans)).toEqual(Array.from({ length: 7 }, () => PATH));
    for (const { attributes } of viewer.named("compute")) expect(attributes).toMatchObject({ "streamer.worker": 0 });
    expect(new Set(viewer.spans.map(({ traceId }) => traceId))).toEqual(new Set([trace]));
  },
);

/** What Jaeger's API answers of one trace. */
interface JaegerTrace {
  readonly spans: readonly {
    readonly spanID: string;
    readonly operationName: string;
    readonly processID: string;
    readonly references: readonly { readonly refType: string; readonly spanID: string }[];
  }[];
  readonly processes: Readonly<Record<string, { readonly serviceName: string }>>;
}

testWith(collector, jaeger)(
  "Jaeger has the trace, and its API tells the path from the client to the worker",
  async () => {
    const [otlp, http, grpc] = [await freePort(), await freePort(), await freePort()];
    const path = join((await sharedExecutable()).folder, "jaeger.yml");
    const config = {
      service: {
        extensions: ["jaeger_storage", "jaeger_query"],
        pipelines: { traces: { receivers: ["otlp"], exporters: ["jaeger_storage_exporter"] } },
        telemetry: { metrics: { level: "none" } },
      },
      extensions: {
        jaeger_storage: { backends: { memory: { memory: { max_traces: 1_000 } } } },
        jaeger_query: {
          storage: { traces: "memory" },
          http: { endpoint: `127.0.0.1:${http}` },
          grpc: { endpoint: `127.0.0.1:${grpc}` },
        },
      },
      receivers: { otlp: { protocols: { grpc: { endpoint: `127.0.0.1:${otlp}` } } } },
      exporters: { jaeger_storage_exporter: { trace_storage: "memory" } },
    };
    await Bun.write(path, JSON.stringify(config));
    const url = `http://127.0.0.1:${http}`;
    await using _jaeger = await start([jaeger!, "--config", path], `${url}/api/services`);
    const { running, env } = await startCollector([["jaeger:4317", `127.0.0.1:${otlp}`]]);
    await using _collector = running;
    const trace = await sendTraced(env);
    let spans: Span[] = [];
    await waitUntil("the trace", async () => {
      const response = await fetch(`${url}/api/traces/${trace}`);
      if (!response.ok) return false;
      const { data } = (await response.json()) as { data: JaegerTrace[] };
      spans = (data[0]?.spans ?? []).map(({ spanID, operationName, processID, references }) => ({
        spanId: spanID,
        parentId: references.find(({ refType }) => refType === "CHILD_OF")?.spanID ?? "",
        name: operationName,
        service: data[0]?.processes[processID]?.serviceName,
      }));
      return ["send", "stream segmented"].every((name) => spans.some((span) => span.name === name));
    });
    expect(pathsOf(spans)).toEqual(Array.from({ length: 7 }, () => PATH));
    const { data } = (await (await fetch(`${url}/api/services`)).json()) as { data: string[] };
    expect(data.toSorted()).toEqual(["streamer", "streamer-send"]);
  },
);
