import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type Config, ConfigError, formatConfig, loadConfig } from "../../src/config/config.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "streamer-lists-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

type Options = Parameters<typeof loadConfig>[0];

function file(name: string, content: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

function problems(options: Options): readonly string[] {
  try {
    loadConfig(options);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

const hosts = (options: Options): readonly string[] => loadConfig(options).config.server.hosts;
const set = (key: keyof Config["server"], text: string): Options => ({ sets: [`server.${key}=${text}`] });

describe("a list of texts", () => {
  test("is empty by default, an array in a file, and separated by commas in the environment and in --set", () => {
    expect(hosts({})).toEqual([]);
    expect(hosts({ file: file("a.json", { server: { hosts: ["a.example", "b.example"] } }) })).toEqual([
      "a.example",
      "b.example",
    ]);
    expect(hosts({ file: file("a.yaml", "server:\n  hosts:\n    - a.example\n") })).toEqual(["a.example"]);
    expect(hosts({ file: file("a.toml", '[server]\nhosts = ["a.example"]\n') })).toEqual(["a.example"]);
    expect(hosts({ env: { STREAMER__SERVER__HOSTS: "a.example, b.example" } })).toEqual(["a.example", "b.example"]);
    expect(hosts(set("hosts", "a.example,b.example"))).toEqual(["a.example", "b.example"]);
  });

  test("may be a JSON array in the environment, too; an address in brackets is none", () => {
    expect(hosts({ env: { STREAMER__SERVER__HOSTS: '["a.example","b.example"]' } })).toEqual([
      "a.example",
      "b.example",
    ]);
    expect(hosts(set("hosts", "[::1]"))).toEqual(["::1"]);
  });

  test("replaces that of an earlier source, and an empty text empties it", () => {
    const first = file("b.json", { server: { hosts: ["a.example"] } });
    expect(hosts({ file: first, env: { STREAMER__SERVER__HOSTS: "b.example" } })).toEqual(["b.example"]);
    expect(hosts({ file: first, env: { STREAMER__SERVER__HOSTS: "" } })).toEqual([]);
    expect(hosts({ file: first, ...set("hosts", " ") })).toEqual([]);
  });

  test("a text that is not allowed is named, with the form of the texts and the source", () => {
    const allowed =
      "a list of at most 1000 host names without a port, such as streamer.example or *.example, or * for all";
    expect(problems(set("hosts", "a.example,b.example:80"))).toEqual([
      `server.hosts: found "b.example:80"; allowed: ${allowed} (--set)`,
    ]);
    expect(problems({ env: { STREAMER__SERVER__HOSTS: "a.example,,b.example" } })).toEqual([
      `server.hosts: found ""; allowed: ${allowed} (environment variable STREAMER__SERVER__HOSTS)`,
    ]);
    const path = file("c.json", { server: { hosts: ["a.example", 3] } });
    expect(problems({ file: path })).toEqual([`server.hosts: found 3; allowed: ${allowed} (${path})`]);
    const nested = file("d.json", { server: { hosts: [["a.example"]] } });
    expect(problems({ file: nested })).toEqual([`server.hosts: found an array; allowed: ${allowed} (${nested})`]);
  });

  test("a value that is no list is refused in a file", () => {
    const text = file("e.json", { server: { hosts: "a.example" } });
    expect(problems({ file: text })).toEqual([
      expect.stringMatching(/^server\.hosts: found "a\.example"; allowed: a list of at most 1000 host names/),
    ]);
    const object = file("f.json", { server: { hosts: {} } });
    expect(problems({ file: object })[0]).toStartWith("server.hosts: found an object; allowed: a list");
  });

  test("has at most 1000 texts", () => {
    const many = Array.from({ length: 1_001 }, (_, index) => `h${index}.example`);
    expect(hosts({ file: file("g.json", { server: { hosts: many.slice(1) } }) })).toHaveLength(1_000);
    const path = file("h.json", { server: { hosts: many } });
    expect(problems({ file: path })[0]).toStartWith("server.hosts: found an array; allowed: a list of at most 1000 ");
  });

  test("a name that is nearly that of a list is refused with the right one", () => {
    expect(problems({ sets: ["server.trusted_proxy=10.0.0.1"] })).toEqual([
      'unknown key "server.trusted_proxy"; did you mean "server.trusted_proxies"? (--set)',
    ]);
    expect(problems({ sets: ["server.allowed_origin=null"] })).toEqual([
      'unknown key "server.allowed_origin"; did you mean "server.allowed_origins"? (--set)',
    ]);
    expect(loadConfig({ env: { STREAMER_SERVER_TRUSTED_PROXIES: "10.0.0.1" } }).warnings).toEqual([
      "environment variable STREAMER_SERVER_TRUSTED_PROXIES is ignored; did you mean STREAMER__SERVER__TRUSTED_PROXIES?",
    ]);
  });

  test("is printed as JSON, and a long one does not move the sources of other keys", () => {
    const many = Array.from({ length: 50 }, (_, index) => `h${index}.example`).join(",");
    const lines = formatConfig(loadConfig(set("hosts", many)).entries).split("\n");
    expect(lines.find((line) => line.startsWith("server.hosts "))).toContain('["h0.example","h1.example",');
    expect(lines.find((line) => line.startsWith("server.hosts "))).toEndWith('"h49.example"]  --set');
    const others = lines.filter((line) => !line.startsWith("server.hosts"));
    expect(Math.max(...others.map((line) => line.length))).toBeLessThan(160);
    expect(lines.find((line) => line.startsWith("server.allowed_origins"))).toMatch(
      /^server\.allowed_origins +\[\] +d/,
    );
  });
});

describe("forms", () => {
  test("hosts are names and addresses, in one spelling", () => {
    expect(hosts(set("hosts", "Streamer.Example., bücher.example,*.Internal,[2001:DB8::1],2001:db8::2,*"))).toEqual([
      "streamer.example",
      "xn--bcher-kva.example",
      "*.internal",
      "2001:db8::1",
      "2001:db8::2",
      "*",
    ]);
    for (const wrong of ["http://a.example", "a.example/x", "a b", "a..b", "*.*.example", "a*.example", "*.", "u@a"]) {
      expect(problems(set("hosts", wrong))).toHaveLength(1);
    }
  });

  test("origins have a scheme or are a host, in one spelling", () => {
    const given = "HTTPS://App.Example/,https://app.example:443,http://a.example:8080,app.example,null,*";
    expect(loadConfig(set("allowed_origins", given)).config.server.allowed_origins).toEqual([
      "https://app.example",
      "https://app.example",
      "http://a.example:8080",
      "app.example",
      "null",
      "*",
    ]);
    const others = "https://*.example:8443,chrome-extension://abcdef,file://,http://[::1]:3000";
    expect(loadConfig(set("allowed_origins", others)).config.server.allowed_origins).toEqual(others.split(","));
    for (const wrong of ["https://a.example/path", "https://", "a.example:80", "https://u@a.example", "NULL x"]) {
      expect(problems(set("allowed_origins", wrong))).toHaveLength(1);
    }
  });

  test("proxies are addresses and networks of IPv4 and IPv6; mapped ones are IPv4", () => {
    const given = "10.0.0.0/8,127.0.0.1,2001:DB8:0:0::/32,::1,::ffff:10.1.2.3,::ffff:192.168.0.0/112,0.0.0.0/0,::/0";
    expect(loadConfig(set("trusted_proxies", given)).config.server.trusted_proxies).toEqual([
      "10.0.0.0/8",
      "127.0.0.1/32",
      "2001:db8::/32",
      "::1/128",
      "10.1.2.3/32",
      "192.168.0.0/16",
      "0.0.0.0/0",
      "::/0",
    ]);
    const wrong = [
      "10.0.0.0/33",
      "::/129",
      "10.0.0",
      "proxy.example",
      "10.0.0.1-9",
      "::ffff:1.2.3.4/95",
      "/8",
      "1.2.3.4/",
    ];
    for (const text of wrong) {
      expect(problems(set("trusted_proxies", text))[0]).toStartWith(
        `server.trusted_proxies: found "${text}"; allowed: a list of at most 1000 IP addresses and networks`,
      );
    }
  });
});
