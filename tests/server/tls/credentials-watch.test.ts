import { afterAll, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { CredentialsWatch, REFUSED_LOOKS, SETTLED_LOOKS } from "../../../src/server/tls/credentials-watch.ts";
import type { TlsCredentials } from "../../../src/server/tls/credentials.ts";
import { loadCredentials } from "../../../src/server/tls/tls-files.ts";
import { openLog } from "../../../src/telemetry/log/log.ts";
import { tlsFamilies } from "../../../src/telemetry/metrics/families/tls.ts";
import { MetricRegistry } from "../../../src/telemetry/metrics/metric-registry.ts";
import { Authority, credentialsOf, type Issued } from "../../support/certificates.ts";

const authority = await Authority.create();
const [first, second, third] = [await authority.issue(), await authority.issue(), await authority.issue()];
const DAY_MS = 86_400_000;
const folders: string[] = [];
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))));

/** Files that are watched, a look at a time. */
class Watched {
  readonly used: TlsCredentials[] = [];
  readonly log: Record<string, unknown>[] = [];
  readonly registry = new MetricRegistry();
  readonly metrics = tlsFamilies(this.registry);
  readonly watch: CredentialsWatch;
  readonly folder: string;
  readonly cert: string;
  readonly key: string;
  now = Date.now();
  /** What the use of credentials throws. */
  failure: Error | undefined;

  static async create(issued: Issued = first): Promise<Watched> {
    const folder = await mkdtemp(join(tmpdir(), "streamer-tls-"));
    folders.push(folder);
    const [cert, key] = [join(folder, "tls.crt"), join(folder, "tls.key")];
    await mkdir(join(folder, "data-1"));
    await symlink("data-1", join(folder, "data"));
    await Promise.all([writeFile(cert, issued.cert), writeFile(key, issued.key)]);
    const settings = { tls_cert: cert, tls_key: key, tls_client_ca: "none" };
    const credentials = await loadCredentials(settings, Date.now());
    if (credentials === undefined) throw new Error("no credentials");
    return new Watched(settings, credentials, folder);
  }

  private constructor(
    settings: { readonly tls_cert: string; readonly tls_key: string; readonly tls_client_ca: string },
    credentials: TlsCredentials,
    folder: string,
  ) {
    this.folder = folder;
    this.cert = settings.tls_cert;
    this.key = settings.tls_key;
    const log = openLog({
      level: "debug",
      write: (line) => this.log.push(JSON.parse(line) as Record<string, unknown>),
    });
    const use = (changed: TlsCredentials): void => {
      if (this.failure !== undefined) throw this.failure;
      this.used.push(changed);
    };
    this.watch = new CredentialsWatch({ settings, credentials, log, metrics: this.metrics, use });
  }

  async look(times: number): Promise<void> {
    for (let i = 0; i < times; i++) await this.watch.look(this.now);
  }

  logged(event: string): Record<string, unknown>[] {
    return this.log.filter((record) => record["event"] === event);
  }

  /** The fingerprints that came into use. */
  get fingerprints(): string[] {
    return this.used.map(({ fingerprint }) => fingerprint);
  }
}

const fingerprintOf = (issued: Issued): string => credentialsOf(issued).fingerprint;

