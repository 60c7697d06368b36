import { afterAll, expect, test } from "bun:test";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { MAX_PEM_BYTES, PemFault, readPemFile } from "../../src/lib/pem-file.ts";

const folder = await mkdtemp(join(tmpdir(), "streamer-pem-"));
afterAll(() => rm(folder, { recursive: true }));

const block = (label: string) => `-----BEGIN ${label}-----\nAAAA\n-----END ${label}-----\n`;

async function file(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name);
  await Bun.write(path, content);
  return path;
}

async function fault(path: string): Promise<string> {
  const error = await readPemFile(path, "certificate").catch((error: unknown) => error);
  if (!(error instanceof PemFault)) throw new Error(`no fault: ${String(error)}`);
  return error.message.replace(folder, "");
}

test("reads the blocks of one kind, in order, and passes over everything else", async () => {
  const text = `\uFEFFa comment\n${block("EC PARAMETERS")}${block("EC PRIVATE KEY")}${block("CERTIFICATE")}x\n${block("CERTIFICATE")}`;
  const path = await file("both.pem", text);
  expect(await readPemFile(path, "certificate")).toEqual([block("CERTIFICATE"), block("CERTIFICATE")]);
  expect(await readPemFile(path, "private key")).toEqual([block("EC PRIVATE KEY")]);
});

test("a file that is missing, a folder, a pipe and a device are refused without waiting", async () => {
  expect(await fault(join(folder, "none.pem"))).toBe(
    'found "/none.pem", which does not exist; allowed: a file with a certificate in PEM',
  );
  expect(await fault(join(folder, "none.pem", "below"))).toContain("which does not exist");
  expect(await fault(folder)).toContain("which is a directory");
  expect(await fault("/dev/zero")).toContain("which is no regular file");
  const pipe = join(folder, "pipe");
  await Bun.spawn(["mkfifo", pipe]).exited;
  expect(await fault(pipe)).toContain("which is no regular file");
  const link = join(folder, "link");
  await symlink(link, link);
  expect(await fault(link)).toContain("which is a symbolic link to itself");
});

test("a file without a certificate is refused, and the message says what it has", async () => {
  expect(await fault(await file("empty.pem", ""))).toContain('found "/empty.pem", which is empty');
  expect(await fault(await file("key.pem", block("PRIVATE KEY")))).toContain(
    "which has a private key and no certificate",
  );
  expect(await fault(await file("text.pem", "hello"))).toContain("which has no certificate");
  expect(await fault(await file("cert.der", new Uint8Array([0x30, 0x82, 1, 2, 3])))).toContain("which is in DER");
  expect(await fault(await file("half.pem", block("CERTIFICATE").slice(0, 40)))).toContain("which has no certificate");
  expect(await fault(await file("large.pem", "x".repeat(MAX_PEM_BYTES + 1)))).toContain(
    "allowed: at most 1048576 bytes",
  );
});
