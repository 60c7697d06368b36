import { ScrapedMetrics } from "../scraped-metrics.ts";
import { withTimeout } from "../wait.ts";
import { UpgradeRefused, WebSocketClient } from "../websocket-client.ts";
import { metricItems } from "./metrics.ts";
import type { Item, Program } from "./program.ts";
import { type Json, protocolItems } from "./protocol.ts";

const ROUTES = [
  ...["/", "/api/v1/health", "/api/v1/ready", "/api/v1/info", "/api/v1/asyncapi.json", "/metrics"],
  ...["/api/v1/openapi.json", "/api/v1/docs", "/api/v1/tickets", "/api/v1", "/nothing"],
];
const OPEN_METRICS = "application/openmetrics-text";

/**
 * Routes, WebSocket handshakes, messages, errors and metrics of a server that has had one refused start and one stream.
 */
export async function serverItems(program: Program): Promise<Item[]> {
  const child = program.spawn(["serve", "--port", "0", "--workers", "1", "--set", "limits.admission.load=1000"]);
  try {
    const { value } = await withTimeout("the server's address", child.stdout.getReader().read());
    const [, url = ""] = /listening on (\S+)/.exec(new TextDecoder().decode(value)) ?? [];
    const port = Number(new URL(url).port);
    const { patterns } = (await (await fetch(`${url}/api/v1/info`)).json()) as { patterns: string[] };
    const handshakes = await Promise.all(patterns.map((pattern) => handshakeItems(port, `/api/v1/${pattern}`)));
    using client = await WebSocketClient.connect(port);
    client.start({ model: "unknown" });
    await client.nextEvent("error");
    client.start();
    client.stop();
    await client.nextEvent("stopped");
    return [
      ...handshakes.flat(),
      ...(await Promise.all(ROUTES.map((route) => routeItem(url, route)))),
      ...(await bodyItems(url)),
      ...protocolItems((await (await fetch(`${url}/api/v1/asyncapi.json`)).json()) as Json),
      ...metricItems(await ScrapedMetrics.from(url)),
    ];
  } finally {
    child.kill("SIGKILL");
    await child.exited;
  }
}

async function routeItem(url: string, route: string): Promise<Item> {
  const [get, post] = await Promise.all([fetch(url + route), fetch(url + route, { method: "POST" })]);
  return [`GET ${route}`, `${get.status} ${get.headers.get("content-type")}; POST ${post.status}`];
}

async function bodyItems(url: string): Promise<Item[]> {
  const [front, info, health, ready] = await Promise.all(
    ["/", "/api/v1/info", "/api/v1/health", "/api/v1/ready"].map(async (route) => (await fetch(url + route)).text()),
  );
  const openMetrics = await fetch(`${url}/metrics`, { headers: { accept: OPEN_METRICS } });
  return [
    ["GET /, routes", [...front!.matchAll(/(?:GET|ws) +(\/\S+)/g)].map(([, route]) => route).join(", ")],
    [
      "GET /, dialects",
      [...front!.matchAll(/^ +(\w+) +ws:\/\/[^/]+(\/\S+)/gm)].map(([, name, path]) => `${name} ${path}`).join(", "),
    ],
    [`GET /metrics as ${OPEN_METRICS}`, `${openMetrics.status} ${openMetrics.headers.get("content-type")}`],
    ["GET /api/v1/health, body", health!],
    ["GET /api/v1/ready, body", ready!],
    ...shape("GET /api/v1/info, body", JSON.parse(info!.replaceAll(url.replace("http", "ws"), "ws://HOST"))),
  ];
}

/** The kind of every value in a JSON body; the elements of a list count as one. */
function shape(name: string, value: unknown): Item[] {
  if (Array.isArray(value)) {
    return value.every((each) => typeof each === "string") ? [[name, value.join(", ")]] : shape(`${name}[]`, value[0]);
  }
  if (typeof value !== "object" || value === null) return [[name, typeof value]];
  return Object.entries(value).flatMap(([key, inner]) => shape(`${name}.${key}`, inner));
}

async function handshakeItems(port: number, path: string): Promise<Item[]> {
  const offers: Readonly<Record<string, Readonly<Record<string, string | undefined>>>> = {
    "no subprotocol": {},
    streamer: { "Sec-WebSocket-Protocol": "other, streamer.v1" },
    "another subprotocol": { "Sec-WebSocket-Protocol": "other" },
    "another version": { "Sec-WebSocket-Version": "8" },
    "no upgrade": { Upgrade: undefined },
  };
  return await Promise.all(
    Object.entries(offers).map(async ([offer, headers]): Promise<Item> => {
      const name = `ws ${path}, ${offer}`;
      try {
        using client = await WebSocketClient.connect(port, { path, headers });
        return [name, `101 ${client.headers.get("sec-websocket-protocol") ?? "without a subprotocol"}`];
      } catch (error) {
        if (!(error instanceof UpgradeRefused)) throw error;
        const { code } = JSON.parse(error.body) as { code: string };
        return [name, `${error.status} ${code}, ${error.headers.get("content-type")}`];
      }
    }),
  );
}
