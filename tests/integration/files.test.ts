// Files over POST, on the wire. The SDKs are in tests/suites/interop.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import * as v from "valibot";

import { formatTokenLine } from "../../src/auth/token-line.ts";
import { hashToken, newToken } from "../../src/auth/token.ts";
import { recordedSchema } from "../../src/dialects/deepgram/files/messages.ts";
import { refusalSchema } from "../../src/dialects/deepgram/messages.ts";
import {
  errorSchema,
  streamEventSchema,
  transcriptionSchema,
  verboseSchema,
} from "../../src/dialects/openai/files/messages.ts";
import { encode, speech, wav } from "../support/audio.ts";
import { InProcessServer, sharedServer } from "../support/in-process-server.ts";
import { RawConnection } from "../support/raw-connection.ts";
import { waitUntil } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const OPENAI = "/v1/audio/transcriptions";
const DEEPGRAM = "/v1/listen";
const RAW = `${DEEPGRAM}?encoding=linear16&sample_rate=16000`;
const TEXT = "turn left here";
const S16 = { channels: 1, sample_rate: 16_000, bit_depth: 16, is_float: false };
const AUDIO = encode("s16", speech([1.2, 1]));
const FILE = wav(S16, AUDIO);
const words = { "model.name": join(import.meta.dir, "../support/models/words.ts") };
const server = await sharedServer(words);

type Fields = readonly (readonly [name: string, value: string | Uint8Array])[];

function form(fields: Fields): FormData {
  const data = new FormData();
  for (const [name, value] of fields) {
    if (typeof value === "string") data.append(name, value);
    else data.append(name, new File([value as Uint8Array<ArrayBuffer>], "audio.wav", { type: "audio/wav" }));
  }
  return data;
}

async function transcribe(fields: Fields, of = server, headers: Record<string, string> = {}): Promise<Response> {
  return await of.fetch(OPENAI, { method: "POST", body: form(fields), headers });
}

async function listen(
  body: Uint8Array,
  path = DEEPGRAM,
  of = server,
  headers: Record<string, string> = {},
): Promise<Response> {
  return await of.fetch(path, { method: "POST", body: body as Uint8Array<ArrayBuffer>, headers });
}

/** Returns status, code and message of an error in OpenAI's form. */
async function openAiError(answer: Promise<Response> | Response): Promise<[number, string | null, string]> {
  const response = await answer;
  const { error } = v.parse(errorSchema, await response.json());
  return [response.status, error.code, error.message];
}

/** Returns status, name and message of an error in Deepgram's form. */
async function deepgramError(answer: Promise<Response> | Response): Promise<[number, string, string]> {
  const response = await answer;
  const { err_code, err_msg } = v.parse(refusalSchema, await response.json());
  return [response.status, err_code, err_msg];
}

