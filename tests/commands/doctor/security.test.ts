import { expect, test } from "bun:test";
import { chmod, mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { hashToken } from "../../../src/auth/token.ts";
import { examineKeys, examineTokens } from "../../../src/commands/doctor/checks/access.ts";
import { examineExposure } from "../../../src/commands/doctor/checks/exposure.ts";
import { endpointOf, examineTelemetry } from "../../../src/commands/doctor/checks/telemetry.ts";
import { examineTls } from "../../../src/commands/doctor/checks/tls.ts";
import { loadConfig } from "../../../src/config/config.ts";
import { Authority, type IssueOptions } from "../../support/certificates.ts";
import { type Findings, findingsOf } from "../../support/findings.ts";

const DAY_MS = 86_400_000;

/** A folder that other users can open, for files whose mode matters. */
async function openFolder(): Promise<{ path: string } & AsyncDisposable> {
  const folder = await mkdtempDisposable(join(tmpdir(), "streamer-doctor-"));
  await chmod(folder.path, 0o755);
  return { path: folder.path, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

/** Examines the certificate of a server, with the key of another one on request. */
async function examineCertificate(
  options: IssueOptions,
  { sets = [], otherKey = false, chained = true }: { sets?: string[]; otherKey?: boolean; chained?: boolean } = {},
): Promise<Findings> {
  await using folder = await openFolder();
  const authority = await Authority.create();
  const issued = await authority.issue(options);
  const [cert, key] = [join(folder.path, "tls.crt"), join(folder.path, "tls.key")];
  await writeFile(cert, chained ? issued.cert + authority.cert : issued.cert);
  await writeFile(key, otherKey ? (await authority.issue()).key : issued.key, { mode: 0o600 });
  const { config } = loadConfig({ sets: [`server.tls_cert=${cert}`, `server.tls_key=${key}`, ...sets] });
  return await findingsOf((report) => examineTls(config.server, Date.now(), report));
}

test("a certificate is described, with what clients need to trust it", async () => {
  const { lines, withoutRemedy } = await examineCertificate({ names: ["a.example", "127.0.0.1"] });
  expect(lines).toEqual([
    expect.stringMatching(/^ok server.tls_cert: certificate for a.example, 127.0.0.1, expires 20\d\d-.*, in 89 days$/),
    expect.stringMatching(/^note server.tls_cert: is of an authority that is not well known/),
  ]);
  expect(withoutRemedy).toEqual([]);
  const alone = await examineCertificate({}, { chained: false });
  expect(alone.lines[1]).toBe("note server.tls_cert: is of an issuer that is neither well known nor in the file");
  expect((await findingsOf((report) => examineTls(loadConfig().config.server, 0, report))).all).toEqual([]);
});

test("names that the certificate does not have are warnings", async () => {
  const sets = ["server.hosts=a.example,b.example,*.c.example,www.d.example", "server.host=192.0.2.7"];
  const { lines, withoutRemedy } = await examineCertificate({ names: ["a.example", "*.d.example"] }, { sets });
  expect(lines.slice(2)).toEqual([
    "warning server.tls_cert: 192.0.2.7 (server.host) is no name of the certificate: clients that connect to it refuse it",
    "warning server.tls_cert: b.example (server.hosts) is no name of the certificate: clients that connect to it refuse it",
  ]);
  expect(withoutRemedy).toEqual([]);
});

test("a certificate that expires soon is a warning; one that has expired, or has another key, a failure", async () => {
  const now = Date.now();
  const soon = await examineCertificate({ to: new Date(now + 3.5 * DAY_MS) });
  expect(soon.lines[0]).toMatch(/^warning server.tls_cert: .*, in 3 days$/);
  expect(soon.all[0]?.remedy).toStartWith("renew it");
  const expired = await examineCertificate({ from: new Date(now - 2 * DAY_MS), to: new Date(now - DAY_MS) });
  expect(expired.lines).toEqual([expect.stringMatching(/^failure server.tls_cert: .*, which expired at/)]);
  expect(expired.all[0]?.remedy).toBe("renew it");
  const other = await examineCertificate({}, { otherKey: true });
  expect(other.lines).toEqual([expect.stringMatching(/^failure server.tls_key: found the key of another certificate/)]);
});

test("files of TLS that cannot be read are failures, each by its setting", async () => {
  const sets = ["server.tls_cert=/nonexistent/tls.crt", "server.tls_key=/nonexistent/tls.key"];
  const { config } = loadConfig({ sets });
  const found = await findingsOf((report) => examineTls(config.server, 0, report));
  expect(found.lines).toEqual([
    'failure server.tls_cert: found "/nonexistent/tls.crt", which does not exist; allowed: a file with a certificate in PEM',
    'failure server.tls_key: found "/nonexistent/tls.key", which does not exist; allowed: a file with a private key in PEM',
  ]);
});

test("a token file is counted and not shown", async () => {
  await using folder = await openFolder();
  const path = join(folder.path, "tokens");
  const examine = (sets: readonly string[] = []) => {
    const { config } = loadConfig({ sets: [`auth.tokens=${path}`, ...sets] });
    return findingsOf((report) => examineTokens(config, Date.UTC(2030, 0, 1), report));
  };
  const line = (name: string, fields = "") => `${name} sha256:${hashToken(name).toString("hex")} ${fields}\n`;
  expect((await examine()).all).toMatchObject([{ verdict: "failure", subject: "auth.tokens" }]);
  expect((await examine()).withoutRemedy).toEqual([]);

  await writeFile(path, line("a") + line("b", "admin"), { mode: 0o600 });
  expect((await examine()).lines).toEqual([`ok auth.tokens: ${path}: 1 token of clients, 1 of operators`]);
  const port = ["wyoming.port=10300", "wyoming.principal=zed"];
  expect((await examine(port)).lines[1]).toBe(
    "warning wyoming.principal: zed has no valid token: clients of this port are refused",
  );

  await writeFile(path, line("a", "expires=2029-01-01") + line("b"));
  expect((await examine()).lines[0]).toEndWith("1 of them have expired (a)");
  await writeFile(path, line("a", "expires=2030-01-05") + line("b"));
  expect((await examine()).lines[0]).toEndWith("1 of them expire within 14 days (a)");
  await writeFile(path, line("a", "expires=2029-01-01"));
  expect((await examine()).lines[0]).toEndWith("all have expired, so that nobody can connect");

  await chmod(path, 0o644);
  const readable = await examine();
  expect(readable.lines[0]).toBe(`warning auth.tokens: ${path}: found mode 0644, so that every user can read it`);
  expect(readable.all[0]?.remedy).toBe("chmod o-r");
  await chmod(path, 0o666);
  expect((await examine()).lines[0]).toMatch(
    /^failure auth.tokens: .*every user could add a token; allowed: chmod o-w/,
  );
});

test("a file of keys is counted and not shown, and a pipe left to the server", async () => {
  await using folder = await openFolder();
  const path = join(folder.path, "keys");
  const examine = () => findingsOf((report) => examineKeys(path, report));
  const secret = "0123456789abcdef".repeat(4);
  await writeFile(path, `k1 ${secret}\n`);
  expect((await examine()).lines).toEqual([`ok auth.secret_file: ${path}: 1 key`]);
  await writeFile(path, `k1 ${secret.slice(40)}\n`);
  const wrong = await examine();
  expect(wrong.lines).toEqual([expect.stringMatching(/^failure auth.secret_file: .*keys:1: secret: found/)]);
  expect(JSON.stringify(wrong.all)).not.toContain(secret.slice(40));
  const pipe = join(folder.path, "pipe");
  expect(Bun.spawnSync(["mkfifo", pipe]).exitCode).toBe(0);
  expect((await findingsOf((report) => examineKeys(pipe, report))).lines).toEqual([
    `note auth.secret_file: ${pipe} is a pipe, which is left to the server`,
  ]);
});

test("what serve warns of at its start is a warning, with what to do", async () => {
  const examine = (...sets: string[]) => {
    const effective = loadConfig({ sets });
    return findingsOf((report) => examineExposure({ config: effective.config, effective }, report));
  };
  expect((await examine()).lines).toEqual(["ok exposure: only this machine can connect"]);
  const open = await examine("server.host=0.0.0.0");
  expect(open.all).toEqual([
    {
      verdict: "warning",
      subject: "exposure",
      found: "every machine that reaches this address can use the server, because nobody needs a token",
      remedy: "set auth.tokens, or listen on 127.0.0.1",
    },
  ]);
  const admin = await examine("server.host=0.0.0.0", "server.admin=0.0.0.0:9091", "auth.tokens=tokens");
  expect(admin.lines).toEqual([
    expect.stringMatching(/^warning exposure: operators send their tokens to this address/),
  ]);
  expect(admin.withoutRemedy).toEqual([]);
});

test("a collector is sent an export without spans, and what it answers is reported without the headers", async () => {
  const requests: Record<string, unknown>[] = [];
  let status = 200;
  using collector = Bun.serve({
    port: 0,
    fetch: async (request) => {
      const { pathname } = new URL(request.url);
      requests.push({
        method: request.method,
        pathname,
        key: request.headers.get("api-key"),
        body: await request.text(),
      });
      return new Response(null, { status });
    },
  });
  const endpoint = `http://127.0.0.1:${collector.port}`;
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_HEADERS: "api-key=a%20secret" };
  const examine = (variables: Readonly<Record<string, string>>) =>
    findingsOf((report) => examineTelemetry(variables, report));
  expect((await examine(env)).lines).toEqual([`ok traces: ${endpoint}/v1/traces takes them`]);
  expect(requests).toEqual([{ method: "POST", pathname: "/v1/traces", key: "a secret", body: "" }]);
  status = 401;
  const refused = await examine(env);
  expect(refused.lines[0]).toStartWith(`warning traces: ${endpoint}/v1/traces answers HTTP 401; OTEL_EXPORTER`);
  expect(JSON.stringify(refused.all)).not.toContain("a secret");
  await collector.stop(true);
  expect((await examine(env)).lines).toEqual([`warning traces: ${endpoint}/v1/traces: nothing listens there`]);
  expect((await examine({ OTEL_EXPORTER_OTLP_ENDPOINT: "nonsense" })).all[0]?.verdict).toBe("warning");
  expect((await examine({})).lines).toEqual(["ok traces: are not exported (OTEL_EXPORTER_OTLP_ENDPOINT)"]);
  expect(endpointOf({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://a/b" })).toBe("http://a/b");
  expect(endpointOf({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://a/" })).toBe("http://a/v1/traces");
  expect(endpointOf({})).toBe("http://localhost:4318/v1/traces");
});
