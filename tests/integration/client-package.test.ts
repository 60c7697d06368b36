// The package for JavaScript, as npm installs it, on Node.js.

import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Segment } from "../../src/protocol/events.ts";
import { Authority } from "../support/certificates.ts";
import { installedClient, runClient, runProgram } from "../support/client-package.ts";
import { CuttingProxy } from "../support/cutting-proxy.ts";
import { root } from "../support/documents.ts";
import { parseEvents, sharedExecutable } from "../support/executable.ts";
import type { Settings } from "../support/in-process-server.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const executable = await sharedExecutable();
const folder = await installedClient();
const files = await mkdtemp(join(tmpdir(), "streamer-client-"));
afterAll(() => rm(files, { recursive: true }));

const NODE = ["node"];
const RECORDING = join(root, "tests", "data", "two-speakers-48k.wav");
const secret = join(files, "keys");
await writeFile(secret, `key ${Buffer.alloc(32, 1).toString("base64")}\n`, { mode: 0o600 });
const SETTINGS: Settings = {
  "model.workers": 2,
  "model.delay": 0,
  "model.constant_factor": 0,
  "auth.secret_file": secret,
  "limits.resume_ms": 60_000,
};
const server = await executable.serve(SETTINGS);
const STREAM = `ws://127.0.0.1:${server.port}/api/v1/segmented`;

/** What a program streamed. */
interface Streamed {
  readonly finals: readonly Segment[];
  readonly problems: readonly string[];
  readonly states: readonly string[];
  readonly resumptions: number;
}

/** Finals in the order of their channels: between channels there is none. */
function ordered(finals: readonly Segment[]): Segment[] {
  return finals.toSorted((a, b) => a.channel - b.channel || a.start_time - b.start_time);
}

const sent = await executable.run(["send", "-i", RECORDING, "--addr", server.url, "--format", "json"]);
const expected = ordered(parseEvents(sent.out).filter((event): event is Segment => event.type === "segment"));

describe("on Node.js", () => {
  test("a file gives the finals of `send`, and an exact ledger", async () => {
    const streamed = (await runClient(NODE, folder, { action: "stream", file: RECORDING, url: STREAM })) as Streamed;
    expect(expected).toHaveLength(7);
    expect(ordered(streamed.finals)).toEqual(expected);
    expect(streamed).toMatchObject({ problems: [], states: [], resumptions: 0, isOpen: false });
  });

  test("a stream whose connection is cut goes on, with the same finals and ledger", async () => {
    using proxy = new CuttingProxy([server.port], [900_000, 1_500_000]);
    const url = STREAM.replace(String(server.port), String(proxy.port));
    const streamed = (await runClient(NODE, folder, { action: "stream", file: RECORDING, url })) as Streamed;
    expect(ordered(streamed.finals)).toEqual(expected);
    expect(streamed).toMatchObject({ problems: [] });
    // Twice, unless an attempt to connect is given up on a busy machine.
    expect(streamed.resumptions).toBeGreaterThan(0);
    expect(streamed.states.filter((state) => state === "resumed")).toHaveLength(streamed.resumptions);
  });

  test("one connection carries several streams, flushes, and sending that is given up", async () => {
    expect(await runClient(NODE, folder, { action: "conversation", url: STREAM })).toMatchObject({
      seen: ["started", "flushed", "stopped", "started", "stopped"],
      problems: [],
      aborted: { kind: "Error", message: "enough" },
      disposable: "function",
    });
  });

  test("refusals have the reason of the server, and tokens and tickets admit", async () => {
    const tokens = join(files, "tokens");
    const { out } = await executable.run(["token", "new", "somebody", "--file", tokens]);
    const locked = await executable.serve({ ...SETTINGS, "auth.tokens": tokens });
    const url = `ws://127.0.0.1:${locked.port}/api/v1/segmented`;
    const action = { action: "refusals", file: RECORDING, url: STREAM, locked: url, token: out.trim() };
    const unauthorized = { type: "error", code: "unauthorized", fatal: true, retryable: false };
    expect(await runClient(NODE, folder, action)).toMatchObject({
      nobody: { kind: "ConnectionError", code: "cannot_connect", message: expect.stringContaining("ECONNREFUSED") },
      unauthorized: { kind: "ConnectionRefused", code: "cannot_connect", status: 401, event: unauthorized },
      noUrl: { kind: "TypeError" },
      refused: { kind: "StartRefused", event: { code: "unsupported_format", param: "format.channels" } },
      ignored: "unknown_model",
      aborted: { kind: "Error", message: "given up" },
      badTicket: { kind: "TicketRefused", status: 401, event: unauthorized },
      noAudio: {
        kind: "TypeError",
        message: "audio: found a string; allowed: an ArrayBuffer, or an array of its numbers",
      },
      byToken: [],
      byTicket: [],
    });
  });

  test("TLS trusts the authority that is given, shows a certificate, and says what is wrong", async () => {
    const [authority, clients] = [await Authority.create(), await Authority.create()];
    const [served, own] = [await authority.issue(), await clients.issue({ client: true })];
    const write = async (name: string, text: string): Promise<string> => {
      await writeFile(join(files, name), text);
      return join(files, name);
    };
    const [ca, clientCa] = [await write("ca.pem", authority.cert), await write("clients.pem", clients.cert)];
    const [cert, key] = [await write("server.crt", served.cert), await write("server.key", served.key)];
    const settings = { ...SETTINGS, "server.tls_client_ca": clientCa };
    const secure = await executable.serve(settings, ["--tls-cert", cert, "--tls-key", key]);
    const url = `wss://localhost:${secure.port}/api/v1/segmented`;
    const identity = { ca, cert: await write("client.crt", own.cert), key: await write("client.key", own.key) };
    const shown = { action: "stream", file: RECORDING, url, tls: identity };
    expect(await runClient(NODE, folder, shown)).toMatchObject({ problems: [] });
    for (const [tls, fault] of [
      [undefined, "the certificate of the server is not of an authority that is trusted"],
      [{ ca }, "the server requires a certificate of the client"],
    ] as const) {
      const failed = await runClient(NODE, folder, { action: "failure", file: RECORDING, url, tls });
      expect(failed).toMatchObject({ kind: "ConnectionError", message: `cannot connect to ${url}: ${fault}` });
    }
  });

  test("CommonJS imports it", async () => {
    const { out, err } = await runProgram(["node", "require.cjs"], folder);
    expect({ out, err }).toEqual({ out: '{"connect":"function"}\n', err: "" });
  });
});

describe("an example of", () => {
  for (const page of ["docs/javascript.md", "clients/javascript/README.md"]) {
    test(`${page} runs as it stands`, async () => {
      await copyFile(RECORDING, join(folder, "recording.wav"));
      const text = await Bun.file(join(root, page)).text();
      const examples = [...text.matchAll(/^```js\n(.*?)^```/gms)].map(([, code = ""]) => code);
      const programs = examples.filter((code) => !code.includes("streamer-client/microphone"));
      expect(programs.length).toBeGreaterThan(0);
      for (const [index, code] of programs.entries()) {
        const name = join(folder, `example-${process.pid}-${index}.mjs`);
        await writeFile(name, code.replaceAll("localhost:8080", `localhost:${server.port}`));
        const { code: exit, out, err } = await runProgram(["node", name], folder, { STREAMER_TOKEN: "any" });
        await rm(name);
        expect({ index, exit, err }).toEqual({ index, exit: 0, err: "" });
        expect(out).not.toBe("");
      }
    });
  }
});
