import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";

import { encode, noise, voice } from "../support/audio.ts";
import { root } from "../support/documents.ts";
import { sharedExecutable } from "../support/executable.ts";
import { waitUntil } from "../support/wait.ts";
import { type ConnectOptions, UpgradeRefused } from "../support/websocket-client.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const executable = await sharedExecutable();
const MODEL = join(root, "tests", "support", "models", "keyed.ts");
const SAMPLE = join(root, "tests", "data", "two-speakers-48k.wav");

/** Secrets by the place where they are planted. */
const planted = new Map<string, string>();
/** Everything that the run wrote, by where. */
const written = new Map<string, string>();

/** A secret of its own for each place. */
function plant(place: string): string {
  const secret = `hush${Buffer.from(crypto.getRandomValues(new Uint8Array(12))).toString("hex")}`;
  planted.set(place, secret);
  return secret;
}

function wrote(where: string, text: string): void {
  written.set(where, (written.get(where) ?? "") + text);
}

/** The spellings in which a secret could get out. */
function spellings(secret: string): string[] {
  const bytes = Buffer.from(secret);
  // Base64 of a text that does not begin on a group of three: its whole groups.
  const shifted = [0, 1, 2].map((pad) => Buffer.concat([Buffer.alloc(pad, "x"), bytes]).toString("base64"));
  return [secret, bytes.toString("hex"), ...shifted.map((text) => text.slice(4, -8))];
}

const tokens = join(executable.folder, "tokens.txt");

async function run(where: string, args: readonly string[], env: Record<string, string> = {}): Promise<number> {
  const { code, out, err } = await executable.run(args, { env });
  wrote(`${where}: output`, out + err);
  return code;
}

async function newToken(name: string, ...flags: readonly string[]): Promise<string> {
  const { out, err } = await executable.run(["token", "new", name, "--file", tokens, ...flags]);
  wrote("token new: messages", err);
  planted.set(`token of ${name}`, out.trim());
  return out.trim();
}

const token = await newToken("client");
const operator = await newToken("operator", "--admin");
const removed = await newToken("gone");
const lines = (await Bun.file(tokens).text()).split("\n").filter((line) => !line.startsWith("gone"));
await Bun.write(tokens, lines.join("\n"));

const config = join(executable.folder, "config.json");
await Bun.write(
  config,
  JSON.stringify({
    model: {
      name: MODEL,
      workers: 1,
      max_tokens: 448,
      api_key: plant("a setting of a model"),
      service: { url: "http://localhost", password: plant("a setting within a setting") },
    },
    log: { level: "debug" },
    auth: { tokens },
  }),
);

