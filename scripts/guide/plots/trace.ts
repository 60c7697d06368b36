// One utterance as a trace: the spans that client and server export by OTLP, on one axis of time. The client sends the
// first five seconds of the recording's left side in real time to the recogniser of examples/moonshine.

import { join } from "node:path";

import { OtlpReceiver, type ReceivedSpan } from "../../../tests/support/otlp.ts";
import { waitUntil } from "../../../tests/support/wait.ts";
import { chunk, fmt, littleEndian } from "../../../tests/support/wav-bytes.ts";
import { ServerProcess } from "../../bench/support/server-process.ts";
import { moonshine } from "../support/moonshine.ts";
import type { Plot } from "../support/plot.ts";
import { RATE, recordedSide } from "../support/recording.ts";

const SECONDS = 5;

interface Row {
  readonly name: string;
  /** 0 is the root. */
  readonly depth: number;
  readonly service: string;
  /** Seconds since the root began. */
  readonly start: number;
  readonly end: number;
}

export default {
  title: "One utterance as a trace",

  async measure({ executable, root, scratch }) {
    const recording = join(scratch, "recording.wav");
    await Bun.write(recording, wav(new Uint8Array(recordedSide(0).slice(0, SECONDS * RATE).buffer)));
    await using otlp = new OtlpReceiver();
    const serve = ["serve", "--port", "0", "--model", await moonshine(root), "--workers", "2"];
    await using server = await ServerProcess.start([executable, ...serve], otlp.env);
    const send = ["send", "--real-time", "--interim-results", "--input", recording];
    const client = Bun.spawn([executable, ...send, "--addr", `ws://${server.host}/api/v1/segmented`], {
      env: { ...process.env, ...otlp.env },
      stdio: ["ignore", "ignore", "inherit"],
    });
    if ((await client.exited) !== 0) throw new Error("the client has failed");
    await waitUntil("all spans", () => ["send", "stream segmented"].every((name) => otlp.named(name).length === 1));
    return rowsBelow(otlp, otlp.one("send"), 0, otlp.one("send").start);
  },

  draw(rows) {
    const placed = rows.map((row, index) => ({
      ...row,
      index,
      indent: -195 + 14 * row.depth,
      length: lengthText(row.end - row.start),
    }));
    const x = {
      field: "start",
      type: "quantitative",
      title: "time since the client began (s)",
      scale: { domain: [0, SECONDS], nice: false },
    };
    const y = { field: "index", type: "ordinal", axis: null };
    const services = ["streamer-send", "streamer"];
    return {
      vconcat: [
        {
          width: 460,
          height: { step: 22 },
          data: { values: placed },
          layer: [
            {
              mark: { type: "bar", height: 14, stroke: "#222222", strokeWidth: 1 },
              encoding: {
                x,
                x2: { field: "end" },
                y,
                color: {
                  field: "service",
                  type: "nominal",
                  title: "service.name",
                  scale: { domain: services, range: ["#ffffff", "#6fa8d0"] },
                  legend: { symbolStrokeColor: "#222222", symbolStrokeWidth: 1, symbolSize: 120 },
                },
              },
            },
            {
              mark: { type: "text", align: "left", dx: 5 },
              encoding: { x: { ...x, field: "end" }, y, text: { field: "length" } },
            },
            ...[...new Set(placed.map(({ indent }) => indent))].map((indent) => ({
              data: { values: placed.filter((row) => row.indent === indent) },
              mark: { type: "text", align: "left", x: indent },
              encoding: { y, text: { field: "name" } },
            })),
          ],
        },
      ],
    };
  },
} satisfies Plot<Row>;

function wav(audio: Uint8Array): Uint8Array {
  const chunks = [chunk("fmt ", fmt(1, 1, RATE, 16)), chunk("data", audio)];
  return littleEndian("RIFF", [4, 4 + chunks[0]!.length + chunks[1]!.length], "WAVE", ...chunks);
}

/** A span and all below it, in the order of their starts. */
function rowsBelow(otlp: OtlpReceiver, span: ReceivedSpan, depth: number, origin: number): Row[] {
  const seconds = (ms: number): number => Math.round(ms - origin) / 1000;
  const { attributes, service } = span;
  const kind =
    attributes["streamer.final"] === undefined ? "" : attributes["streamer.final"] ? " (final)" : " (interim)";
  const row = { depth, service: String(service), start: seconds(span.start), end: seconds(span.end) };
  const children = otlp.childrenOf(span).sort((a, b) => a.start - b.start);
  return [
    { name: `${span.name}${kind}`, ...row },
    // The parts of an interim are those of a final.
    ...(kind === " (interim)" ? [] : children.flatMap((child) => rowsBelow(otlp, child, depth + 1, origin))),
  ];
}

function lengthText(seconds: number): string {
  return seconds < 0.001 ? "< 1 ms" : seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(2)} s`;
}
