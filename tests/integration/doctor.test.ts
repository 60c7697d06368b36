import { expect, setDefaultTimeout, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { sharedExecutable } from "../support/executable.ts";
import { TerminalView } from "../support/terminal-view.ts";
import { withoutMemoryPrograms } from "../support/without-memory-programs.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const executable = await sharedExecutable();
const PATH = process.env["PATH"] ?? "";

interface Report {
  readonly code: number;
  readonly result: string;
  /** `verdict subject: found` of each finding. */
  readonly lines: readonly string[];
  readonly text: string;
}

/** Runs `doctor` with a report in JSON. */
async function doctor(args: readonly string[], options: Parameters<typeof executable.run>[1] = {}): Promise<Report> {
  const given = { ...options, env: { PATH, ...options.env } };
  const { code, out } = await executable.run(["doctor", "--format", "json", ...args], given);
  const { result, findings } = JSON.parse(out) as {
    readonly result: string;
    readonly findings: readonly { readonly verdict: string; readonly subject: string; readonly found: string }[];
  };
  const lines = findings.map(({ verdict, subject, found }) => `${verdict} ${subject}: ${found}`);
  return { code, result, lines, text: out };
}

const about = (report: Report, subject: string): string[] =>
  report.lines.filter((line) => line.slice(line.indexOf(" ") + 1).startsWith(`${subject}: `));

/** A port that nothing listens on. */
function freePort(): number {
  using server = Bun.serve({ port: 0, fetch: () => new Response() });
  return server.port ?? 0;
}

test("a configuration that serve would start with is examined to the end, and leaves nothing behind", async () => {
  const port = freePort();
  const before = await readdir(executable.folder);
  const report = await doctor(["--port", String(port), "--set", `vosk.port=${freePort()}`]);
  expect(report.lines.filter((line) => line.startsWith("failure"))).toEqual([]);
  expect(report.code).toBe(0);
  expect(about(report, "C library")).toEqual(["ok C library: is loaded from memory"]);
  expect(about(report, "server.port")).toEqual([
    // The kernel chooses ports that it also gives to outgoing connections.
    expect.stringMatching(new RegExp(`^(?:ok|note) server.port: 127.0.0.1:${port} is free`)),
  ]);
  expect(about(report, "vosk.port")[0]).toMatch(/^(?:ok|note) .* is free/);
  expect(about(report, "model")[0]).toMatch(
    /^ok model: "simulated", 16,000 Hz, loaded and warm in .*; .* for 1 s of audio; .* about \d+ MiB each$/,
  );
  expect(await readdir(executable.folder)).toEqual(before);
});

test("a configuration that is not valid is a failure with all problems, and the machine is examined all the same", async () => {
  const twice = await doctor(["--port", "9000", "--admin", "127.0.0.1:9000", "--skip", "models"]);
  expect(about(twice, "server.admin")).toEqual(["failure server.admin: port 9000 is that of server.port, too"]);
  const report = await doctor(["--port", "99999", "--set", "no.such=1", "--skip", "programs"]);
  expect(report).toMatchObject({ code: 1, result: "failure" });
  expect(report.lines.slice(0, 3)).toEqual([
    "failure configuration: server.port: found 99999; allowed: a whole number from 0 to 65535 (--port)",
    expect.stringMatching(/^failure configuration: unknown key "no.such"/),
    expect.stringMatching(
      /^note configuration: not checked, because the configuration is not valid: container, .*models$/,
    ),
  ]);
  expect(about(report, "system")).toHaveLength(1);
  expect(about(report, "ffmpeg")).toEqual([]);
});

test("a port that another program has is a failure with its name, and each model that cannot be loaded", async () => {
  using other = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("not you") });
  await Bun.write(join(executable.folder, "broken.ts"), 'import "no-such-package";\n');
  await Bun.write(join(executable.folder, "missing.py"), 'import no_such_package\nname = "m"\n');
  const models = ["--model", "./broken.ts", "--set", "models.python.name=./missing.py", "--workers", "1"];
  const remote = ["name=remote", "urls=http://127.0.0.1:1", "model=m"].flatMap((set) => ["--set", `models.far.${set}`]);
  const report = await doctor(["--port", String(other.port), ...models, ...remote]);
  expect(report).toMatchObject({ code: 1, result: "failure" });
  expect(about(report, "server.port")[0]).toMatch(
    new RegExp(`^failure server.port: 127.0.0.1:${other.port} is in use by "bun.*" \\(process ${process.pid}\\)$`),
  );
  expect(about(report, "model")[0]).toMatch(/^failure model: model ".\/broken.ts" cannot be loaded: .*no-such-package/);
  expect(about(report, "models.python")[0]).toMatch(/^failure .*No module named 'no_such_package'/);
  expect(about(report, "models.far")).toEqual([
    "warning models.far: http://127.0.0.1:1/: nothing listens there",
    expect.stringMatching(/^failure models.far: .*; a call failed: no inference server is available/),
  ]);
  // It serves on.
  expect(await (await fetch(other.url)).text()).toBe("not you");
});

