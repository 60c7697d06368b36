import type { Dialect, Input, Message, Opened, Route } from "../../src/dialects/dialect.ts";
import type { ResultAudio } from "../../src/model/job.ts";
import { PATTERNS } from "../../src/pipeline/patterns.ts";
import type { Ended, Ending } from "../../src/protocol/ending.ts";
import { type ErrorCode, ProtocolError } from "../../src/protocol/errors.ts";
import type { ServerEvent } from "../../src/protocol/events.ts";
import type { Start } from "../../src/protocol/requests.ts";

/**
 * A wire language that differs from the native one in every respect that the interface allows: it greets, answers by
 * itself, starts with one word, skips events, counts the audio, ends at the first refusal and has close codes and last
 * words of its own.
 *
 * Client: `open RATE`, `mark`, `who`, `end`, and binary audio. Server: `hello`, `ready MODEL`, `result START END JSON`,
 * `marked TIME`, `heard SECONDS`, `failed CODE`, `done RECEIVED`, `bye`.
 */
export class LineDialect implements Dialect {
  readonly #session: string;
  #heard = 0;

  constructor(session = "none") {
    this.#session = session;
  }

  begin(): readonly Input[] {
    return [{ kind: "reply", messages: () => ["hello"] }];
  }

  read(message: Message): readonly Input[] {
    if (typeof message !== "string") return [{ kind: "audio", bytes: message }];
    const [word, argument] = message.split(" ");
    switch (word) {
      case "open":
        return [this.#start(Number(argument))];
      case "mark":
        return [{ kind: "request", request: { request: "flush" } }];
      case "end":
        return this.finished();
      case "who":
        return [{ kind: "reply", messages: () => [`session ${this.#session}`, `heard ${this.#heard}`] }];
      default:
        return [{ kind: "refused", error: new ProtocolError("unknown_request", `found ${JSON.stringify(message)}`) }];
    }
  }

  finished(): readonly Input[] {
    return [{ kind: "request", request: { request: "stop", disconnect: true } }];
  }

  write(event: ServerEvent, audio?: ResultAudio): readonly Message[] {
    switch (event.type) {
      case "started":
        return [`ready ${event.model}`];
      case "segment": {
        const { type: _, start_time, end_time, is_final: __, channel: ___, ...output } = event;
        const line = `result ${start_time} ${end_time} ${JSON.stringify(output)}`;
        return audio === undefined ? [line] : [line, `sound ${audio.samples.length}`];
      }
      case "flushed":
        return [`marked ${event.time}`];
      case "error":
        return [`failed ${event.code}`];
      case "stopped":
        return [`done ${event.channels[0]?.received ?? 0}`];
      default:
        return [];
    }
  }

  decoded(seconds: number): readonly Message[] {
    this.#heard = seconds;
    return [`heard ${seconds}`];
  }

  endsAt(code: ErrorCode): boolean {
    return code === "unsupported_format" || code === "inference_failed";
  }

  close(ending: Ending): Ended {
    return { ending, code: ending === "stop" ? 1000 : 4000, reason: `line ${ending}`, last: ["bye"] };
  }

  #start(rate: number): Input {
    if (!(rate >= 4_000 && rate <= 384_000)) {
      return { kind: "refused", error: new ProtocolError("unsupported_format", `rate: found ${rate}`), meant: "start" };
    }
    const request: Start = {
      request: "start",
      format: { channels: 1, sample_rate: rate, bit_depth: 16, is_float: false, encoding: "pcm" },
      interim_results: false,
      interim_interval_ms: 500,
      flush_after_ms: 0,
      timing: false,
    };
    return { kind: "request", request };
  }
}

/** The route on which the double is spoken. */
export const lineRoute: Route = {
  dialect: "line",
  paths: ["/line"],
  credentials: ({ url }, queryTokens) => ({
    token: queryTokens ? (new URL(url).searchParams.get("key") ?? undefined) : undefined,
  }),
  choose: (offered) => offered.find((name) => name === "line"),
  headers: (session) => ({ "x-session": session }),
  refuse: ({ code }) => ({ refused: code }),
  open: () => openLine("simple"),
};

export function openLine(pattern: string): Opened {
  const found = PATTERNS[pattern];
  if (found === undefined) throw new Error(`no pattern is called ${pattern}`);
  return {
    dialect: "line",
    pattern: found,
    traits: { maxTextBytes: 64, idleTimeoutMs: 5_000, startTimeoutMs: 2_000, binaryIsAudio: false, pingsCount: true },
    create: (session) => new LineDialect(session),
  };
}
