import { describe, expect, test } from "bun:test";

import { SAMPLE_FORMATS } from "../../src/lib/sample-format.ts";
import { type ErrorRow, ERRORS } from "../../src/protocol/errors.ts";
import { EVENTS, parseEvent, STOP_REASONS } from "../../src/protocol/events.ts";
import { FEATURES } from "../../src/protocol/features.ts";
import { parseRequest, REQUESTS } from "../../src/protocol/requests.ts";
import { VAD_DEFAULTS, VAD_RANGES } from "../../src/protocol/vad-settings.ts";
import { WARNINGS } from "../../src/protocol/warnings.ts";

const page = await Bun.file(new URL("../../docs/protocol.md", import.meta.url)).text();

/** JSON examples, each with its sender, which the comment before the fence names. */
const examples = [...page.matchAll(/(?:<!-- (client|server) -->\s*)?```json\n(.*?)```/gs)].map(
  ([, side, text = ""]) => ({ side, text }),
);

/** Cells of the rows of the table after a text, without back-ticks. */
function rows(after: string): string[][] {
  const [, rest = ""] = page.split(after);
  const [table = ""] = rest.trimStart().split("\n\n");
  return table
    .split("\n")
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll("`", "")),
    )
    .slice(2);
}

describe("docs/protocol.md", () => {
  test("every JSON example names its sender", () => {
    expect(examples.length).toBeGreaterThan(15);
    expect(examples.filter(({ side }) => side === undefined)).toEqual([]);
  });

  test("the parser of the server accepts every client example, and each request has one", () => {
    const clients = examples.filter(({ side }) => side === "client");
    const seen = clients.map(({ text }) => parseRequest(text, { maxChannels: 16 }).request);
    expect(new Set<string>(seen)).toEqual(new Set(Object.keys(REQUESTS)));
  });

  test("the parser of the client accepts every server example, and each event has one", () => {
    const servers = examples.filter(({ side }) => side === "server");
    const seen = servers.map(({ text }) => parseEvent(text).type);
    expect(new Set<string>(seen)).toEqual(new Set(Object.keys(EVENTS)));
  });

  test("the example of an error has the message that the server sends for that mistake", () => {
    const wrong = '{"request":"start","format":{},"vad":{"treshold_db":3}}';
    const messages = examples.map(({ text }) => JSON.parse(text) as { message?: string });
    let answer = "";
    try {
      parseRequest(wrong, { maxChannels: 16 });
    } catch (error) {
      answer = (error as Error).message;
    }
    expect(messages.map(({ message }) => message)).toContain(answer);
  });

  test("errors in the examples have the flags of the table", () => {
    const table: Partial<Record<string, ErrorRow>> = ERRORS;
    for (const { text } of examples) {
      const event = JSON.parse(text) as {
        type?: string;
        code?: string;
        fatal?: boolean;
        retryable?: boolean;
        retry_after_ms?: number;
      };
      if (event.type !== "error") continue;
      const { fatal, retryable, retryAfterMs } = table[event.code ?? ""] ?? {};
      expect([event.fatal, event.retryable, event.retry_after_ms]).toEqual([fatal, retryable, retryAfterMs]);
    }
  });

  test("the example of a ledger adds up", () => {
    const ledgers = examples.flatMap(({ text }) => {
      const event = JSON.parse(text) as { type?: string; channels?: Record<string, number>[] };
      return event.type === "stopped" ? (event.channels ?? []) : [];
    });
    expect(ledgers).not.toHaveLength(0);
    for (const { decoded, inferred = 0, silent = 0, failed = 0 } of ledgers) {
      expect(decoded).toBe(inferred + silent + failed);
    }
  });

  test("the table of errors equals that of the server", () => {
    const expected = Object.entries(ERRORS as Record<string, ErrorRow>).map(([code, row]) => [
      code,
      row.meaning.replaceAll("`", ""),
      String(row.status ?? ""),
      String(row.close ?? ""),
      row.staysOpenAtStart ? "not at start" : row.fatal ? "yes" : "no",
      row.retryable ? "yes" : "no",
    ]);
    expect(rows("<!-- errors -->")).toEqual(expected);
  });

  test("the table of warnings has every warning", () => {
    expect(rows("<!-- warnings -->")).toEqual(Object.entries<string>(WARNINGS));
  });

  test("the table of features has every feature", () => {
    const expected = Object.entries<string>(FEATURES).map(([name, addition]) => [name, addition.replaceAll("`", "")]);
    expect(rows("<!-- features -->")).toEqual(expected);
  });

  test("the table of sample formats has every format", () => {
    const expected = Object.values(SAMPLE_FORMATS).map(({ bit_depth, is_float, encoding }) => [
      String(bit_depth),
      String(is_float),
      `"${encoding}"`,
    ]);
    const table = rows("their message boundaries and speed.");
    expect(table.map((cells) => cells.slice(1).map((cell) => cell.replace(" (default)", "")))).toEqual(expected);
  });

  test("the table of voice activity settings has their defaults and ranges", () => {
    const expected = Object.entries(VAD_RANGES).map(([key, [min, max]]) => [
      key,
      String(VAD_DEFAULTS[key as keyof typeof VAD_DEFAULTS]),
      `${min} to ${max}`,
    ]);
    const table = rows("A value out of range is refused, never clamped.");
    expect(table.map((cells) => cells.slice(0, 3))).toEqual(expected);
  });

  test("the table of reasons has every reason", () => {
    const [, rest = ""] = page.split("### stopped");
    const reasons = [...rest.matchAll(/^\| `(\w+)` +\|/gm)].map(([, reason]) => reason);
    expect(reasons.slice(1, 1 + STOP_REASONS.length)).toEqual([...STOP_REASONS]);
  });

  test("every link within the page has a heading", () => {
    const headings = [...page.matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) =>
      title
        .toLowerCase()
        .replaceAll(/[^\w -]/g, "")
        .replaceAll(" ", "-"),
    );
    const links = [...page.matchAll(/\]\(#([^)]+)\)/g)].map(([, target = ""]) => target);
    expect(links.filter((target) => !headings.includes(target))).toEqual([]);
  });
});
