import { expect, setDefaultTimeout, test } from "bun:test";
import { cp, mkdtempDisposable, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { publint } from "publint";
import { formatMessage } from "publint/utils";

import project from "../../package.json" with { type: "json" };
import { clientTypes } from "../../scripts/client-types.ts";
import { clientTarball, installedClient, runProgram } from "../support/client-package.ts";
import { root } from "../support/documents.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

/** Most bytes of what a program loads for `streamer-client`, compressed by gzip. */
const MAX_MAIN_BYTES = 15_000;

const tarball = await clientTarball();
const folder = await installedClient();
const installed = join(folder, "node_modules", "streamer-client");
const program = (name: string): string => join(root, "node_modules", ".bin", name);

/** What Node.js 20 does not have. */
const NEWER =
  /Promise\.(?:withResolvers|try)\b|\.(?:to|from|setFrom)(?:Base64|Hex)\(|\b(?:Array\.fromAsync|RegExp\.escape|Error\.isError|Map\.groupBy|Object\.groupBy)\b|\bIterator\.|\b(?:await )?using \w+ =/;

/** Paths of a module and of the modules that it imports. */
async function modulesOf(path: string): Promise<string[]> {
  const found = [path];
  for (const each of found) {
    const text = await readFile(each, "utf8");
    for (const [, specifier = ""] of text.matchAll(/(?:from|import) ?"(\.[^"]+)"/g)) {
      const next = join(dirname(each), specifier);
      if (!found.includes(next)) found.push(next);
    }
  }
  return found;
}

test("publint has no remarks about the package", async () => {
  const bytes = await readFile(tarball);
  const { messages, pkg } = await publint({ pack: { tarball: new Uint8Array(bytes).buffer }, strict: true });
  expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
});

test("attw finds types for every module, as Node.js and bundlers resolve them", async () => {
  const { code, out } = await runProgram(
    [program("attw"), "--profile", "esm-only", "--format", "ascii", tarball],
    root,
  );
  expect(out).toContain('"streamer-client/microphone"');
  expect({ code, found: out.match(/❌.*/g) }).toEqual({ code: 0, found: null });
});

test("the main module is small, and no file needs a compiler or another package but ws", async () => {
  const main = await modulesOf(join(installed, "dist", "index.js"));
  const sizes = await Promise.all(main.map(async (path) => Bun.gzipSync(new Uint8Array(await readFile(path))).length));
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(MAX_MAIN_BYTES);
  const files = await readdir(installed, { recursive: true });
  expect(files.filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts"))).toEqual([]);
  for (const name of files.filter((each) => /\.(?:js|ts)$/.test(each))) {
    const text = await readFile(join(installed, name), "utf8");
    const packages = [...text.matchAll(/(?:from|import) ?\(?"([^".][^"]*)"/g)].map(([, specifier]) => specifier);
    expect({ name, packages }).toEqual({ name, packages: name === "dist/node.js" ? ["ws"] : [] });
    expect(text).not.toMatch(/types="|Bun\.|NodeJS/);
    expect(text).not.toMatch(NEWER);
  }
});

test("its version is that of the server, and its licences are with it", async () => {
  const manifest = (await Bun.file(join(installed, "package.json")).json()) as Record<string, unknown>;
  expect(manifest).toMatchObject({ name: "streamer-client", version: project.version, sideEffects: false });
  expect(await readFile(join(installed, "LICENSE"), "utf8")).toBe(await readFile(join(root, "LICENSE"), "utf8"));
  expect(await readFile(join(installed, "LICENSE-valibot.md"), "utf8")).toContain("MIT License");
});

test("the types of events and starts are those of the schemas", async () => {
  for (const [path, text] of Object.entries(clientTypes())) {
    expect({ path, text: await readFile(join(root, path), "utf8") }).toEqual({ path, text });
  }
});

const PROGRAM = `
import {
  type AudioFormat, type Client, connect, ConnectionError, type ReceivedEvent, type ServerEvent, type StartFields, StreamLedger,
} from "streamer-client";
import { openWav } from "streamer-client/wav";

const format: AudioFormat = { channels: 1, sample_rate: 16000, bit_depth: 16, is_float: false };
const start: StartFields = { format, interim_results: true, vad: { min_silence_ms: 300 }, model: undefined };
export async function run(url: URL, signal: AbortSignal): Promise<string[]> {
  using client: Client = await connect(url, start, { credentials: { token: "secret" }, signal, tls: { ca: "" } });
  const { limits } = await client.started();
  await client.send(new Int16Array(limits.max_message_bytes / 4));
  await client.sendAll(await openWav(new Blob([])), { realTime: true });
  client.stop({ disconnect: true });
  const ledger = new StreamLedger();
  const texts: string[] = [];
  for await (const received of client.events) {
    texts.push(...(ledger.add(received) ?? []), describe(received.event, received));
  }
  return texts;
}
function describe(event: ServerEvent, { audio }: ReceivedEvent): string {
  switch (event.type) {
    case "started": return event.session_id;
    case "segment": return \`\${event.start_time} \${String(event["text"])} \${audio?.length ?? 0}\`;
    case "stopped": return event.channels.map(({ received }) => received).join();
    case "error": return event.code === "overloaded" ? event.message : String(event.retry_after_ms);
    default: return event.type;
  }
}
// @ts-expect-error a field that there is not
export const misspelt: StartFields = { format, interims: true };
// @ts-expect-error the format is required
export const missing: StartFields = {};
export const codes = (error: ConnectionError): boolean => error.code === "unsupported";
`;

const BROWSER_PROGRAM = `
import { connect } from "streamer-client";
import { Microphone, MicrophoneError, openMicrophone } from "streamer-client/microphone";
export async function listen(): Promise<void> {
  const microphone: Microphone = await openMicrophone({ channels: 2, pick: [0], sampleFormat: "f32" });
  const client = await connect("/api/v1/segmented", { format: microphone.format });
  await client.sendAll(microphone).catch((error: unknown) => error instanceof MicrophoneError && error.code === "gone");
}
`;

test("TypeScript checks programs that use it, without skipLibCheck and without the types of Bun", async () => {
  await using project = await mkdtempDisposable(join(tmpdir(), "streamer-types-"));
  await cp(installed, join(project.path, "node_modules", "streamer-client"), { recursive: true });
  // What a program on Node.js has: no DOM.
  await cp(join(root, "node_modules", "@types", "node"), join(project.path, "node_modules", "@types", "node"), {
    recursive: true,
  });
  const undici = join("node_modules", "undici-types");
  await cp(join(root, undici), join(project.path, undici), { recursive: true });
  await writeFile(join(project.path, "package.json"), JSON.stringify({ type: "module" }));
  await writeFile(join(project.path, "program.ts"), PROGRAM);
  await writeFile(join(project.path, "browser.ts"), BROWSER_PROGRAM);
  const strict = { strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, noEmit: true };
  const page = { lib: ["ES2022", "DOM", "DOM.Iterable"], types: [] };
  const configs = [
    { files: ["program.ts", "browser.ts"], module: "node16", moduleResolution: "node16", ...page },
    { files: ["program.ts", "browser.ts"], module: "esnext", moduleResolution: "bundler", ...page },
    { files: ["program.ts"], module: "node16", moduleResolution: "node16", lib: ["ES2022"], types: ["node"] },
  ];
  for (const [index, { files, ...options }] of configs.entries()) {
    const path = join(project.path, `tsconfig.${index}.json`);
    const compilerOptions = { ...strict, ...options, target: "es2022", skipLibCheck: false };
    await writeFile(path, JSON.stringify({ files, compilerOptions }));
    const { code, out } = await runProgram([program("tsc"), "-p", path], project.path);
    expect({ index, code, out }).toEqual({ index, code: 0, out: "" });
  }
});
