// The client library for Python against the compiled server: with the oldest CPython that it supports, and the newest one
// at hand, as its wheel is installed.

import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { formatTokenLine } from "../../../src/auth/token-line.ts";
import { hashToken, newToken } from "../../../src/auth/token.ts";
import { type ErrorEvent, EVENTS, type ServerEvent } from "../../../src/protocol/events.ts";
import { frameBytes } from "../../../src/protocol/format.ts";
import { encode, sampleFields, speech } from "../../support/audio.ts";
import { Authority } from "../../support/certificates.ts";
import { CuttingProxy } from "../../support/cutting-proxy.ts";
import { root } from "../../support/documents.ts";
import { parseEvents, sharedExecutable } from "../../support/executable.ts";
import { clients } from "../../support/interop-clients.ts";
import { chunkInvariantEvents, expectExactLedger } from "../../support/ledgers.ts";
import { checkingTools, clientEnvironments, hashOf, packageFiles, source } from "../../support/python-client.ts";
import { clientPrograms } from "../../support/python-fences.ts";
import { reportMissing } from "../../support/requirements.ts";

// The first time, packages are installed.
setDefaultTimeout(600_000);

const RECORDING = join(root, "tests", "data", "two-speakers-48k.wav");
const WORDS = join(import.meta.dir, "..", "..", "support", "models", "words.ts");
const DRIVER = join(clients, "python_client.py");
const INTERFACES = ["blocking", "asyncio"] as const;
const EVENT_TYPES = Object.keys(EVENTS);
const PATTERNS = ["simple", "stateful", "segmented"] as const;

/** Audio of different shapes. The bytes of a frame differ, so that no piece of 100 ms is like another. */
const SHAPES = [
  { sampleFormat: "f32", channels: 2, sample_rate: 44_100 },
  { sampleFormat: "mulaw", channels: 1, sample_rate: 8_000 },
  { sampleFormat: "s24", channels: 3, sample_rate: 16_000 },
  { sampleFormat: "u8", channels: 1, sample_rate: 11_025 },
] as const;

interface Job {
  readonly name: string;
  readonly do: "file" | "pcm" | "connect" | "signalled";
  readonly url: string;
  readonly interface?: (typeof INTERFACES)[number];
  readonly [field: string]: unknown;
}

/** The part of a JSON Schema that is compared. */
interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly const?: string;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
}

interface Contract {
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    readonly messages: Record<string, { payload: Schema; examples: { payload: { type: string } }[] }>;
  };
}

/** A field as a class has it: its kind is a name, the fields of an object, or an array of one kind. */
interface Field {
  readonly kind: unknown;
  readonly required: boolean;
}

interface Known {
  readonly events: Record<string, Record<string, Field>>;
  readonly start: string[];
  readonly vad: string[];
  readonly examples: string[];
}

interface Outcome {
  readonly name: string;
  readonly interface: (typeof INTERFACES)[number];
  readonly events?: ServerEvent[];
  readonly text?: string;
  readonly resumptions?: number;
  readonly error?: {
    readonly type: string;
    readonly message: string;
    readonly code?: string;
    readonly param?: string;
    readonly status?: number;
    readonly event?: ErrorEvent;
  };
}