/** Takes traces, and fails now and then, so that the exporter has something to say. */
const collector = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: async (request) => {
    const body = new Uint8Array(await request.arrayBuffer());
    const isPacked = request.headers.get("content-encoding") === "gzip";
    wrote("traces", Buffer.from(isPacked ? Bun.gunzipSync(body) : body).toString("latin1"));
    return new Response(null, { status: Math.random() < 0.5 ? 200 : 400 });
  },
});
afterAll(() => collector.stop(true));
const user = plant("the user of a collector's URL");
const env = {
  OTEL_EXPORTER_OTLP_ENDPOINT: `http://someone:${user}@127.0.0.1:${collector.port}`,
  OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer%20${plant("a header for a collector")}`,
  OTEL_BSP_SCHEDULE_DELAY: "100",
  STREAMER__MODELS__OTHER__NAME: MODEL,
  STREAMER__MODELS__OTHER__API_KEY: plant("an environment variable"),
};
const server = await executable.serve({}, ["--config", config], env);

async function visit(place: string, path: string, init: RequestInit = {}): Promise<void> {
  const response = await fetch(`${server.url}${path}`, init);
  wrote(`response to ${place}`, JSON.stringify([...response.headers]));
  // A ticket is what a page of tickets is for.
  if (!(path.startsWith("/api/v1/tickets") && response.status === 200)) {
    wrote(`response to ${place}`, await response.text());
  }
}

async function attempt(place: string, options: ConnectOptions): Promise<void> {
  const refused = await server.connect(options).then(
    (client) => client[Symbol.dispose](),
    (error: Error) => error,
  );
  if (refused instanceof UpgradeRefused)
    wrote(`refusal of ${place}`, JSON.stringify([...refused.headers]) + refused.body);
  else if (refused !== undefined) throw refused;
}

describe("secrets appear nowhere", () => {
  test("when sessions are opened, refused and ended", async () => {
    const headers = { Authorization: `Bearer ${token}` };
    for (const model of ["keyed", "other"]) {
      const client = await server.connect({ path: "/api/v1/segmented", headers });
      client.start({ model });
      await client.sendAudio(encode("s16", noise(0.5)));
      await client.sendAudio(encode("s16", voice(1, { level: 1 })));
      await client.sendAudio(encode("s16", noise(1)));
      client.sendText(`{"request":"start","token":"${plant("a field of a message")}"}`);
      await client.nextEvent("error");
      client.sendClose();
      await client.waitForClose();
      wrote(`events of ${model}`, JSON.stringify(client.events));
    }
    const { ticket } = (await (
      await fetch(`${server.url}/api/v1/tickets`, { method: "POST", headers })
    ).json()) as Record<"ticket", string>;
    planted.set("a ticket", ticket);
    for (let i = 0; i < 2; i++) {
      await attempt("a ticket", { headers: { "Sec-WebSocket-Protocol": `streamer.v1, ticket.${ticket}` } });
    }
  });

  test("when credentials are wrong, or in places where they do not belong", async () => {
    const shapes: Readonly<Record<string, (secret: string) => Record<string, string>>> = {
      "a bearer token": (secret) => ({ Authorization: `Bearer ${secret}` }),
      "a token of the server's shape": (secret) => ({ Authorization: `Bearer ${token.slice(0, 6)}${secret}` }),
      "a broken header": (secret) => ({ Authorization: `${secret}, ${secret}` }),
      "a password": (secret) => ({ Authorization: `Basic ${btoa(`someone:${secret}`)}` }),
      "a cookie": (secret) => ({ Cookie: `session=${secret}` }),
      "a key in a header": (secret) => ({ "X-Api-Key": secret }),
      "a ticket": (secret) => ({ "Sec-WebSocket-Protocol": `streamer.v1, ticket.${secret}` }),
      "a subprotocol": (secret) => ({ "Sec-WebSocket-Protocol": secret }),
      "a token as a subprotocol": (secret) => ({ "Sec-WebSocket-Protocol": `token, ${secret}` }),
      "a proxy's header": (secret) => ({ "Proxy-Authorization": `Basic ${btoa(secret)}` }),
    };
    for (const [place, headersOf] of Object.entries(shapes)) {
      await attempt(place, { headers: headersOf(plant(`${place}, in a handshake`)) });
      for (const path of ["/metrics", "/api/v1/info", "/nothing"]) {
        await visit(place, path, { headers: headersOf(plant(`${place}, at ${path}`)) });
      }
      await visit(place, "/api/v1/tickets", { method: "POST", headers: headersOf(plant(`${place}, at /tickets`)) });
    }
    for (const name of ["token", "ticket", "access_token", "api_key", "key"]) {
      const query = () => `?${name}=${plant(`the query ${name}`)}&x=1`;
      await attempt(`the query ${name}`, { path: `/api/v1/simple${query()}` });
      for (const path of ["/", "/metrics", "/api/v1/info", "/nothing", "/api/v1/segmented"]) {
        await visit(`the query ${name}`, path + query());
      }
    }
    for (const wrong of [operator, removed]) {
      await attempt("a token that opens no session", { headers: { Authorization: `Bearer ${wrong}` } });
    }
  });

  test("when commands succeed, fail and print what they would do", async () => {
    const addr = `localhost:${server.port}`;
    const send = ["send", "-i", SAMPLE, "--addr", addr, "--format", "json"];
    expect(await run("send", send, { STREAMER_TOKEN: token })).toBe(0);
    expect(await run("send, refused", send, { STREAMER_TOKEN: plant("STREAMER_TOKEN of send") })).not.toBe(0);
    expect(await run("send --token", [...send, "--token", plant("--token of send")])).not.toBe(0);
    expect(await run("health", ["health", "--addr", addr], { STREAMER_TOKEN: plant("STREAMER_TOKEN of health") })).toBe(
      0,
    );
    expect(
      await run("bench", ["bench", "--addr", addr, "--streams", "1", "--seconds", "1"], {
        STREAMER_TOKEN: plant("of bench"),
      }),
    ).not.toBe(0);
    expect(await run("print-config", ["serve", "--config", config, "--print-config"], env)).toBe(0);
    const wrong = join(executable.folder, "wrong.json");
    const settings = { name: MODEL, api_key: [plant("a setting of the wrong type")], max_tokens: "many" };
    await Bun.write(wrong, JSON.stringify({ model: { ...settings, service_key: plant("an unknown setting") } }));
    expect(await run("wrong config", ["serve", "--config", wrong])).toBe(2);
    const broken = join(executable.folder, "broken.json");
    await Bun.write(broken, `{"model":{"api_key":"${plant("a file that is no JSON")}" "x":1}}`);
    expect(await run("broken config", ["serve", "--config", broken])).toBe(2);
  });

  test("in metrics, in pages, in traces, in the log, and when the server crashes", async () => {
    const headers = { Authorization: `Bearer ${token}` };
    for (const path of ["/metrics", "/api/v1/info", "/api/v1/asyncapi.json", "/api/v1/docs", "/", "/api/v1/ready"]) {
      wrote(path, await (await fetch(`${server.url}${path}`, { headers })).text());
    }
    await waitUntil("traces", () => (written.get("traces") ?? "").includes("unauthorized"));
    server.signal("SIGSEGV");
    await server.waitForExit();
    wrote("output of the server", server.out);
    wrote("log of the server", server.err);
    // What is searched is there: the log in full, and the report of the crash.
    expect(server.err).toContain('"caller":"client"');
    expect(server.err).toContain("Segmentation fault");
    expect(written.get("print-config: output")).toMatch(/^model\.max_tokens +448 /m);
    expect(written.get("print-config: output")).toMatch(/^model\.api_key +"\[redacted\]"/m);
    expect(planted.size).toBeGreaterThan(60);

    const found = [...written].flatMap(([where, text]) =>
      [...planted]
        .filter(([, secret]) => spellings(secret).some((spelling) => text.includes(spelling)))
        .map(([place]) => `${place} in ${where}`),
    );
    expect(found).toEqual([]);
  });

  test("and the search would find them in any spelling", () => {
    const [secret = ""] = planted.values();
    for (const text of [secret, `Basic ${btoa(`someone:${secret}`)}`, Buffer.from(secret).toString("hex")]) {
      expect(spellings(secret).some((spelling) => text.includes(spelling))).toBeTrue();
    }
  });
});
