import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Authority, type Issued } from "../support/certificates.ts";
import { BUILD_MS, sharedExecutable } from "../support/executable.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(BUILD_MS);

const executable = await sharedExecutable();
const folder = await mkdtemp(join(tmpdir(), "streamer-tls-"));
afterAll(() => rm(folder, { recursive: true }));
const sample = join(import.meta.dir, "..", "data", "two-speakers-48k.wav");

const [authority, clients] = [await Authority.create(), await Authority.create()];

async function write(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

async function install({ cert, key }: Issued, name: string): Promise<{ cert: string; key: string }> {
  return { cert: await write(`${name}.crt`, cert), key: await write(`${name}.key`, key) };
}

const ca = await write("ca.pem", authority.cert);
const clientCa = await write("clients.pem", clients.cert);
const served = await install(await authority.issue(), "server");
const client = await install(await clients.issue({ client: true }), "client");
const tlsArgs = ["--tls-cert", served.cert, "--tls-key", served.key];

describe("commands over TLS", () => {
  test("send has an exact ledger, bench results, and health an answer with --ca", async () => {
    const server = await executable.serve({ "model.delay": 0 }, tlsArgs);
    const addr = `wss://localhost:${server.port}`;
    const sent = await executable.run(["send", "-i", sample, "--addr", addr, "--ca", ca]);
    expect({ code: sent.code, err: sent.err }).toEqual({ code: 0, err: "" });
    expect(sent.out).toContain(`-> ${addr}/api/v1/segmented`);
    expect(sent.out).toContain("the ledger adds up: every sample that was sent is accounted for");
    const health = await executable.run(["health", "--addr", server.url, "--ca", ca, "--ready"]);
    expect(health).toEqual({ code: 0, out: "ready\n", err: "" });
    const bench = ["bench", "--addr", addr, "-n", "4", "--processes", "2", "--ramp", "0", "--settle", "0"];
    const run = await executable.run([...bench, "--seconds", "1", "--ca", ca, "--format", "json"]);
    expect({ code: run.code, err: run.err }).toEqual({ code: 0, err: "" });
    expect(run.out).not.toContain("BEGIN");
  });

  test("without --ca they say what is wrong with the certificate, with --insecure they warn and go on", async () => {
    const server = await executable.serve({ "model.delay": 0 }, tlsArgs);
    const addr = `wss://127.0.0.1:${server.port}`;
    const fault = "the certificate of the server is not of an authority that is trusted";
    const sent = await executable.run(["send", "-i", sample, "--addr", addr]);
    expect(sent.code).toBe(3);
    expect(sent.err).toContain(
      `cannot connect to ${addr}/api/v1/segmented: ${fault}; --ca FILE trusts its authority\n`,
    );
    const health = await executable.run(["health", "--addr", addr]);
    expect(health).toEqual({
      code: 1,
      out: "",
      err: `streamer: ${server.url}/api/v1/health: cannot connect: ${fault}; --ca FILE trusts its authority\n`,
    });
    const bench = ["bench", "--addr", addr, "-n", "2", "--ramp", "0", "--settle", "0", "--seconds", "1"];
    const run = await executable.run(bench);
    expect(run.code).toBe(1);
    expect(run.out + run.err).toContain(`cannot connect: ${fault}`);
    const insecure = await executable.run(["health", "--addr", addr, "--insecure"]);
    expect(insecure).toEqual({
      code: 0,
      out: "healthy\n",
      err:
        "streamer: warning: the certificate of the server is not checked (--insecure): " +
        "anybody in between can read and change everything\n",
    });
  });

  test("health without an address checks a server of the same environment, whatever names its certificate has", async () => {
    const named = await install(await authority.issue({ names: ["speech.example"] }), "named");
    const server = await executable.serve({}, ["--tls-cert", named.cert, "--tls-key", named.key]);
    const env = { STREAMER__SERVER__PORT: `${server.port}`, STREAMER__SERVER__TLS_CERT: named.cert };
    expect(await executable.run(["health"], { env })).toEqual({ code: 0, out: "healthy\n", err: "" });
  });

  test("--cert and --key are shown to a server that requires a certificate", async () => {
    const server = await executable.serve({ "model.delay": 0 }, [
      ...tlsArgs,
      "--set",
      `server.tls_client_ca=${clientCa}`,
    ]);
    const addr = `wss://localhost:${server.port}`;
    const send = ["send", "-i", sample, "--addr", addr, "--ca", ca];
    expect((await executable.run([...send, "--cert", client.cert, "--key", client.key])).code).toBe(0);
    const refused = await executable.run(send);
    expect(refused.code).toBe(3);
    expect(refused.err).toContain("the server requires a certificate of the client; give it with --cert and --key");
  });

  test("flags that make no sense are usage errors", async () => {
    const cases: [string[], string][] = [
      [
        ["--addr", "localhost:1", "--insecure"],
        "--insecure needs an --addr with wss:// or https://: other connections are not encrypted",
      ],
      [["--addr", "wss://localhost:1", "--cert", client.cert], "--cert and --key: give both"],
      [
        ["--addr", "wss://localhost:1", "--ca", ca, "--insecure"],
        "--ca and --insecure: give only one of them, the second one checks nothing",
      ],
      [
        ["--addr", "wss://localhost:1", "--ca", served.key],
        `--ca: found "${served.key}", which has a private key and no certificate; allowed: a file with a certificate in PEM`,
      ],
    ];
    for (const [args, message] of cases) {
      const sent = await executable.run(["send", "-i", sample, ...args]);
      const health = await executable.run(["health", ...args]);
      for (const { code, err } of [sent, health]) {
        expect(code).toBe(2);
        expect(err).toContain(message);
      }
    }
  });
});