test("a server that runs at the address is reported as one, is left alone, and its models are not loaded again", async () => {
  const server = await executable.serve({ "model.workers": 1 });
  const client = await server.connect();
  const report = await doctor(["--port", String(server.port)]);
  expect(report.code).toBe(0);
  expect(about(report, "server.port")).toEqual([
    `note server.port: 127.0.0.1:${server.port} is served by a Streamer 0.1.0 that runs already (process ${server.pid}): ready`,
  ]);
  expect(about(report, "models")[0]).toStartWith(`ok models: the server that runs at ${server.url} has them`);
  expect(about(report, "model")).toEqual([]);
  expect(client.closed).toBeUndefined();
  expect((await executable.run(["health", "--addr", server.url, "--ready"])).code).toBe(0);
});

test("a server that shows its state to nobody is recognised by its process", async () => {
  await Bun.write(join(executable.folder, "none.tokens"), "");
  const settings = { "auth.tokens": "none.tokens", "auth.public_routes": "" };
  const server = await executable.serve(settings);
  const sets = Object.entries(settings).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
  const report = await doctor(["--port", String(server.port), ...sets]);
  expect(report.code).toBe(0);
  expect(about(report, "server.port")[0]).toContain(
    `is served by a Streamer that runs already (process ${server.pid})`,
  );
  expect(about(report, "models")[0]).toStartWith(`note models: the server that runs at ${server.url} has them`);
});

test("secrets of the environment and of files are in no report", async () => {
  await Bun.write(
    join(executable.folder, "tokens"),
    "strm_0123456789abcdefghij sha256:12\nname strm_abcdefghijklmnopqrstu\n",
  );
  const env = { OTEL_EXPORTER_OTLP_HEADERS: "key=hidden-value", OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9" };
  const port = ["--port", String(freePort())];
  const report = await doctor([...port, "--skip", "models", "--set", "auth.tokens=tokens"], { env });
  expect(report.code).toBe(1);
  expect(about(report, "auth.tokens").length).toBeGreaterThan(0);
  for (const secret of ["hidden-value", "0123456789abcdefghij", "abcdefghijklmnopqrstu"]) {
    expect(report.text).not.toContain(secret);
  }
});

test("the limits of the process count, and the temporary folder where nothing runs from memory", async () => {
  const port = ["--port", String(freePort()), "--skip", "models"];
  const few = await doctor(port, { under: ["prlimit", "--nofile=300:300"] });
  expect(about(few, "descriptors")[0]).toMatch(/^warning descriptors: 300 open files, 268 connections: enough for \d+/);
  const env = { ...(await withoutMemoryPrograms(executable.folder)), TMPDIR: "/nonexistent" };
  const refused = await doctor(port, { env });
  expect(refused.code).toBe(1);
  expect(about(refused, "C library")[0]).toMatch(/^failure C library: .*nor from the temporary folder \/nonexistent/);
  expect(about(refused, "ports")).toEqual(["note ports: not checked, because the C library cannot be loaded"]);
});

test("on a terminal of 80 columns, each line fits, and the verdicts are coloured", async () => {
  const view = new TerminalView(80, 60);
  let text = "";
  const child = Bun.spawn([executable.path, "doctor", "--port", String(freePort()), "--host", "0.0.0.0"], {
    cwd: executable.folder,
    env: { PATH, TERM: "xterm" },
    terminal: { cols: 80, rows: 60, data: (_, data) => (text += new TextDecoder().decode(data)) },
  });
  expect(await child.exited).toBe(0);
  child.terminal?.close();
  await view.write(text);
  expect(text).toContain("\u001B[33mwarning\u001B[0m");
  expect(view.lines.at(-1)).toMatch(/^\d+ ok, .*: serve can start$/);
  for (const line of view.lines) expect(line).toMatch(/^(?:(?:ok|note|warning|failure) +\S|\s{27}\S|$|\d+ ok)/);
});
