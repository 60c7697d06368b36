import { exportConfigured } from "../../../telemetry/tracing/trace-export.ts";
import { describeConnectionError, requestDirectly } from "../../terminal/direct-request.ts";
import { printableUrl } from "../../terminal/server-address.ts";
import type { Check, Machine } from "../check.ts";
import type { ReportFinding } from "../finding.ts";

const ANSWER_MS = 5_000;
const DEFAULT_ENDPOINT = "http://localhost:4318";
const TRACES = "v1/traces";

/** Whether the collector takes spans: an export without any is sent to it. */
export const telemetry: Check = {
  name: "telemetry",
  limitMs: 3 * ANSWER_MS,
  run: ({ machine }, report) => examineTelemetry(machine.env, report),
};

export async function examineTelemetry(env: Machine["env"], report: ReportFinding): Promise<void> {
  if (!exportConfigured(env)) return report("ok", "traces", "are not exported (OTEL_EXPORTER_OTLP_ENDPOINT)");
  const endpoint = endpointOf(env);
  const url = URL.parse(endpoint);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    return report("warning", "traces", "the endpoint is no URL of HTTP", "set OTEL_EXPORTER_OTLP_ENDPOINT to one");
  }
  const shown = printableUrl(url);
  const remedy = "start the collector, or correct OTEL_EXPORTER_OTLP_ENDPOINT; the server runs without it";
  try {
    const headers = { ...headersOf(env), "content-type": "application/x-protobuf", "content-length": "0" };
    const { status } = await requestDirectly(url, { timeoutMs: ANSWER_MS, method: "POST", headers });
    if (status >= 200 && status < 300) return report("ok", "traces", `${shown} takes them`);
    const hint = status === 401 || status === 403 ? "; OTEL_EXPORTER_OTLP_HEADERS has what it wants to see" : "";
    report("warning", "traces", `${shown} answers HTTP ${status}${hint}`, remedy);
  } catch (error) {
    report("warning", "traces", `${shown}: ${await describeConnectionError(url, error)}`, remedy);
  }
}

/** Returns the URL that spans are sent to, as the specification of the exporter has it. */
export function endpointOf(env: Machine["env"]): string {
  const own = env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]?.trim();
  if (own !== undefined && own !== "") return own;
  const base = env["OTEL_EXPORTER_OTLP_ENDPOINT"]?.trim() || DEFAULT_ENDPOINT;
  return `${base}${base.endsWith("/") ? "" : "/"}${TRACES}`;
}

/** Returns the headers that the exporter sends. Their values are secrets. */
function headersOf(env: Machine["env"]): Record<string, string> {
  const text = env["OTEL_EXPORTER_OTLP_TRACES_HEADERS"] ?? env["OTEL_EXPORTER_OTLP_HEADERS"] ?? "";
  const pairs = text.split(",").flatMap((pair) => {
    const [, name, value] = /^\s*([\w!#$%&'*+.^`|~-]+)\s*=\s*(.*?)\s*$/.exec(pair) ?? [];
    return name === undefined || value === undefined ? [] : [[name, decode(value)] as const];
  });
  return Object.fromEntries(pairs);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