describe("certificate files", () => {
  test("that do not change are never loaded again", async () => {
    const watched = await Watched.create();
    await watched.look(30);
    expect(watched.used).toEqual([]);
    expect(watched.log).toEqual([]);
  });

  test("that change in place are loaded once they have settled", async () => {
    const watched = await Watched.create();
    await writeFile(watched.cert, second.cert);
    await watched.look(SETTLED_LOOKS + 1);
    await writeFile(watched.key, second.key);
    await watched.look(SETTLED_LOOKS - 1);
    expect(watched.used).toEqual([]);
    await watched.look(1);
    expect(watched.fingerprints).toEqual([fingerprintOf(second)]);
    expect(watched.logged("certificate_loaded")).toMatchObject([{ fingerprint: fingerprintOf(second) }]);
    expect(watched.logged("certificate_refused")).toEqual([]);
  });

  test("that are replaced by a rename, as certbot does, are loaded", async () => {
    const watched = await Watched.create();
    for (const [path, text] of [
      [watched.cert, second.cert],
      [watched.key, second.key],
    ] as const) {
      await writeFile(`${path}.new`, text);
      await rename(`${path}.new`, path);
      await watched.look(1);
    }
    await watched.look(SETTLED_LOOKS);
    expect(watched.fingerprints).toEqual([fingerprintOf(second)]);
  });

  test("below a symbolic link that is swapped, as Kubernetes does, are loaded", async () => {
    const watched = await Watched.create();
    const folder = watched.folder;
    await Promise.all([rm(watched.cert), rm(watched.key)]);
    await Promise.all(["tls.crt", "tls.key"].map((name) => symlink(`data/${name}`, join(folder, name))));
    await Promise.all([
      writeFile(join(folder, "data-1", "tls.crt"), first.cert),
      writeFile(join(folder, "data-1", "tls.key"), first.key),
    ]);
    await watched.look(SETTLED_LOOKS);
    expect(watched.used).toEqual([]);
    await mkdir(join(folder, "data-2"));
    await Promise.all([
      writeFile(join(folder, "data-2", "tls.crt"), second.cert),
      writeFile(join(folder, "data-2", "tls.key"), second.key),
    ]);
    await symlink("data-2", join(folder, "data-new"));
    await rename(join(folder, "data-new"), join(folder, "data"));
    await watched.look(SETTLED_LOOKS);
    expect(watched.fingerprints).toEqual([fingerprintOf(second)]);
  });

  test("that are not valid are reported once, counted once, and never used; valid ones then are", async () => {
    const watched = await Watched.create();
    await writeFile(watched.cert, second.cert);
    await watched.look(REFUSED_LOOKS - 1);
    expect(watched.log).toEqual([]);
    await watched.look(REFUSED_LOOKS * 3);
    expect(watched.logged("certificate_refused")).toMatchObject([
      { level: "error", reason: expect.stringContaining("server.tls_key: found the key of another certificate") },
    ]);
    expect(watched.metrics.reloads.with({ result: "refused" }).value).toBe(1);
    await rm(watched.cert);
    await watched.look(REFUSED_LOOKS * 3);
    expect(watched.logged("certificate_refused")[1]).toMatchObject({
      reason: expect.stringContaining("which does not exist"),
    });
    expect(watched.used).toEqual([]);
    await Promise.all([writeFile(watched.cert, third.cert), writeFile(watched.key, third.key)]);
    await watched.look(SETTLED_LOOKS);
    expect(watched.fingerprints).toEqual([fingerprintOf(third)]);
    expect(watched.metrics.reloads.with({ result: "loaded" }).value).toBe(1);
  });

  test("with a certificate of the future are used when its time has come", async () => {
    const watched = await Watched.create();
    const later = await authority.issue({ from: new Date(watched.now + 60_000) });
    await Promise.all([writeFile(watched.cert, later.cert), writeFile(watched.key, later.key)]);
    await watched.look(REFUSED_LOOKS + 1);
    expect(watched.logged("certificate_refused")).toHaveLength(1);
    watched.now += 120_000;
    await watched.look(1);
    expect(watched.used).toHaveLength(1);
  });

  test("are tried again when the server could not use them", async () => {
    const watched = await Watched.create();
    watched.failure = new Error("cannot move a listening socket: ENOENT");
    await Promise.all([writeFile(watched.cert, second.cert), writeFile(watched.key, second.key)]);
    await watched.look(REFUSED_LOOKS * 2);
    expect(watched.logged("certificate_refused")).toMatchObject([
      { reason: "the certificate cannot be replaced: cannot move a listening socket: ENOENT" },
    ]);
    watched.failure = undefined;
    await watched.look(1);
    expect(watched.fingerprints).toEqual([fingerprintOf(second)]);
  });
});

describe("the expiry of a certificate", () => {
  test("is a metric, which follows the certificate in use", async () => {
    const watched = await Watched.create();
    const served = (): number | undefined => {
      watched.registry.collect();
      return watched.metrics.expiry.with({ certificate: "server" }).value;
    };
    expect(served()).toBe(credentialsOf(first).expiresAt / 1000);
    const short = await authority.issue({ to: new Date(Math.ceil(watched.now / 1000) * 1000 + 2 * DAY_MS) });
    await Promise.all([writeFile(watched.cert, short.cert), writeFile(watched.key, short.key)]);
    await watched.look(SETTLED_LOOKS);
    expect(served()).toBe(credentialsOf(short).expiresAt / 1000);
    expect(watched.logged("certificate_expires_soon")).toMatchObject([{ days: 2 }]);
  });

  test("is warned of once a day from 14 days before, and is an error when it has passed", async () => {
    const now = Date.now();
    const watched = await Watched.create(await authority.issue({ to: new Date(now + 15.5 * DAY_MS) }));
    for (let hour = 0; hour < 24 * 18; hour++) {
      watched.now = now + hour * 3_600_000;
      await watched.look(1);
    }
    const warnings = watched.logged("certificate_expires_soon");
    expect(warnings).toHaveLength(14);
    expect(warnings[0]).toMatchObject({ level: "warning", setting: "server.tls_cert", days: 13 });
    expect(watched.logged("certificate_expired")[0]).toMatchObject({ level: "error" });
    expect(watched.logged("certificate_expired").length).toBeGreaterThanOrEqual(2);
  });
});
