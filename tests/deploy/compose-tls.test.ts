import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { statSync } from "node:fs";
import { chmod, cp, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { loadConfig } from "../../src/config/config.ts";
import { validateModelSettings } from "../../src/model/models.ts";
import { parseEvents, type ServeProcess, sharedExecutable } from "../support/executable.ts";
import { output } from "../support/output.ts";
import { loggedBy } from "../support/processes.ts";
import { testWith, tool } from "../support/requirements.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const root = join(import.meta.dir, "..", "..");
const FILES = "-f compose.yaml -f deploy/compose.tls.yaml";
const SAMPLE = join(root, "tests", "data", "two-speakers-48k.wav");

interface Service {
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
}

async function yaml<Content>(path: string): Promise<Content> {
  return Bun.YAML.parse(await Bun.file(join(root, path)).text()) as Content;
}

const base = await yaml<{ services: Record<string, Service> }>("compose.yaml");
const added = await yaml<{ services: Record<string, Service> }>("deploy/compose.tls.yaml");

/** A service as both files together have it: volumes by their place in the container, the rest added. */
function merged(name: string): Required<Service> {
  const [one, two] = [base.services[name] ?? {}, added.services[name] ?? {}];
  const volumes = new Map([...(one.volumes ?? []), ...(two.volumes ?? [])].map((each) => [each.split(":")[1], each]));
  return {
    environment: { ...one.environment, ...two.environment },
    volumes: [...volumes.values()],
    ports: [...(one.ports ?? []), ...(two.ports ?? [])],
  };
}

const { environment, volumes, ports } = merged("streamer");

/** The commands of the page about it, each on a line. */
async function documented(): Promise<string[]> {
  const page = await Bun.file(join(root, "docs", "operations.md")).text();
  const [, section = ""] = page.split("### Containers with TLS and tokens");
  const [, fence = ""] = /```text\n([\s\S]*?)```/.exec(section) ?? [];
  return fence.replaceAll("\\\n", "").trim().split("\n");
}

describe("deploy/compose.tls.yaml", () => {
  test("changes services of compose.yaml, and is started as the page says", async () => {
    expect(Object.keys(added.services).filter((name) => !Object.hasOwn(base.services, name))).toEqual([]);
    expect(await documented()).toContain(`docker compose ${FILES} up --build`);
  });

  test("has settings that are valid, with TLS and tokens from the mounted folder", () => {
    const { config } = loadConfig({ env: environment, validateModelSettings });
    const named = [config.server.tls_cert, config.server.tls_key, config.auth.tokens];
    const [mount = ""] = volumes.filter((each) => each.startsWith("./secrets/"));
    expect(mount).toBe("./secrets/streamer:/etc/streamer:ro");
    expect(named.map((path) => path.startsWith("/etc/streamer/"))).toEqual([true, true, true]);
  });

  test("lets other machines reach Streamer alone", () => {
    const open = Object.keys(base.services).flatMap((name) =>
      merged(name)
        .ports.filter((port) => !port.startsWith("127.0.0.1:"))
        .map((port) => [name, port]),
    );
    expect(open).toEqual([["streamer", "8443:8080"]]);
    expect(ports).toContain("127.0.0.1:8080:8080");
  });

  test("lets Prometheus scrape over TLS with a token, and keep the same rules", async () => {
    interface Prometheus {
      rule_files: string[];
      scrape_configs: {
        job_name: string;
        scheme?: string;
        tls_config?: { ca_file: string };
        authorization?: { credentials_file: string };
        static_configs: { targets: string[] }[];
      }[];
    }
    const plain = await yaml<Prometheus>("deploy/prometheus/prometheus.yml");
    const [source = ""] = merged("prometheus").volumes.filter((each) => each.split(":")[1]?.endsWith("prometheus.yml"));
    const secured = await yaml<Prometheus>(source.split(":")[0] ?? "");
    expect(secured.rule_files).toEqual(plain.rule_files);
    const jobs = ({ scrape_configs }: Prometheus) =>
      scrape_configs.map(({ job_name, static_configs }) => [job_name, static_configs]);
    expect(jobs(secured)).toEqual(jobs(plain));
    const [job] = secured.scrape_configs;
    expect(job).toMatchObject({
      scheme: "https",
      tls_config: { ca_file: "/etc/prometheus/secrets/ca.crt" },
      authorization: { credentials_file: "/etc/prometheus/secrets/token" },
    });
    expect(merged("prometheus").volumes).toContain("./secrets/prometheus:/etc/prometheus/secrets:ro");
  });
});

const openssl = tool("openssl", "openssl");
const isRoot = process.getuid?.() === 0;

testWith(openssl)("the commands of the page make files with which Streamer serves as in its container", async () => {
  const executable = await sharedExecutable();
  const folder = await mkdtemp(join(tmpdir(), "streamer-compose-"));
  afterAll(() => rm(folder, { recursive: true }));
  await symlink(executable.path, join(folder, "streamer"));
  const commands = (await documented()).filter((line) => !/docker|\.\/streamer send/.test(line));
  expect(commands.length).toBeGreaterThan(5);
  for (const line of commands) {
    // Only root can give files to another group.
    if (line.includes("chgrp") && !isRoot) continue;
    const { code, text } = await output(["sh", "-ec", line.replaceAll("sudo ", "")], folder);
    expect([line, code, text]).toEqual([line, 0, expect.anything()]);
  }
  const secrets = ["streamer/tls.key", "streamer/tokens", "prometheus/token"].map((name) =>
    join(folder, "secrets", name),
  );
  for (const path of secrets) expect([path, statSync(path).mode & 0o007]).toEqual([path, 0]);
  // Docker mounts the folder alone; the folders above it are those of the host.
  const mounted = join(folder, "etc-streamer");
  await cp(join(folder, "secrets", "streamer"), mounted, { recursive: true, preserveTimestamps: true });
  if (isRoot) await output(["chgrp", "-R", "10001", mounted], folder);
  for (const path of [folder, executable.folder]) await chmod(path, 0o755);
  const env = Object.fromEntries(
    Object.entries(environment)
      .filter(([name]) => name.startsWith("STREAMER__"))
      .map(([name, value]) => [name, value.replace("/etc/streamer", mounted)]),
  );
  const user = isRoot ? ["setpriv", "--reuid=10001", "--regid=10001", "--clear-groups"] : [];
  const server = await executable.serve({ "model.delay": 0, "model.workers": 1 }, [], env, user);
  await checkServer(server, folder, executable, env);
});

async function checkServer(
  server: ServeProcess,
  folder: string,
  executable: Awaited<ReturnType<typeof sharedExecutable>>,
  env: Readonly<Record<string, string>>,
): Promise<void> {
  await loggedBy(server, "ready");
  expect(server.log.filter(({ level }) => level === "warning" || level === "error")).toEqual([]);
  // The health check of the image.
  const own = { ...env, STREAMER__SERVER__PORT: String(server.port) };
  expect(await executable.run(["health"], { env: own })).toMatchObject({ code: 0, out: "healthy\n" });
  // What Prometheus does.
  const ca = await Bun.file(join(folder, "secrets", "prometheus", "ca.crt")).text();
  const token = (await Bun.file(join(folder, "secrets", "prometheus", "token")).text()).trim();
  const scrape = async (headers: Record<string, string>) =>
    (await fetch(`https://localhost:${server.port}/metrics`, { headers, tls: { ca } })).status;
  expect([await scrape({}), await scrape({ authorization: `Bearer ${token}` })]).toEqual([401, 200]);
  // The client of the page.
  const [send = ""] = (await documented()).filter((line) => line.startsWith("./streamer send"));
  const args = send.split(/\s+/).slice(1).join(" ").replace("localhost:8443", `localhost:${server.port}`).split(" ");
  const absolute = args.map((arg) =>
    arg.endsWith(".wav") ? SAMPLE : arg.replace(/^(?=secrets|call-center)/, `${folder}/`),
  );
  const { code, out, err } = await executable.run([...absolute, "--format", "json"]);
  expect([code, err]).toEqual([0, expect.stringContaining("every sample that was sent is accounted for")]);
  expect(parseEvents(out).at(-1)).toMatchObject({ type: "stopped", reason: "stop" });
}
