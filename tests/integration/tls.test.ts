import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { encode, noise } from "../support/audio.ts";
import { Authority, credentialsOf, type Issued } from "../support/certificates.ts";
import { BUILD_MS, type ServeProcess, sharedExecutable } from "../support/executable.ts";
import { expectExactLedger } from "../support/ledgers.ts";
import { ScrapedMetrics } from "../support/scraped-metrics.ts";
import { waitUntil } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(BUILD_MS);

const executable = await sharedExecutable();
const folder = await mkdtemp(join(tmpdir(), "streamer-tls-"));
afterAll(() => rm(folder, { recursive: true }));

const authority = await Authority.create();
const ca = join(folder, "ca.pem");
await writeFile(ca, authority.cert);
const trusted = { tls: { ca: authority.cert } };

/** Writes a certificate and its key, by renames. */
async function install({ cert, key }: Issued, name: string): Promise<{ cert: string; key: string }> {
  const paths = { cert: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) };
  for (const [path, text] of [
    [paths.cert, cert],
    [paths.key, key],
  ] as const) {
    await writeFile(`${path}.new`, text);
    await rename(`${path}.new`, path);
  }
  return paths;
}

async function servedFingerprint(server: ServeProcess): Promise<string | undefined> {
  using client = await server.connect(trusted);
  return client.fingerprint;
}

test("a server with TLS goes by the names in its certificate, and by no others", async () => {
  const paths = await install(await authority.issue({ names: ["localhost", "example.org"] }), "named");
  const server = await executable.serve({ "model.delay": 0, "model.workers": 1 }, [
    ...["--tls-cert", paths.cert, "--tls-key", paths.key],
  ]);
  const status = async (Host: string): Promise<number> => {
    const tls = { ca: authority.cert };
    return (await fetch(`https://localhost:${server.port}/api/v1/health`, { headers: { Host }, tls })).status;
  };
  expect(await status("example.org")).toBe(200);
  expect(await status("evil.example")).toBe(403);
});