describe("OpenAI's transcriptions", () => {
  test("answer in JSON, with the ledger in the log and the dialect in the metrics", async () => {
    const before = server.logged("stream_stopped").length;
    const response = await transcribe([
      ["model", "whisper-1"],
      ["file", FILE],
    ]);
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/json"]);
    expect(v.parse(transcriptionSchema, await response.json())).toEqual({
      text: `${TEXT} ${TEXT}`,
      usage: { type: "duration", seconds: AUDIO.length / 32_000 },
    });
    expect(server.logged("session_opened").at(-1)).toMatchObject({ dialect: "openai", pattern: "segmented" });
    await waitUntil("the end in the log", () => server.logged("stream_stopped").length > before);
    expect(server.logged("stream_stopped").at(-1)).toMatchObject({
      reason: "stop",
      ledger: [{ received: AUDIO.length / 2, decoded: AUDIO.length / 2, failed: 0, segments: 2 }],
    });
    expect(server.logged("session_closed").at(-1)).toMatchObject({ code: 1000, reason: "stop", streams: 1 });
    const opened = { dialect: "openai", pattern: "segmented" };
    expect((await server.metrics()).value("streamer_sessions_opened_total", opened)).toBeGreaterThan(0);
  });

  test("have segments and words with their times when the client asks for them", async () => {
    const asked: Fields = [
      ["file", FILE],
      ["model", "x"],
      ["response_format", "verbose_json"],
      ["temperature", "0.5"],
    ];
    const plain = v.parse(verboseSchema, await (await transcribe(asked)).json());
    expect(plain).toMatchObject({ language: "en", duration: AUDIO.length / 32_000, text: `${TEXT} ${TEXT}` });
    expect(plain.words).toBeUndefined();
    expect(plain.segments?.map(({ id, text, temperature }) => [id, text, temperature])).toEqual([
      [0, TEXT, 0.5],
      [1, TEXT, 0.5],
    ]);
    const words = await transcribe([...asked, ["timestamp_granularities[]", "word"]]);
    const worded = v.parse(verboseSchema, await words.json());
    expect(worded.segments).toBeUndefined();
    expect(worded.words?.map(({ word }) => word)).toEqual(["turn", "left", "here", "turn", "left", "here"]);
    expect(worded.words?.[0]?.start).toBe(plain.segments?.[0]?.start ?? -1);
    const both: Fields = [
      ["timestamp_granularities[]", "word"],
      ["timestamp_granularities[]", "segment"],
    ];
    expect(v.parse(verboseSchema, await (await transcribe([...asked, ...both])).json()).segments).toHaveLength(2);
  });

  test.each([
    ["text", "text/plain; charset=utf-8", /^turn left here turn left here\n$/],
    ["srt", "application/x-subrip; charset=utf-8", /^1\n00:00:\d\d,\d{3} --> 00:00:\d\d,\d{3}\nturn left here\n\n2\n/],
    ["vtt", "text/vtt; charset=utf-8", /^WEBVTT\n\n00:00:\d\d\.\d{3} --> 00:00:\d\d\.\d{3}\nturn left here\n\n00/],
  ])("may be %s", async (format, type, body) => {
    const response = await transcribe([
      ["file", FILE],
      ["model", "x"],
      ["response_format", format],
    ]);
    expect([response.status, response.headers.get("content-type")]).toEqual([200, type]);
    expect(await response.text()).toMatch(body);
  });

  test("come as events while they are made if the client asks for a stream", async () => {
    const response = await transcribe([
      ["stream", "true"],
      ["model", "x"],
      ["file", FILE],
    ]);
    expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    const events = (await response.text())
      .split("\n\n")
      .filter(Boolean)
      .map((event) => {
        return v.parse(streamEventSchema, JSON.parse(event.replace(/^data: /, "")));
      });
    expect(events).toEqual([
      { type: "transcript.text.delta", delta: TEXT },
      { type: "transcript.text.delta", delta: ` ${TEXT}` },
      { type: "transcript.text.done", text: `${TEXT} ${TEXT}` },
    ]);
  });

  test("pass language and prompt to a model that takes them, wherever they stand in the form", async () => {
    await using extra = await InProcessServer.start({ ...words, "dialects.extras": "on" });
    const asked: Fields = [
      ["model", "x"],
      ["response_format", "verbose_json"],
    ];
    for (const fields of [
      [["language", "de"], ...asked, ["prompt", "a"], ["file", FILE]],
      [["file", FILE], ...asked, ["prompt", "a"], ["language", "de"]],
    ] satisfies Fields[]) {
      const { segments } = v.parse(verboseSchema, await (await transcribe(fields, extra)).json());
      expect(segments?.[0]?.streamer?.["asked"]).toEqual({ language: "de" });
    }
  });

  test("mix the channels of a file", async () => {
    const rate = 48_000;
    const stereo = wav(
      { ...S16, channels: 2, sample_rate: rate },
      encode("s16", speech([1], { rate }), speech([1], { rate })),
    );
    expect(
      await (
        await transcribe([
          ["file", stereo],
          ["model", "x"],
        ])
      ).json(),
    ).toMatchObject({ text: TEXT });
    expect(server.logged("stream_started").at(-1)).toMatchObject({
      channels: 1,
      sample_rate: rate,
      sample_format: "f32",
    });
  });

  test("of silence are an empty text; a file that ends early or in a part of a sample is what is there", async () => {
    expect(
      await (
        await transcribe([
          ["file", wav(S16, Buffer.alloc(32_000))],
          ["model", "x"],
        ])
      ).json(),
    ).toMatchObject({ text: "" });
    const cut = FILE.subarray(0, 44 + 32_001);
    expect(
      await (
        await transcribe([
          ["file", cut],
          ["model", "x"],
        ])
      ).json(),
    ).toMatchObject({ usage: { seconds: 1 } });
  });

  test.each([
    ["no file", [["model", "x"]], 400, "file: found nothing"],
    [
      "two files",
      [
        ["file", FILE],
        ["file", FILE],
      ],
      400,
      "file: found several",
    ],
    ["an empty file", [["file", Buffer.alloc(0)]], 400, "file: found no bytes"],
    ["a file without samples", [["file", FILE.subarray(0, 44)]], 400, "file: found no samples"],
    ["less than a sample", [["file", FILE.subarray(0, 45)]], 400, "file: found no samples"],
    ["half a header", [["file", FILE.subarray(0, 30)]], 415, "ends in its header"],
    ["another container", [["file", Buffer.from("fLaC\0\0\0\x22")]], 415, "a FLAC file"],
    [
      "another container in front of the fields",
      [
        ["file", Buffer.from("OggS, or so")],
        ["model", "x"],
      ],
      415,
      "an Ogg file",
    ],
    [
      "an unknown format of the answer",
      [
        ["file", FILE],
        ["response_format", "xml"],
      ],
      400,
      'response_format: found "xml"',
    ],
    [
      "an unknown granularity",
      [
        ["timestamp_granularities[]", "line"],
        ["file", FILE],
      ],
      400,
      "timestamp_granularities",
    ],
    [
      "a temperature of 7",
      [
        ["temperature", "7"],
        ["file", FILE],
      ],
      400,
      "temperature",
    ],
    [
      "a stream of subtitles",
      [
        ["stream", "true"],
        ["response_format", "srt"],
        ["file", FILE],
      ],
      400,
      "stream",
    ],
    [
      "a prompt without end",
      [
        ["prompt", "x".repeat(70_000)],
        ["file", FILE],
      ],
      400,
      "prompt",
    ],
  ] satisfies [string, Fields, number, string][])("refuse %s", async (_, fields, status, reason) => {
    const [found, , message] = await openAiError(transcribe(fields));
    expect([found, message]).toEqual([status, expect.stringContaining(reason)]);
  });

  test.each([
    ["file", [["model", "x"]]],
    [
      "file",
      [
        ["file", FILE],
        ["file", FILE],
      ],
    ],
    ["file", [["file", FILE.subarray(0, 44)]]],
    [
      "prompt",
      [
        ["prompt", "x".repeat(70_000)],
        ["file", FILE],
      ],
    ],
    [
      "temperature",
      [
        ["file", FILE],
        ["temperature", "7"],
      ],
    ],
  ] satisfies [string, Fields][])("refuse a fault of a form with the name of its field, %s", async (field, fields) => {
    const { error } = v.parse(errorSchema, await (await transcribe(fields)).json());
    expect(error.param).toBe(field);
  });

  test("refuse what is no form, a compressed body, and a form that is cut off", async () => {
    const post = (body: string, headers: Record<string, string>) =>
      server.fetch(OPENAI, { method: "POST", body, headers });
    expect((await openAiError(post("{}", { "content-type": "application/json" })))[0]).toBe(400);
    expect((await openAiError(post("x", { "content-type": "multipart/form-data" })))[2]).toContain("boundary");
    const encoding = { "content-type": "multipart/form-data; boundary=x", "content-encoding": "gzip" };
    expect(await openAiError(post("x", encoding))).toEqual([
      415,
      "unsupported_format",
      'Content-Encoding: found "gzip"; allowed: none',
    ]);
    const cut = await openAiError(
      post("--x\r\nContent-Disposition: form-data; name=a\r\n\r\nb", {
        "content-type": "multipart/form-data; boundary=x",
      }),
    );
    expect(cut).toEqual([400, "invalid_request", expect.stringContaining("it ends before its last boundary")]);
  });

  test("refuse a model that is not known only if models are strict", async () => {
    await using strict = await InProcessServer.start({ ...words, "dialects.strict_models": "on" });
    for (const fields of [
      [
        ["file", FILE],
        ["model", "x"],
      ],
      [
        ["model", "x"],
        ["file", FILE],
      ],
    ] satisfies Fields[]) {
      expect((await openAiError(transcribe(fields, strict))).slice(0, 2)).toEqual([404, "model_not_found"]);
    }
    expect(
      (
        await transcribe(
          [
            ["file", FILE],
            ["model", "words"],
          ],
          strict,
        )
      ).status,
    ).toBe(200);
  });
});

