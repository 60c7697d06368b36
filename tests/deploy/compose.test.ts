import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";

import manifest from "../../package.json" with { type: "json" };
import { SETTINGS } from "../../src/config/config.ts";
import { OwnNames } from "../../src/server/edge/own-names.ts";
import { GOODBYE_MS } from "../../src/session/sessions.ts";

const root = join(import.meta.dir, "..", "..");

interface Service {
  readonly image: string;
  readonly build?: { readonly context: string };
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly tmpfs?: readonly string[];
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly stop_grace_period?: string;
  readonly ulimits?: { readonly nofile?: number };
  readonly healthcheck?: unknown;
  readonly depends_on?: readonly string[] | Readonly<Record<string, { condition: string }>>;
}

async function yaml<Content>(path: string): Promise<Content> {
  return Bun.YAML.parse(await Bun.file(join(root, path)).text()) as Content;
}

const { services, volumes } = await yaml<{
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
}>("compose.yaml");
const all = Object.entries(services);
const prometheus = await yaml<{
  scrape_configs: { static_configs: { targets: string[] }[] }[];
}>("deploy/prometheus/prometheus.yml");

/** `[host address, host port, container port]` of each published port. */
const ports = all.flatMap(([name, service]) => (service.ports ?? []).map((port) => [name, ...port.split(":")]));

describe("compose.yaml", () => {
  test("starts Streamer, monitoring and tracing", () => {
    expect(Object.keys(services)).toEqual(["streamer", "prometheus", "grafana", "otel-collector", "jaeger"]);
  });

  test("lets its services reach Streamer by the name that they use", () => {
    const hosts = services["streamer"]?.environment?.["STREAMER__SERVER__HOSTS"] ?? "";
    const own = new OwnNames({ host: "0.0.0.0", hosts: hosts.split(",") }, "0a1b2c3d4e5f");
    const used = prometheus.scrape_configs.flatMap(({ static_configs }) =>
      static_configs.flatMap(({ targets }) => targets),
    );
    const named = used.map((target) => target.split(":")[0] ?? "").filter((name) => name === "streamer");
    expect(named).not.toEqual([]);
    expect(named.filter((name) => !own.has(name))).toEqual([]);
  });

  test("pins every image to a version", () => {
    expect(all.filter(([, { image }]) => !/:v?\d+\.\d+\.\d+$/.test(image))).toEqual([]);
    expect(services["streamer"]?.image).toBe(`streamer:${manifest.version}`);
  });

  test("mounts only files that exist, read-only", () => {
    const mounts = all.flatMap(([, service]) => service.volumes ?? []).map((volume) => volume.split(":"));
    const named = mounts.filter(([source = ""]) => !source.startsWith("."));
    const bound = mounts.filter(([source = ""]) => source.startsWith("."));
    expect(new Set(named.map(([source]) => source))).toEqual(new Set(Object.keys(volumes)));
    expect(bound.filter(([source = ""]) => !existsSync(join(root, source)))).toEqual([]);
    expect(bound.filter(([, , mode]) => mode !== "ro")).toEqual([]);
  });

  test("publishes each port once, and only on the loopback address", () => {
    expect(ports.filter(([, address]) => address !== "127.0.0.1")).toEqual([]);
    const published = ports.map(([, , port]) => port);
    expect(new Set(published).size).toBe(published.length);
  });

  test("gives every service a read-only file system", () => {
    expect(all.filter(([, service]) => service.read_only !== true).map(([name]) => name)).toEqual([]);
  });

  test("has dependencies only on services that exist, and on health only where there is a health check", () => {
    for (const [name, { depends_on = [] }] of all) {
      const wanted = Array.isArray(depends_on)
        ? depends_on.map((each) => [each, undefined])
        : Object.entries(depends_on);
      for (const [other, how] of wanted as [string, { condition: string } | undefined][]) {
        expect([name, Object.hasOwn(services, other)]).toEqual([name, true]);
        if (how?.condition === "service_healthy") expect(services[other]?.healthcheck).toBeDefined();
      }
    }
  });

  test("runs Streamer without privileges, with a writable /tmp for its models, and gives it time to drain", () => {
    const { cap_drop, security_opt, tmpfs, stop_grace_period = "", build, ulimits } = services["streamer"] ?? {};
    expect(build?.context).toBe(".");
    expect(cap_drop).toEqual(["ALL"]);
    expect(security_opt).toEqual(["no-new-privileges:true"]);
    expect(tmpfs?.[0]).toMatch(/^\/tmp:/);
    const { drain_timeout_ms, finish_ms } = SETTINGS.limits;
    const graceMs = drain_timeout_ms.default + finish_ms.default + GOODBYE_MS;
    expect(stop_grace_period).toBe(`${graceMs / 1000}s`);
    // As many connections again as sessions, and everything else.
    expect(ulimits?.nofile).toBeGreaterThanOrEqual(2 * SETTINGS.limits.max_sessions.default + 1_024);
  });
});

