// The package for JavaScript on Bun and Deno, as npm installs it.

import { afterAll, describe, expect, setDefaultTimeout } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Segment } from "../../../src/protocol/events.ts";
import { Authority } from "../../support/certificates.ts";
import { installedClient, runClient } from "../../support/client-package.ts";
import { CuttingProxy } from "../../support/cutting-proxy.ts";
import { root } from "../../support/documents.ts";
import { parseEvents, sharedExecutable } from "../../support/executable.ts";
import type { Settings } from "../../support/in-process-server.ts";
import { installedPackages } from "../../support/installed-example.ts";
import { clients } from "../../support/interop-clients.ts";
import { testWith } from "../../support/requirements.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const executable = await sharedExecutable();
const folder = await installedClient();
const files = await mkdtemp(join(tmpdir(), "streamer-client-"));
afterAll(() => rm(files, { recursive: true }));

const deno = await installedPackages(join(clients, "deno"), "deno");
const RUNTIMES = {
  Bun: [process.execPath],
  Deno:
    deno === undefined
      ? undefined
      : [join(deno, "node_modules", ".bin", "deno"), "run", "--quiet", "--no-lock", "--allow-all"],
};
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
const tokens = join(files, "tokens");
const token = (await executable.run(["token", "new", "somebody", "--file", tokens])).out.trim();
const locked = await executable.serve({ ...SETTINGS, "auth.tokens": tokens });

const ordered = (finals: readonly Segment[]) =>
  finals.toSorted((a, b) => a.channel - b.channel || a.start_time - b.start_time);
const sent = await executable.run(["send", "-i", RECORDING, "--addr", server.url, "--format", "json"]);
const expected = ordered(parseEvents(sent.out).filter((event): event is Segment => event.type === "segment"));

for (const [name, runtime] of Object.entries(RUNTIMES)) {
  const run = testWith(runtime);
  const act = (action: object) => runClient(runtime ?? [], folder, { file: RECORDING, url: STREAM, ...action });

  describe(`on ${name}`, () => {
    run("a file gives the finals of `send` and an exact ledger, also when its connection is cut", async () => {
      using proxy = new CuttingProxy([server.port], [900_000, 1_500_000]);
      for (const [port, isCut] of [
        [server.port, false],
        [proxy.port, true],
      ] as const) {
        const url = STREAM.replace(String(server.port), String(port));
        const streamed = (await act({ action: "stream", url })) as {
          finals: readonly Segment[];
          resumptions: number;
        };
        expect(ordered(streamed.finals)).toEqual(expected);
        expect(streamed).toMatchObject({ problems: [], isOpen: false });
        // Twice, unless an attempt to connect is given up on a busy machine.
        expect(streamed.resumptions > 0).toBe(isCut);
      }
    });

    run("one connection carries several streams, flushes, and sending that is given up", async () => {
      expect(await act({ action: "conversation" })).toMatchObject({
        seen: ["started", "flushed", "stopped", "started", "stopped"],
        problems: [],
        aborted: { kind: "Error", message: "enough" },
        disposable: "function",
      });
    });

    run("failures are told apart, and tokens and tickets admit", async () => {
      const url = `ws://127.0.0.1:${locked.port}/api/v1/segmented`;
      const failed = { kind: "ConnectionError", code: "cannot_connect" };
      expect(await act({ action: "refusals", locked: url, token })).toMatchObject({
        nobody: failed,
        unauthorized: failed,
        noUrl: { kind: "TypeError" },
        refused: { kind: "StartRefused", event: { code: "unsupported_format" } },
        ignored: "unknown_model",
        aborted: { kind: "Error", message: "given up" },
        badTicket: { kind: "TicketRefused", status: 401 },
        byToken: [],
        byTicket: [],
      });
    });

    run("TLS trusts the authority that is given, and shows a certificate", async () => {
      const [authority, authorityOfClients] = [await Authority.create(), await Authority.create()];
      const [served, own] = [await authority.issue(), await authorityOfClients.issue({ client: true })];
      const write = async (file: string, text: string): Promise<string> => {
        await writeFile(join(files, name + file), text);
        return join(files, name + file);
      };
      const ca = await write("ca.pem", authority.cert);
      const settings = { ...SETTINGS, "server.tls_client_ca": await write("clients.pem", authorityOfClients.cert) };
      const [cert, key] = [await write("server.crt", served.cert), await write("server.key", served.key)];
      const secure = await executable.serve(settings, ["--tls-cert", cert, "--tls-key", key]);
      const url = `wss://localhost:${secure.port}/api/v1/segmented`;
      const tls = { ca, cert: await write("client.crt", own.cert), key: await write("client.key", own.key) };
      expect(await act({ action: "stream", url, tls })).toMatchObject({ problems: [] });
      for (const lacking of [undefined, { ca }]) {
        const failed = { kind: "ConnectionError", code: "cannot_connect" };
        expect(await act({ action: "failure", url, tls: lacking })).toMatchObject(failed);
      }
    });
  });
}
