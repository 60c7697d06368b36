import { expect, setDefaultTimeout, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { Authority } from "../support/certificates.ts";
import { CuttingProxy } from "../support/cutting-proxy.ts";
import { parseEvents, sharedExecutable } from "../support/executable.ts";
import type { Settings } from "../support/in-process-server.ts";
import { partOfSample, resumes } from "../support/killed-servers.ts";
import { freePort } from "../support/proxies.ts";
import { SendProcess } from "../support/send-process.ts";
import { waitUntil } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const SAMPLE = join(import.meta.dir, "..", "data", "two-speakers-48k.wav");
const executable = await sharedExecutable();
const QUICK: Settings = { "model.workers": 1, "model.delay": 0 };

/** Starts a server with a port for gRPC. */
async function serve(settings: Settings = {}) {
  const port = await freePort();
  const server = await executable.serve({ ...QUICK, "grpc.port": port, ...settings });
  return { server, addr: `localhost:${port}`, port };
}

const finalsOf = (out: string): string[] =>
  parseEvents(out)
    .filter(({ type }) => type === "segment")
    .map((event) => JSON.stringify(Object.entries(event).toSorted()))
    .toSorted();

test("send --grpc prints the same finals as send, from several processes on one port", async () => {
  const { server, addr, port } = await serve({ "server.processes": 2 });
  await waitUntil("its address", () => server.out.includes(`listening on grpc://127.0.0.1:${port} for grpc\n`));
  const native = await executable.run(["send", "-i", SAMPLE, "--addr", `localhost:${server.port}`, "--format", "json"]);
  const grpc = await executable.run(["send", "--grpc", "-i", SAMPLE, "--addr", addr, "--format", "json"]);
  expect([native.code, grpc.code]).toEqual([0, 0]);
  expect(grpc.err).toContain("the ledger adds up: every sample that was sent is accounted for");
  expect(finalsOf(grpc.out)).toEqual(finalsOf(native.out));
  expect(finalsOf(grpc.out)).toHaveLength(7);
});

test("a stream over gRPC is finished by a server that shuts down", async () => {
  const { server, addr } = await serve();
  const part = await partOfSample(executable);
  await using sending = new SendProcess(executable, ["--grpc", ...part, "--addr", addr]);
  await waitUntil("speech", () => sending.out.includes("speech begins"));
  server.signal("SIGTERM");
  const { code, out } = await sending.result();
  expect(out).toMatch(/warning draining: The server is shutting down; .* \(30 s\)\n/);
  expect(out).toContain("the ledger adds up");
  expect(code).toBe(0);
  expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
});

test("a stream over gRPC that could go on elsewhere stays when there is no other server, and is finished", async () => {
  const { server, addr } = await serve({ ...resumes(executable), "limits.drain_timeout_ms": 8_000 });
  const part = await partOfSample(executable);
  await using sending = new SendProcess(executable, ["--grpc", ...part, "--addr", addr]);
  await waitUntil("speech", () => sending.out.includes("speech begins"));
  server.signal("SIGTERM");
  const { code, out } = await sending.result();
  expect(out).toContain("4 final results, 0 errors; the ledger adds up");
  expect(code).toBe(0);
});

test("a stream over gRPC goes on at another connection when its own is cut", async () => {
  const { port } = await serve(resumes(executable));
  using proxy = new CuttingProxy([port], [1_000_000, 1_500_000]);
  const sent = ["send", "--grpc", "-i", SAMPLE, "--addr", `localhost:${proxy.port}`];
  const { code, out, err } = await executable.run(sent);
  expect(err).toContain("reconnected: the stream goes on, and what was lost has been sent again");
  expect(out).toContain("7 final results, 0 errors; the ledger adds up");
  expect(code).toBe(0);
  expect(proxy.connections).toBe(3);
});

test("send --grpc says why there is no connection", async () => {
  const { server } = await serve();
  const send = async (addr: string) => await executable.run(["send", "--grpc", "-i", SAMPLE, "--addr", addr]);
  const nobody = await freePort();
  expect(await send(`localhost:${nobody}`)).toMatchObject({
    code: 3,
    err: `cannot connect to grpc://localhost:${nobody}: nothing listens there\n`,
  });
  expect(await send(`localhost:${server.port}`)).toMatchObject({
    code: 3,
    err: `cannot connect to grpc://localhost:${server.port}: the server there does not speak gRPC\n`,
  });
  const [certificate, key] = [join(executable.folder, "cert.pem"), join(executable.folder, "key.pem")];
  const issued = await (await Authority.create()).issue();
  await Promise.all([writeFile(certificate, issued.cert), writeFile(key, issued.key, { mode: 0o600 })]);
  const secure = await serve({ "server.tls_cert": certificate, "server.tls_key": key });
  expect((await send(secure.addr)).err).toContain("the server closed the connection: it may expect TLS");
  expect((await send(`https://${secure.addr}`)).err).toContain("is not of an authority that is trusted");
  const path = await send("localhost:1/api/v1/simple");
  expect(path).toMatchObject({
    code: 2,
    err: expect.stringContaining("an address without a path, together with --grpc"),
  });
});