describe("the services are connected", () => {
  /** `name:port` of the listeners inside the network. */
  const listeners = new Set([
    "streamer:8080",
    "prometheus:9090",
    "otel-collector:4317",
    "otel-collector:4318",
    "otel-collector:8888",
    "jaeger:4317",
    "jaeger:16686",
  ]);

  test("Prometheus scrapes services of compose.yaml and reads the mounted rules", async () => {
    interface Prometheus {
      rule_files: string[];
      scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[];
    }
    const { rule_files, scrape_configs } = await yaml<Prometheus>("deploy/prometheus/prometheus.yml");
    const targets = scrape_configs.flatMap(({ static_configs }) => static_configs.flatMap((each) => each.targets));
    expect(targets).toContain("streamer:8080");
    expect(targets.filter((target) => !listeners.has(target))).toEqual([]);
    const mounted = services["prometheus"]?.volumes?.map((volume) => volume.split(":")[1]) ?? [];
    expect(rule_files.filter((file) => !mounted.includes(file))).toEqual([]);
    const config = services["prometheus"]?.command?.find((word) => word.startsWith("--config.file="));
    expect(mounted).toContain(config?.split("=")[1]);
    // Exemplars link graphs to traces.
    expect(services["prometheus"]?.command).toContain("--enable-feature=exemplar-storage");
  });

  test("traces go from Streamer to the collector and on to Jaeger", async () => {
    interface Collector {
      receivers: { otlp: { protocols: Record<string, { endpoint: string }> } };
      processors: Record<string, unknown>;
      exporters: Record<string, { endpoint: string }>;
      service: { pipelines: { traces: Record<"receivers" | "processors" | "exporters", string[]> } };
    }
    const collector = await yaml<Collector>("deploy/otel/collector.yml");
    const endpoint = new URL(services["streamer"]?.environment?.["OTEL_EXPORTER_OTLP_ENDPOINT"] ?? "");
    expect(listeners.has(endpoint.host)).toBe(true);
    expect(collector.receivers.otlp.protocols["http"]?.endpoint).toBe(`0.0.0.0:${endpoint.port}`);
    const { traces } = collector.service.pipelines;
    for (const part of ["receivers", "processors", "exporters"] as const) {
      expect(Object.keys(collector[part])).toEqual(traces[part]);
    }
    expect(Object.values(collector.exporters).filter((each) => !listeners.has(each.endpoint))).toEqual([]);
  });

  test("Grafana's data sources are services, and its dashboards are mounted where it expects them", async () => {
    interface Sources {
      datasources: { uid: string; url: string }[];
    }
    interface Providers {
      providers: { options: { path: string } }[];
    }
    const provisioning = "deploy/grafana/provisioning";
    const { datasources } = await yaml<Sources>(`${provisioning}/datasources/streamer.yml`);
    expect(datasources.map(({ uid }) => uid)).toEqual(["prometheus", "jaeger"]);
    expect(datasources.filter(({ url }) => !listeners.has(new URL(url).host))).toEqual([]);
    const { providers } = await yaml<Providers>(`${provisioning}/dashboards/streamer.yml`);
    const path = providers[0]?.options.path;
    expect(services["grafana"]?.volumes).toContain(`./deploy/grafana/dashboards:${path}:ro`);
    const home = services["grafana"]?.environment?.["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] ?? "";
    expect(await readdir(join(root, "deploy", "grafana", "dashboards"))).toContain(home.replace(`${path}/`, ""));
  });

  test("the operations page names every port of a page that a person opens", async () => {
    const pages = ports.filter(([name]) => name !== "otel-collector").map(([, , port]) => `http://localhost:${port}`);
    expect(pages).toHaveLength(4);
    const text = await Bun.file(join(root, "docs", "operations.md")).text();
    expect(pages.filter((page) => !text.includes(page))).toEqual([]);
  });
});