describe("Deepgram's recorded audio", () => {
  test("is answered with channels, words, the model and the digest of the file", async () => {
    const response = await listen(FILE, `${DEEPGRAM}?model=nova-3&smart_format=true`, server, {
      "content-type": "audio/wav",
    });
    const { metadata, results } = v.parse(recordedSchema, await response.json());
    expect(response.headers.get("dg-request-id")).toBe(metadata.request_id);
    const sha256 = new Bun.CryptoHasher("sha256").update(FILE).digest("hex");
    expect(metadata).toMatchObject({ duration: AUDIO.length / 32_000, channels: 1, sha256 });
    expect(Object.values(metadata.model_info)).toMatchObject([{ name: "words" }]);
    expect(results.utterances).toBeUndefined();
    const [alternative] = results.channels[0]?.alternatives ?? [];
    expect([alternative?.transcript, alternative?.confidence, alternative?.words.length]).toEqual([
      `${TEXT} ${TEXT}`,
      0.75,
      6,
    ]);
    expect(server.logged("session_opened").at(-1)).toMatchObject({ dialect: "deepgram" });
  });

  test("has utterances when they are asked for, and may be raw samples", async () => {
    const { results } = v.parse(recordedSchema, await (await listen(AUDIO, `${RAW}&utterances=true`)).json());
    expect(results.utterances?.map(({ transcript, channel }) => [transcript, channel])).toEqual([
      [TEXT, 0],
      [TEXT, 0],
    ]);
    const one = v.parse(recordedSchema, await (await listen(AUDIO, `${RAW}&utterances=true&utt_split=5`)).json());
    expect(one.results.utterances).toHaveLength(1);
  });

  test("has each channel with multichannel, and one of them mixed without", async () => {
    const rate = 48_000;
    const two = encode("s16", speech([1], { rate }), speech([1], { rate, seed: 7 }));
    for (const [query, channels] of [
      ["multichannel=true", 2],
      ["multichannel=false", 1],
    ] as const) {
      const path = `${DEEPGRAM}?encoding=linear16&sample_rate=${rate}&channels=2&${query}`;
      const { metadata, results } = v.parse(recordedSchema, await (await listen(two, path)).json());
      expect([metadata.channels, metadata.duration]).toEqual([channels, two.length / 4 / rate]);
      expect(results.channels.map(({ alternatives }) => alternatives[0]?.transcript)).toEqual(
        Array.from({ length: channels }, () => TEXT),
      );
    }
  });

  test("must be in the body: nothing is fetched, and nobody is called", async () => {
    const json = { "content-type": "application/json" };
    const [status, code, message] = await deepgramError(
      listen(Buffer.from('{"url":"http://127.0.0.1:1/"}'), DEEPGRAM, server, json),
    );
    expect([status, code]).toEqual([400, "INVALID_QUERY_PARAMETER"]);
    expect(message).toContain("fetches nothing");
    expect((await deepgramError(listen(FILE, `${DEEPGRAM}?callback=http://127.0.0.1:1/`)))[2]).toContain("callback");
  });

  test("is refused by name when it is no PCM, and when there is none", async () => {
    expect((await deepgramError(listen(Buffer.from("ID3\x04")))).slice(0, 2)).toEqual([415, "UNSUPPORTED_MEDIA_TYPE"]);
    const raw = await deepgramError(listen(Buffer.concat([Buffer.from("OggS"), AUDIO]), RAW));
    expect([raw[0], raw[2]]).toEqual([415, expect.stringContaining("an Ogg file")]);
    expect(await deepgramError(listen(Buffer.alloc(0)))).toMatchObject([
      400,
      expect.anything(),
      "body: found no bytes; allowed: audio",
    ]);
    expect((await deepgramError(listen(AUDIO, `${DEEPGRAM}?encoding=opus`)))[0]).toBe(400);
  });
});