const environments = await clientEnvironments();
const executable = await sharedExecutable();
const folder = await mkdtemp(join(tmpdir(), "streamer-python-client-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs jobs in one process, each with both interfaces or the one that it names. */
async function run(python: string, jobs: readonly Job[]): Promise<Outcome[]> {
  const all = jobs.flatMap((job) =>
    INTERFACES.map((each) => ({ interface: each, ...job })).slice(0, job.interface && 1),
  );
  const child = Bun.spawn([python, "-W", "default", "-W", "error::ResourceWarning", DRIVER], {
    stdin: new TextEncoder().encode(JSON.stringify(all)),
    stdout: "pipe",
    stderr: "pipe",
    cwd: folder,
    env: {},
  });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  // Neither warnings nor tracebacks of threads and tasks.
  expect([code, err]).toEqual([0, ""]);
  const outcomes = out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Outcome);
  expect(outcomes.length).toBe(all.length);
  return outcomes;
}

function named(outcomes: readonly Outcome[], name: string): Outcome[] {
  const found = outcomes.filter((outcome) => outcome.name === name);
  expect(found.length).toBe(INTERFACES.length);
  return found;
}

const audio = encode("s16", speech([0.7, 0.4, 1.9, 0.8, 0.5, 1.2]));
const speechFile = join(folder, "speech.raw");
await writeFile(speechFile, audio);
const shortFile = join(folder, "short.raw");
await writeFile(shortFile, encode("s16", speech([1.5])));
const S16 = { channels: 1, sample_rate: 16_000, ...sampleFields("s16") };
const keys = join(folder, "keys");
await writeFile(keys, `key ${Buffer.alloc(32, 5).toString("base64")}\n`, { mode: 0o600 });
const RESUMES = { "auth.secret_file": keys, "limits.resume_ms": 60_000 };
const QUICK = { "model.name": WORDS, "model.workers": 2 };

const [server, other, crowded] = await Promise.all([
  executable.serve({ ...QUICK, ...RESUMES }),
  executable.serve({ ...QUICK, ...RESUMES }),
  executable.serve({ ...QUICK, "limits.max_sessions": 2, "limits.max_sessions_per_address": 0 }),
]);
const address = `127.0.0.1:${server.port}`;

describe.each(environments)("CPython $version", ({ version, python }) => {
  test("finals are those of send, in all patterns, and interims come before them", async () => {
    const jobs = PATTERNS.map((pattern) => ({
      name: pattern,
      do: "file" as const,
      url: address,
      file: RECORDING,
      options: { pattern },
    }));
    // At the speed of a microphone: a busy server leaves interims out.
    const options = { interim_results: true, interim_interval_ms: 100 };
    const live = { do: "pcm", url: address, file: shortFile, format: S16, options, pause: 0.1 } as const;
    const outcomes = await run(python, [...jobs, { ...live, name: "live" }]);
    for (const { events = [] } of named(outcomes, "live")) {
      const results = events.flatMap((event) => (event.type === "segment" ? [event.is_final] : []));
      expect(results).toContain(false);
      expect(results.at(-1)).toBe(true);
      expectExactLedger(events);
    }
    for (const pattern of PATTERNS) {
      const sent = await executable.run([
        "send",
        "-i",
        RECORDING,
        "--addr",
        address,
        "--pattern",
        pattern,
        "--format",
        "json",
      ]);
      const expected = chunkInvariantEvents(parseEvents(sent.out));
      for (const { events = [], error, text } of named(outcomes, pattern)) {
        expect(error).toBeUndefined();
        expectExactLedger(events);
        expect(chunkInvariantEvents(events)).toEqual(expected);
        expect(text?.split("\n").length).toBe(
          events.filter((event) => event.type === "segment" && event.is_final !== false).length,
        );
      }
    }
  });

  test("every format of samples is accounted for", async () => {
    const jobs = await Promise.all(
      SHAPES.map(async ({ sampleFormat, channels, sample_rate }) => {
        const spoken = speech([0.5, 0.8], { rate: sample_rate });
        const file = join(folder, `${version}-${sampleFormat}.raw`);
        await writeFile(file, encode(sampleFormat, ...Array.from({ length: channels }, () => spoken)));
        const format = { channels, sample_rate, ...sampleFields(sampleFormat) };
        return { name: sampleFormat, do: "pcm" as const, url: address, file, format };
      }),
    );
    const outcomes = await run(python, [
      ...jobs,
      {
        name: "slow",
        do: "pcm",
        url: address,
        file: speechFile,
        format: S16,
        slowness: 0.01,
        options: { max_queued_events: 2 },
      },
    ]);
    for (const { name, format, file } of jobs) {
      for (const { events = [], error } of named(outcomes, name)) {
        expect(error).toBeUndefined();
        const { stopped } = expectExactLedger(events);
        expect(stopped.channels.length).toBe(format.channels);
        expect(stopped.channels[0]?.received).toBe(Bun.file(file).size / frameBytes(format));
        expect(events.filter(({ type }) => type === "flushed").length).toBe(format.channels);
      }
    }
    const [blocking, asynchronous] = named(outcomes, "slow");
    expect(chunkInvariantEvents(blocking?.events ?? [])).toEqual(chunkInvariantEvents(asynchronous?.events ?? []));
    expectExactLedger(blocking?.events ?? []);
  });

  test("a stream whose connections are cut goes on, as one that is not", async () => {
    const job = { do: "pcm", file: speechFile, format: S16 } as const;
    const proxies = INTERFACES.map(
      () =>
        new CuttingProxy(
          [server.port, other.port],
          [0.3, 0.5, 0.4].map((part) => part * audio.length),
        ),
    );
    using ending = new DisposableStack();
    for (const proxy of proxies) ending.use(proxy);
    const cuts = INTERFACES.map((each, index) => {
      // Checkpoints are a second apart.
      return { ...job, name: "cut", url: `127.0.0.1:${proxies[index]?.port}`, pause: 0.02, interface: each };
    });
    const outcomes = await run(python, [{ ...job, name: "whole", url: address }, ...cuts]);
    const expected = chunkInvariantEvents(named(outcomes, "whole")[0]?.events ?? []);
    for (const { events = [], error, resumptions } of named(outcomes, "cut")) {
      expect(error).toBeUndefined();
      expect(resumptions).toBeGreaterThan(0);
      expect(chunkInvariantEvents(events)).toEqual(expected);
    }
  });

  test("refusals name what is wrong", async () => {
    const outcomes = await run(python, [
      { name: "field", do: "connect", url: address, options: { vad: { treshold_db: 3 } } },
      { name: "format", do: "connect", url: address, format: { ...S16, bit_depth: 12 } },
      { name: "model", do: "connect", url: address, options: { model: "other" } },
      { name: "path", do: "connect", url: `${address}/api/v1/other` },
      { name: "full", do: "connect", url: `127.0.0.1:${crowded.port}`, times: 3 },
      { name: "nobody", do: "connect", url: "127.0.0.1:1" },
    ]);
    const errors = (name: string) => named(outcomes, name).map(({ error }) => error);
    for (const error of errors("field")) {
      expect(error).toMatchObject({ type: "StartRefused", code: "invalid_request", param: "vad.treshold_db" });
      expect(error?.message).toContain('did you mean "vad.threshold_db"?');
    }
    for (const error of errors("format")) expect(error).toMatchObject({ param: "format.bit_depth" });
    for (const error of errors("model")) expect(error).toMatchObject({ code: "unknown_model" });
    for (const error of errors("path")) expect(error).toMatchObject({ type: "ConnectError", status: 404 });
    for (const error of errors("full")) {
      expect(error).toMatchObject({ type: "ConnectError", status: 503 });
      expect(error?.event).toMatchObject({ code: "overloaded", retryable: true });
    }
    for (const error of errors("nobody")) expect(error).toMatchObject({ type: "ConnectError" });
  });

  test("tokens and certificates", async () => {
    const [authority, stranger] = await Promise.all([Authority.create(), Authority.create("Stranger")]);
    const issued = await authority.issue();
    const token = newToken();
    const write = async (name: string, text: string): Promise<string> => {
      const path = join(folder, `${version}-${name}`);
      await writeFile(path, text, { mode: 0o600 });
      return path;
    };
    const hash = hashToken(token).toString("hex");
    await using guarded = await executable.serve({
      ...QUICK,
      "server.tls_cert": await write("cert", issued.cert),
      "server.tls_key": await write("key", issued.key),
      "auth.tokens": await write("tokens", `${formatTokenLine({ name: "somebody", hash, admin: false })}\n`),
    });
    const ca_file = await write("ca", authority.cert);
    const url = `wss://127.0.0.1:${guarded.port}`;
    const outcomes = await run(python, [
      { name: "admitted", do: "connect", url, options: { ca_file, token } },
      { name: "no token", do: "connect", url, options: { ca_file } },
      { name: "stranger", do: "connect", url, options: { ca_file: await write("other", stranger.cert), token } },
      { name: "plain", do: "connect", url: `ws://127.0.0.1:${guarded.port}`, options: { token } },
    ]);
    for (const { error } of named(outcomes, "admitted")) expect(error).toBeUndefined();
    for (const { error } of named(outcomes, "no token")) {
      expect(error).toMatchObject({ type: "ConnectError", status: 401, event: { code: "unauthorized" } });
    }
    for (const { error } of named(outcomes, "stranger")) {
      expect(error?.message).toContain("the certificate of the server is not accepted");
      expect(error?.message).not.toContain(token);
    }
    for (const { error } of named(outcomes, "plain")) expect(error).toMatchObject({ type: "ConnectError" });
  });

  test("a server that is frozen or killed is left", async () => {
    await using frozen = await executable.serve(QUICK);
    const job = { do: "signalled", url: `127.0.0.1:${frozen.port}`, pid: frozen.pid } as const;
    const stopped = await run(python, [{ ...job, name: "frozen", signal: "SIGSTOP" }]);
    for (const { error } of named(stopped, "frozen")) {
      expect(error).toMatchObject({ type: "StreamTimeout", code: "timeout" });
    }
    const killed = await run(python, [{ ...job, name: "killed", signal: "SIGKILL" }]);
    expect(killed.map(({ error }) => error?.type)).toEqual(["ConnectionLost", "ConnectError"]);
  });

  test("the command prints the finals of send, of a file and of a pipe, and ends by Ctrl-C", async () => {
    const command = [python, "-m", "streamer_client"];
    const start = (args: readonly string[], input?: Uint8Array) =>
      Bun.spawn([...command, ...args, "--url", address], {
        stdin: input ?? "ignore",
        stdout: "pipe",
        stderr: "pipe",
        cwd: folder,
        env: {},
      });
    const sent = await executable.run(["send", "-i", RECORDING, "--addr", address]);
    const finals = (text: string) =>
      text
        .split("\n")
        .filter((line) => /final  |speech/.test(line))
        .toSorted();
    for (const child of [start([RECORDING]), start(["-"], await Bun.file(RECORDING).bytes())]) {
      const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
      expect([code, err]).toEqual([0, expect.stringContaining("7 final results, 0 errors; the ledger adds up")]);
      expect(finals(out)).toEqual(finals(sent.out.replaceAll(/ {3}\d+ ms after end of speech/g, "")));
    }
    const child = start([RECORDING, "--real-time", "--format", "json"]);
    const reader = child.stdout.getReader();
    await reader.read();
    child.kill("SIGINT");
    const decoder = new TextDecoder();
    let out = "";
    for (let part = await reader.read(); part.value !== undefined; part = await reader.read()) {
      out += decoder.decode(part.value, { stream: true });
    }
    expect([await child.exited, await child.stderr.text()]).toEqual([
      0,
      expect.stringContaining("interrupted: the results of what was sent follow"),
    ]);
    expect(parseEvents(out).at(-1)).toMatchObject({ type: "stopped", reason: "stop" });
  });

  test("the tests of the package pass", async () => {
    const unittest = [python, "-W", "default", "-W", "error::ResourceWarning", "-m", "unittest", "discover", "-t", "."];
    const child = Bun.spawn([...unittest, "-s", "tests"], {
      stdout: "pipe",
      stderr: "pipe",
      cwd: source,
      env: { PYTHONDONTWRITEBYTECODE: "1" },
    });
    const [err, code] = await Promise.all([child.stderr.text(), child.exited]);
    expect([code, code === 0 ? "" : err]).toEqual([0, ""]);
    expect(err).toMatch(/Ran \d+ tests/);
  });
});

test.skipIf(environments.length === 0)(
  "its classes have the fields of the contract of the server, and no others",
  async () => {
    const contract = (await (await fetch(`${server.url}/api/v1/asyncapi.json`)).json()) as Contract;
    const { schemas } = contract.components;
    const events = EVENT_TYPES.map((type) => [type, contract.components.messages[type]!] as const);
    const examples = events.flatMap(([, { examples }]) => examples.map(({ payload }) => payload));
    const child = Bun.spawn([environments[0]!.python, join(clients, "python_client_fields.py")], {
      stdin: new TextEncoder().encode(JSON.stringify(examples)),
      stdout: "pipe",
      env: {},
    });
    const known = (await child.stdout.json()) as Known;
    expect(known.events).toEqual(
      Object.fromEntries(events.map(([type, { payload }]) => [type, fieldsOf(payload, schemas)])),
    );
    expect(known.start).toEqual(Object.keys(schemas["StartRequest"]!.properties!).toSorted());
    expect(known.vad).toEqual(Object.keys(schemas["VadSettings"]!.properties!).toSorted());
    expect(known.examples).toEqual(examples.map(({ type }) => type));
  },
);

test.skipIf(environments.length === 0)("the programs in its documents work", async () => {
  const { python, version } = environments.at(-1)!;
  const place = await mkdtemp(join(folder, "documents-"));
  await copyFile(RECORDING, join(place, "recording.wav"));
  const texts = await Promise.all(
    ["docs/python-client.md", "clients/python/README.md"].map((path) => Bun.file(join(root, path)).text()),
  );
  // `match` came with 3.10.
  const programs = texts.flatMap(clientPrograms).filter((code) => version !== "3.9" || !/^ +match /m.test(code));
  expect(programs.length).toBeGreaterThan(version === "3.9" ? 3 : 4);
  for (const program of programs) {
    const code = program.replaceAll("localhost:8080", address);
    const child = Bun.spawn([python, "-W", "default", "-c", code], {
      cwd: place,
      env: {},
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, err, exit] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    expect([exit, err]).toEqual([0, ""]);
    expect(out).toMatch(/turn left here|stopped/);
  }
});

test("its version and its licence are those of the project", async () => {
  const { version } = (await Bun.file(join(root, "package.json")).json()) as { version: string };
  expect(await Bun.file(join(source, "pyproject.toml")).text()).toContain(`\nversion = "${version}"\n`);
  expect(await Bun.file(join(source, "LICENSE")).text()).toBe(await Bun.file(join(root, "LICENSE")).text());
});

/** Sources that were checked once need not be checked again. */
test.skipIf(environments.length === 0)("types and style are right", async () => {
  const newest = environments.at(-1)!.python;
  const tools = await checkingTools(newest);
  if (tools === undefined) return reportMissing("types and style of the client for Python");
  const python = join(tools, "bin", "python");
  const run = async (...command: string[]) => {
    const child = Bun.spawn(command, {
      cwd: source,
      stdout: "pipe",
      stderr: "pipe",
      env: { ...process.env, PYRIGHT_PYTHON_CACHE_DIR: join(tools, "pyright") },
    });
    const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    expect([command.join(" "), code, code === 0 ? "" : out + err]).toEqual([command.join(" "), 0, ""]);
  };
  await run(python, "-m", "ruff", "check", "--no-cache", ".");
  await run(python, "-m", "ruff", "format", "--no-cache", "--check", ".");
  const checked = join(tools, `checked-${await hashOf(await packageFiles())}`);
  if (existsSync(checked)) return;
  await run(python, "-m", "mypy", "--cache-dir", join(tools, "mypy"));
  await run(python, "-m", "pyright", "--pythonpath", python);
  await writeFile(checked, "");
});

type Schemas = Readonly<Record<string, Schema>>;

/** The fields of an object, as the classes should have them. The type of an event is that of its class. */
function fieldsOf(schema: Schema, schemas: Schemas): Record<string, Field> {
  const { properties = {}, required = [] } = resolved(schema, schemas);
  const fields = Object.entries(properties).filter(([, { const: constant }]) => constant === undefined);
  // The shape of samples has defaults for those who connect.
  const isFormat = "bit_depth" in properties;
  return Object.fromEntries(
    fields.map(([name, field]) => [
      name,
      { kind: kindOf(field, schemas), required: !isFormat && required.includes(name) },
    ]),
  );
}

function kindOf(schema: Schema, schemas: Schemas): unknown {
  const { items, properties, enum: values, type } = resolved(schema, schemas);
  if (items !== undefined) return [kindOf(items, schemas)];
  if (properties !== undefined) return fieldsOf(schema, schemas);
  return values?.every(Number.isInteger) === true ? "integer" : type;
}

function resolved(schema: Schema, schemas: Schemas): Schema {
  return schema.$ref === undefined ? schema : (schemas[schema.$ref.split("/").at(-1) ?? ""] ?? schema);
}