describe.each([1, 2])("a server with TLS and %p process(es)", (processes) => {
  test("serves wss, and new connections get a changed certificate while open sessions go on", async () => {
    const [first, second] = [await authority.issue(), await authority.issue()];
    const paths = await install(first, `served-${processes}`);
    const admin = join(folder, `admin-${processes}`);
    const server = await executable.serve({ "model.delay": 0, "model.workers": 1 }, [
      ...["--processes", String(processes), "--admin", `unix:${admin}`],
      ...["--tls-cert", paths.cert, "--tls-key", paths.key],
    ]);
    expect(server.out).toMatch(/^listening on https:\/\/127\.0\.0\.1:\d+\n/);
    const client = await server.connect({ ...trusted, path: "/api/v1/simple" });
    expect(client.fingerprint).toBe(credentialsOf(first).fingerprint);
    client.start();
    const audio = encode("s16", noise(1.3));
    await client.sendAudio(audio);
    await client.nextEvent("segment");

    // Clients that connect all the time notice nothing but the certificate.
    const failures: unknown[] = [];
    let running = true;
    const connecting = Array.from({ length: 3 }, async () => {
      while (running) await servedFingerprint(server).catch((error: unknown) => failures.push(error));
    });
    await install(second, `served-${processes}`);
    const { fingerprint, expiresAt } = credentialsOf(second);
    await waitUntil("the log of the change", () => server.err.includes("certificate_loaded"));
    // All processes have it: connections are spread between them.
    let inARow = 0;
    await waitUntil("the new certificate", async () => {
      inARow = (await servedFingerprint(server)) === fingerprint ? inARow + 1 : 0;
      return inARow >= 20;
    });
    running = false;
    await Promise.all(connecting);
    expect(failures).toEqual([]);
    expect(server.log.filter(({ event }) => event === "certificate_loaded")).toHaveLength(1);

    const metrics = new ScrapedMetrics(await (await fetch("http://localhost/metrics", { unix: admin })).text());
    const expiry = "streamer_tls_certificate_expiry_timestamp_seconds";
    expect(metrics.value(expiry, { certificate: "server" })).toBe(expiresAt / 1000);
    expect(metrics.value("streamer_tls_reloads_total", { result: "loaded" })).toBe(1);

    await client.sendAudio(audio);
    client.stop();
    const stopped = await client.nextEvent("stopped");
    expect(stopped.channels[0]?.received).toBe((2 * audio.length) / 2);
    expectExactLedger(client.events, { bytes: 2 * audio.length, frameBytes: 2 });
    server.signal("SIGTERM");
    expect((await client.waitForClose()).code).toBe(1001);
    expect((await server.waitForExit()).code).toBe(0);
  });

  test("with client authorities admits their clients only, in the handshake", async () => {
    const [served, clients, others] = [await authority.issue(), await Authority.create(), await Authority.create()];
    const paths = await install(served, `mutual-${processes}`);
    const clientCa = join(folder, `clients-${processes}.pem`);
    await writeFile(clientCa, clients.cert);
    const server = await executable.serve({ "model.delay": 0, "model.workers": 1 }, [
      ...["--processes", String(processes), "--tls-cert", paths.cert, "--tls-key", paths.key],
      ...["--set", `server.tls_client_ca=${clientCa}`],
    ]);
    const connect = async (shown?: Issued) => {
      using client = await server.connect({ tls: { ca: authority.cert, ...shown } });
      client.start();
      return (await client.nextEvent("started")).type;
    };
    expect(await connect(await clients.issue({ client: true }))).toBe("started");
    const refusals = [
      undefined,
      await others.issue({ client: true }),
      await clients.issue({ client: true, from: new Date(0), to: new Date(1_000_000_000_000) }),
      // A certificate of a server, of the same authority.
      await clients.issue(),
    ];
    for (const shown of refusals) {
      const error = await connect(shown).catch((error: unknown) => error);
      expect(error).toBeInstanceOf(Error);
    }
  });
});

test("a process that is started again has the certificate of the others, though the files are broken by then", async () => {
  const issued = await authority.issue();
  const paths = await install(issued, "restarted");
  const admin = join(folder, "admin-restarted");
  const server = await executable.serve({ "model.delay": 0, "model.workers": 1 }, [
    ...["--processes", "2", "--admin", `unix:${admin}`, "--tls-cert", paths.cert, "--tls-key", paths.key],
  ]);
  const pids = async (): Promise<number[]> => {
    const info = await (await fetch("http://localhost/api/v1/info", { unix: admin })).json();
    const { processes } = info as { processes: { pid: number; state: string }[] };
    return processes.filter(({ state }) => state === "ready").map(({ pid }) => pid);
  };
  await writeFile(paths.cert, "broken");
  const before = await pids();
  for (const pid of before) process.kill(pid, "SIGKILL");
  await waitUntil("other processes", async () => {
    const now = await pids();
    return now.length === 2 && now.every((pid) => !before.includes(pid));
  });
  for (let i = 0; i < 10; i++) expect(await servedFingerprint(server)).toBe(credentialsOf(issued).fingerprint);
});

describe("a server whose files are not valid", () => {
  test("does not start, and names the setting, what was found and what is allowed", async () => {
    const [one, other] = [await authority.issue(), await authority.issue()];
    const paths = await install({ cert: one.cert, key: other.key }, "mismatch");
    for (const processes of ["1", "2"]) {
      const args = ["serve", "--port", "0", "--processes", processes, "--tls-cert", paths.cert, "--tls-key", paths.key];
      const { code, out, err } = await executable.run(args);
      expect({ code, out }).toEqual({ code: 2, out: "" });
      expect(err).toBe(
        "streamer: invalid configuration:\n  server.tls_key: found the key of another certificate; " +
          'allowed: that of the first certificate in server.tls_cert, "CN=Test server"\n',
      );
    }
  });
});
