import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { encode, speech } from "../../support/audio.ts";
import { Authority, credentialsOf, type Issued } from "../../support/certificates.ts";
import { BUILD_MS, type ServeProcess, sharedExecutable } from "../../support/executable.ts";
import { expectExactLedger } from "../../support/ledgers.ts";
import { prove, rounds } from "../../support/proof.ts";
import { waitUntil } from "../../support/wait.ts";

// Far longer than these runs take, so that a busy machine does not fail them.
setDefaultTimeout(BUILD_MS + rounds(1, 60) * 20_000);

const executable = await sharedExecutable();
const folder = await mkdtemp(join(tmpdir(), "streamer-renewals-"));
afterAll(() => rm(folder, { recursive: true }));
const authority = await Authority.create();
const secure = { tls: { ca: authority.cert } };
const files = { cert: join(folder, "tls.crt"), key: join(folder, "tls.key") };

const STREAMS = 8;
const CONNECTING = 3;
/** Connections in a row with the new certificate: all processes have it. */
const IN_A_ROW = 12;

/** Replaces both files, one after the other, as certbot does. */
async function install({ cert, key }: Issued): Promise<void> {
  for (const [path, text] of [
    [files.cert, cert],
    [files.key, key],
  ] as const) {
    await writeFile(`${path}.new`, text);
    await rename(`${path}.new`, path);
  }
}

/** Returns true when all processes show this certificate. */
async function shows(server: ServeProcess, fingerprint: string): Promise<boolean> {
  for (let i = 0; i < IN_A_ROW; i++) {
    using client = await server.connect(secure);
    if (client.fingerprint !== fingerprint) return false;
  }
  return true;
}

test("certificates that are renewed again and again refuse no connection and end no session", async () => {
  await prove("renewals", async () => {
    await install(await authority.issue());
    const server = await executable.serve({ "model.delay": 0, "model.workers": 1 }, [
      ...["--processes", "2", "--tls-cert", files.cert, "--tls-key", files.key],
    ]);
    const failures: unknown[] = [];
    let [connections, renewals, running] = [0, 0, true];
    const connecting = Array.from({ length: CONNECTING }, async () => {
      for (; running; connections++) {
        try {
          using client = await server.connect(secure);
          client.start();
          await client.nextEvent("started");
        } catch (error) {
          failures.push(error);
        }
      }
    });
    const audio = encode("s16", speech([0.4]));
    const streams = await Promise.all(Array.from({ length: STREAMS }, () => server.connect(secure)));
    const sent = streams.map(async (client) => {
      client.start();
      let bytes = 0;
      for (; running; bytes += audio.length) {
        await client.sendAudio(audio);
        await Bun.sleep(200);
      }
      client.stop();
      return bytes;
    });
    for (let round = 0; round < rounds(2, 60); round++, renewals++) {
      const next = await authority.issue();
      await install(next);
      const { fingerprint } = credentialsOf(next);
      await waitUntil("the new certificate", () => shows(server, fingerprint));
    }
    running = false;
    await Promise.all(connecting);
    expect(failures).toEqual([]);
    for (const [i, client] of streams.entries()) {
      const bytes = (await sent[i]) ?? 0;
      await client.nextEvent("stopped");
      expectExactLedger(client.events, { bytes, frameBytes: 2 });
    }
    return `${renewals} renewals, 0 of ${connections} connections refused, ${STREAMS} streams exact`;
  });
});
