import protobuf from "protobufjs";

import { waitUntil } from "./wait.ts";

/** The part of opentelemetry-proto 1.x that carries spans. Written independently of the exporter under test. */
const SCHEMA = `
syntax = "proto3";
message Request { repeated ResourceSpans resource_spans = 1; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
message Resource { repeated KeyValue attributes = 1; }
message ScopeSpans { Scope scope = 1; repeated Span spans = 2; }
message Scope { string name = 1; string version = 2; }
message KeyValue { string key = 1; AnyValue value = 2; }
message AnyValue {
  oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; }
}
message Span {
  bytes trace_id = 1;
  bytes span_id = 2;
  string trace_state = 3;
  bytes parent_span_id = 4;
  string name = 5;
  int32 kind = 6;
  fixed64 start_time_unix_nano = 7;
  fixed64 end_time_unix_nano = 8;
  repeated KeyValue attributes = 9;
  repeated Event events = 11;
  repeated Link links = 13;
  Status status = 15;
}
message Event { fixed64 time_unix_nano = 1; string name = 2; repeated KeyValue attributes = 3; }
message Link { bytes trace_id = 1; bytes span_id = 2; }
message Status { string message = 2; int32 code = 3; }
`;

const requestType = protobuf.parse(SCHEMA, { keepCase: true }).root.lookupType("Request");

export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for a root span. */
  readonly parentId: string;
  readonly traceState: string;
  readonly name: string;
  /** 1 internal, 2 server, 3 client. */
  readonly kind: number;
  /** Milliseconds since 1970. */
  readonly start: number;
  readonly end: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly events: readonly { readonly name: string; readonly attributes: Readonly<Record<string, unknown>> }[];
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  /** 0 unset, 1 ok, 2 error. */
  readonly status: number;
  readonly service: unknown;
}

interface WireKeyValue {
  key: string;
  value: Record<string, unknown>;
}
interface WireSpan {
  trace_id: string;
  span_id: string;
  parent_span_id: string;
  trace_state: string;
  name: string;
  kind: number;
  start_time_unix_nano: string;
  end_time_unix_nano: string;
  attributes: WireKeyValue[];
  events: { name: string; attributes: WireKeyValue[] }[];
  links: { trace_id: string; span_id: string }[];
  status?: { code: number };
}
interface WireRequest {
  resource_spans: { resource?: { attributes: WireKeyValue[] }; scope_spans: { spans: WireSpan[] }[] }[];
}

export interface OtlpOptions {
  /** HTTP status of every response. */
  readonly status?: number;
  /** Holds every response back until it resolves. */
  readonly delay?: Promise<unknown>;
  readonly port?: number;
}

/** Receives spans over OTLP/HTTP and keeps them. */
export class OtlpReceiver implements AsyncDisposable {
  readonly spans: ReceivedSpan[] = [];
  readonly contentTypes = new Set<string>();
  requests = 0;
  readonly #server: Bun.Server<undefined>;

  constructor({ status = 200, delay, port = 0 }: OtlpOptions = {}) {
    this.#server = Bun.serve({
      port,
      hostname: "127.0.0.1",
      fetch: async (request) => {
        this.requests += 1;
        this.contentTypes.add(request.headers.get("content-type") ?? "");
        const sent = new Uint8Array(await request.arrayBuffer());
        const body = request.headers.get("content-encoding") === "gzip" ? Bun.gunzipSync(sent) : sent;
        await delay;
        if (status === 200) this.spans.push(...decode(body));
        return new Response(new Uint8Array(), { status, headers: { "content-type": "application/x-protobuf" } });
      },
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  /** Environment variables that make a program export its spans to this receiver, soon after they end. */
  get env(): Record<string, string> {
    return { OTEL_EXPORTER_OTLP_ENDPOINT: this.url, OTEL_BSP_SCHEDULE_DELAY: "100" };
  }

  named(name: string): ReceivedSpan[] {
    return this.spans.filter((span) => span.name === name);
  }

  /** Returns the only span of this name. Throws when there are none or several. */
  one(name: string): ReceivedSpan {
    const [span, ...more] = this.named(name);
    if (span === undefined || more.length > 0) {
      throw new Error(`${more.length + (span ? 1 : 0)} spans "${name}" among ${this.spans.map((each) => each.name)}`);
    }
    return span;
  }

  /** Waits until a span that `matches` has arrived, and returns it. */
  async next(what: string, matches: (span: ReceivedSpan) => boolean): Promise<ReceivedSpan> {
    let found: ReceivedSpan | undefined;
    await waitUntil(what, () => (found = this.spans.find(matches)) !== undefined);
    return found!;
  }

  childrenOf(parent: ReceivedSpan): ReceivedSpan[] {
    return this.spans.filter(({ traceId, parentId }) => traceId === parent.traceId && parentId === parent.spanId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop(true);
  }
}

function decode(body: Uint8Array): ReceivedSpan[] {
  const request = requestType.toObject(requestType.decode(body), {
    bytes: String,
    longs: String,
    arrays: true,
  }) as WireRequest;
  return request.resource_spans.flatMap(({ resource, scope_spans }) => {
    const service = attributesOf(resource?.attributes ?? [])["service.name"];
    return scope_spans.flatMap(({ spans }) => spans.map((span) => toReceivedSpan(span, service)));
  });
}

function toReceivedSpan(span: WireSpan, service: unknown): ReceivedSpan {
  return {
    traceId: hex(span.trace_id),
    spanId: hex(span.span_id),
    parentId: hex(span.parent_span_id ?? ""),
    traceState: span.trace_state ?? "",
    name: span.name,
    kind: span.kind,
    start: Number(span.start_time_unix_nano) / 1e6,
    end: Number(span.end_time_unix_nano) / 1e6,
    attributes: attributesOf(span.attributes),
    events: span.events.map(({ name, attributes }) => ({ name, attributes: attributesOf(attributes) })),
    links: span.links.map((link) => ({ traceId: hex(link.trace_id), spanId: hex(link.span_id) })),
    status: span.status?.code ?? 0,
    service,
  };
}

function hex(base64: string): string {
  return Buffer.from(base64, "base64").toString("hex");
}

function attributesOf(pairs: readonly WireKeyValue[]): Record<string, unknown> {
  return Object.fromEntries(
    pairs.map(({ key, value }) => {
      const [[kind, content] = ["", undefined]] = Object.entries(value);
      return [key, kind === "int_value" ? Number(content) : content];
    }),
  );
}