describe("an upload", () => {
  test("beyond the limit is 413, whether it says its length or not", async () => {
    await using small = await InProcessServer.start({ ...words, "limits.file_mb": 1 });
    const large = wav(S16, Buffer.alloc(1024 * 1024));
    expect(
      (
        await openAiError(
          transcribe(
            [
              ["file", large],
              ["model", "x"],
            ],
            small,
          ),
        )
      ).slice(0, 2),
    ).toEqual([413, "message_too_big"]);
    expect((await deepgramError(listen(large, DEEPGRAM, small))).slice(0, 2)).toEqual([413, "PAYLOAD_TOO_LARGE"]);
    const pieces = new ReadableStream<Uint8Array>({
      start: (controller) => {
        for (let at = 0; at < large.length; at += 65_536) controller.enqueue(large.subarray(at, at + 65_536));
        controller.close();
      },
    });
    const chunked = await small.fetch(DEEPGRAM, { method: "POST", body: pieces });
    expect((await deepgramError(chunked))[2]).toBe("body: found more; allowed: at most 1048576 bytes (limits.file_mb)");
    expect((await listen(large.subarray(0, 1024 * 1024), DEEPGRAM, small)).status).toBe(200);
    await small.waitUntilIdle();
  });

  test("beyond the memory for all of them is 503, and fits when others have ended", async () => {
    await using little = await InProcessServer.start({
      ...words,
      "limits.inbox_total_mb": 1,
      "limits.upload_ms": 60_000,
    });
    using waiting = await RawConnection.open(little.port);
    waiting.write(
      `POST ${OPENAI} HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 1048000\r\n\r\n--x`,
    );
    await waitUntil("the first upload", () => little.sessions === 1);
    const response = await transcribe(
      [
        ["file", FILE],
        ["model", "x"],
      ],
      little,
    );
    expect(response.headers.get("retry-after")).not.toBeNull();
    expect((await openAiError(response)).slice(0, 2)).toEqual([503, "overloaded"]);
    waiting[Symbol.dispose]();
    await waitUntil("the end of the first", () => little.sessions === 0);
    expect(
      (
        await transcribe(
          [
            ["file", FILE],
            ["model", "x"],
          ],
          little,
        )
      ).status,
    ).toBe(200);
  });

  test("whose client leaves is cancelled, and its ledger is in the log", async () => {
    await using slow = await InProcessServer.start({ "model.delay": 30, "model.warmup_penalty": 0 });
    using client = await RawConnection.open(slow.port);
    client.write(`POST ${RAW} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${AUDIO.length}\r\n\r\n`);
    client.write(AUDIO);
    await waitUntil("a call of the model", async () => (await slow.info()).arena.used_slabs > 0);
    client[Symbol.dispose]();
    await waitUntil("the end of the session", () => slow.sessions === 0);
    const [stopped] = slow.logged("stream_stopped") as { reason: string; ledger: Record<string, number>[] }[];
    expect(stopped?.reason).toBe("vanished");
    const { received = 0, decoded = 0, inferred = 0, silent = 0, failed = 0 } = stopped?.ledger[0] ?? {};
    expect([decoded, received]).toEqual([inferred + silent + failed, AUDIO.length / 2]);
    expect(slow.logged("session_closed").at(-1)).toMatchObject({ reason: "vanished" });
  });

  test("of which a part fails is an error, in the words of its dialect", async () => {
    await using failing = await InProcessServer.start({ "model.failure_rate": 1 });
    expect(
      await openAiError(
        transcribe(
          [
            ["file", FILE],
            ["model", "x"],
          ],
          failing,
        ),
      ),
    ).toEqual([500, "inference_failed", "simulated failure"]);
    expect((await deepgramError(listen(AUDIO, RAW, failing))).slice(0, 2)).toEqual([500, "INTERNAL_SERVER_ERROR"]);
    await using dying = await InProcessServer.start({ "model.panic_rate": 1 });
    const response = await transcribe(
      [
        ["file", FILE],
        ["model", "x"],
      ],
      dying,
    );
    expect(response.headers.get("retry-after")).toBe("1");
    expect((await openAiError(response)).slice(0, 2)).toEqual([503, "worker_crashed"]);
    const hanging = { "model.delay": 60, "model.warmup_penalty": 0, "model.inference_timeout_ms": 100 };
    await using late = await InProcessServer.start(hanging);
    expect((await deepgramError(listen(AUDIO, RAW, late))).slice(0, 2)).toEqual([504, "GATEWAY_TIMEOUT"]);
  });

  test("that takes too long is 408", async () => {
    await using impatient = await InProcessServer.start({ ...words, "limits.upload_ms": 100 });
    using client = await RawConnection.open(impatient.port);
    client.write(`POST ${RAW} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nab`);
    expect(await client.response()).toMatchObject({ status: 408, body: expect.stringContaining("limits.upload_ms") });
    await impatient.waitUntilIdle();
  });

  test("is refused while models load, and while the server shuts down; one that has begun is answered", async () => {
    const loading = await InProcessServer.start(words, { load: false });
    expect((await openAiError(transcribe([["file", FILE]], loading))).slice(0, 2)).toEqual([503, "not_ready"]);
    await loading.load();
    using begun = await RawConnection.open(loading.port);
    begun.write(`POST ${RAW} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${AUDIO.length}\r\n\r\n`);
    begun.write(AUDIO.subarray(0, 40_000));
    await waitUntil("the stream", () => loading.logged("stream_started").length === 1);
    const response = new Response(
      form([
        ["file", FILE],
        ["model", "x"],
      ]),
    );
    const type = response.headers.get("content-type") ?? "";
    const kept = Buffer.from(await response.arrayBuffer());
    using waiting = await RawConnection.open(loading.port);
    waiting.write(
      `POST ${OPENAI} HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${type}\r\nContent-Length: ${kept.length}\r\n\r\n`,
    );
    waiting.write(kept.subarray(0, 60_000));
    await waitUntil("the form", () => loading.sessions === 2);
    const drained = loading.drain();
    expect((await deepgramError(listen(AUDIO, RAW, loading))).slice(0, 2)).toEqual([503, "SERVICE_UNAVAILABLE"]);
    begun.write(AUDIO.subarray(40_000));
    expect(await begun.response()).toMatchObject({ status: 200 });
    waiting.write(kept.subarray(60_000));
    expect(await waiting.response()).toMatchObject({ status: 200, body: expect.stringContaining(TEXT) });
    await drained;
    await loading[Symbol.asyncDispose]();
  });

  test("that is not complete when the shutdown has no more time is 503", async () => {
    await using stopping = await InProcessServer.start({ ...words, "limits.drain": "now" });
    using begun = await RawConnection.open(stopping.port);
    begun.write(`POST ${RAW} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${AUDIO.length}\r\n\r\n`);
    begun.write(AUDIO.subarray(0, 40_000));
    await waitUntil("the stream", () => stopping.logged("stream_started").length === 1);
    await stopping.drain();
    expect(await begun.response()).toMatchObject({ status: 503, body: expect.stringContaining("SERVICE_UNAVAILABLE") });
  });

  test("counts as a session of its client", async () => {
    await using one = await InProcessServer.start({ ...words, "limits.max_sessions": 1 });
    using first = await RawConnection.open(one.port);
    first.write(`POST ${RAW} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nab`);
    await waitUntil("the first upload", () => one.sessions === 1);
    expect((await openAiError(transcribe([["file", FILE]], one))).slice(0, 2)).toEqual([503, "overloaded"]);
    first.write("x".repeat(98));
    expect(await first.response()).toMatchObject({ status: 200 });
    await one.waitUntilIdle();
  });

  test("is not read while the model is behind, so that its client is held back", async () => {
    await using slow = await InProcessServer.start({
      "model.delay": 3_600,
      "model.warmup_penalty": 0,
      "limits.file_mb": 64,
    });
    const bytes = 48 * 1024 * 1024;
    const speechMinute = encode("s16", speech(Array.from({ length: 30 }, () => 1.5)));
    const body = Buffer.alloc(bytes, speechMinute);
    using client = await RawConnection.open(slow.port);
    client.write(`POST ${RAW} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${bytes}\r\n\r\n`);
    client.write(body);
    await waitUntil("the pause", async () => (await slow.metrics()).value("streamer_sessions_paused") === 1);
    expect((await slow.metrics()).value("streamer_inbox_bytes")).toBeLessThan(1024 * 1024);
    expect(slow.sessions).toBe(1);
  });

  test("ends when its client leaves while nothing is read", async () => {
    const settings = { "model.delay": 3_600, "model.warmup_penalty": 0, "limits.read_ahead_seconds": 1 };
    await using slow = await InProcessServer.start(settings);
    // What Bun does not take of it fits into the buffer of the kernel, and in front of the end of the connection.
    const body = Buffer.alloc(1_500_000, encode("s16", speech(Array.from({ length: 20 }, () => 1.5))));
    using client = await RawConnection.open(slow.port);
    client.write(`POST ${RAW} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n`);
    client.write(body);
    await waitUntil("the pause", async () => (await slow.metrics()).value("streamer_sessions_paused") === 1);
    client[Symbol.dispose]();
    await waitUntil("the end of the session", () => slow.sessions === 0);
    expect(slow.logged("session_closed").at(-1)).toMatchObject({ reason: "vanished" });
  });

  test("leaves its connection as it was, also when the answer comes before the end of the body", async () => {
    using client = await RawConnection.open(server.port);
    for (const body of [AUDIO, Buffer.concat([Buffer.from("OggS"), AUDIO])]) {
      client.write(`POST ${RAW} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n`);
      client.write(body);
      expect(await client.response()).toMatchObject({ status: body === AUDIO ? 200 : 415 });
    }
    client.write(`GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    expect(await client.response()).toMatchObject({ status: 200 });
  });

  test("may come after Expect: 100-continue", async () => {
    using client = await RawConnection.open(server.port);
    client.write(
      `POST ${RAW} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${AUDIO.length}\r\nExpect: 100-continue\r\n\r\n`,
    );
    expect(await client.response()).toMatchObject({ status: 100 });
    client.write(AUDIO);
    expect(await client.response()).toMatchObject({ status: 200 });
  });
});

describe("with tokens", () => {
  const token = newToken();
  let folder = "";
  let guarded: InProcessServer;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "streamer-files-"));
    const file = join(folder, "tokens");
    const hash = hashToken(token).toString("hex");
    await writeFile(file, `${formatTokenLine({ name: "client", hash, admin: false })}\n`, { mode: 0o600 });
    guarded = await InProcessServer.start({ ...words, "auth.tokens": file });
  });

  afterAll(async () => {
    await guarded[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  test("an upload without one is refused before its body is looked at", async () => {
    const response = await transcribe([["nothing", "that counts"]], guarded);
    expect(response.headers.get("www-authenticate")).toBe("Bearer");
    expect((await openAiError(response)).slice(0, 2)).toEqual([401, "invalid_api_key"]);
    const wrong = await deepgramError(listen(FILE, DEEPGRAM, guarded, { authorization: `Token ${newToken()}` }));
    expect(wrong.slice(0, 2)).toEqual([401, "INVALID_AUTH"]);
  });

  test("an upload shows it as the service's clients do, and has its name", async () => {
    const bearer = { authorization: `Bearer ${token}` };
    expect(
      (
        await transcribe(
          [
            ["file", FILE],
            ["model", "x"],
          ],
          guarded,
          bearer,
        )
      ).status,
    ).toBe(200);
    expect((await listen(FILE, DEEPGRAM, guarded, { authorization: `Token ${token}` })).status).toBe(200);
    expect(guarded.logged("session_opened").at(-1)).toMatchObject({ caller: "client" });
    expect(JSON.stringify(guarded.log)).not.toContain(token);
  });
});

test("pages of other origins may not upload; those that are allowed may read the answer", async () => {
  await using open = await InProcessServer.start({ ...words, "server.allowed_origins": "https://app.example" });
  const allowed = await transcribe([["file", FILE]], open, { origin: "https://app.example" });
  expect([allowed.status, allowed.headers.get("access-control-allow-origin")]).toEqual([200, "https://app.example"]);
  const foreign = await openAiError(transcribe([["file", FILE]], open, { origin: "https://other.example" }));
  expect(foreign.slice(0, 2)).toEqual([403, "origin_not_allowed"]);
});

test("other methods get 405, and the front page and info list where files are sent", async () => {
  for (const [path, method, allow] of [
    [OPENAI, "GET", "POST, OPTIONS"],
    [OPENAI, "PUT", "POST, OPTIONS"],
    [DEEPGRAM, "PUT", "GET, HEAD, POST, OPTIONS"],
  ] as const) {
    const response = await server.fetch(path, { method });
    expect([path, response.status, response.headers.get("allow")]).toEqual([path, 405, allow]);
    const options = await server.fetch(path, { method: "OPTIONS" });
    expect([options.status, options.headers.get("allow")]).toEqual([204, allow]);
  }
  expect(await (await server.fetch("/")).text()).toContain(`openai  POST ${server.url}${OPENAI}`);
  const { dialects } = (await (await server.fetch("/api/v1/info")).json()) as { dialects: Record<string, unknown>[] };
  expect(dialects.find(({ name }) => name === "deepgram")).toMatchObject({
    files: [DEEPGRAM],
    file_urls: [server.url + DEEPGRAM],
  });
  await using native = await InProcessServer.start({ "dialects.enabled": "streamer" });
  expect((await listen(FILE, DEEPGRAM, native)).status).toBe(404);
});
