import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { ErrorEvent } from "../../src/protocol/events.ts";
import { encode, speech, wav } from "../support/audio.ts";
import { InProcessServer, type Settings, sharedServer } from "../support/in-process-server.ts";
import { modelPath } from "../support/pool-harness.ts";
import { python } from "../support/python.ts";
import { S16_MONO } from "../support/requests.ts";
import { testWith } from "../support/requirements.ts";
import type { WebSocketClient } from "../support/websocket-client.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const folder = mkdtempSync(join(tmpdir(), "streamer-resume-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function keys(name: string, ...bytes: readonly number[]): string {
  const path = join(folder, name);
  writeFileSync(path, bytes.map((byte) => `key${byte} ${Buffer.alloc(32, byte).toString("base64")}\n`).join(""));
  return path;
}

const RESUMES: Settings = { "auth.secret_file": keys("keys", 1), "limits.resume_ms": 60_000, "simple.block_ms": 100 };
const server = await sharedServer(RESUMES);
const SPEECH = encode("s16", speech([0.5, 0.6, 0.4]));
const SECOND = 32_000;

/** Streams so many seconds to the pattern simple, and waits for a checkpoint behind the first one. */
async function checkpointAfter(client: WebSocketClient, seconds: number, fields: object = {}) {
  client.start(fields);
  const { features } = await client.nextEvent("started");
  expect(features).toContain("resume");
  for (let at = 0; at < seconds * SECOND; at += 3200) await client.sendAudio(SPEECH.subarray(at, at + 3200));
  return await client.nextEvent("checkpoint", ({ position }) => position > 0);
}

/** A checkpoint of a stream whose client has gone. Checkpoints are a second apart: it serves several tests. */
const SHARED = await (async () => {
  using client = await server.connect({ path: "/api/v1/simple" });
  return await checkpointAfter(client, 3);
})();

async function refusal(client: WebSocketClient, token: string, fields: object = {}): Promise<ErrorEvent> {
  client.start({ resume: { token }, ...fields });
  return await client.nextEvent("error");
}

describe("resume", () => {
  test("goes on behind a checkpoint: times, stream, results and ledger are those of one stream", async () => {
    using first = await server.connect({ path: "/api/v1/simple" });
    // The stream that is resumed is the second one of its connection.
    await first.sendStream(SPEECH.subarray(0, 3200));
    const { token, position } = await checkpointAfter(first, 3);
    expect(position % 16_000).toBe(0);
    using second = await server.connect({ path: "/api/v1/simple" });
    second.start({ resume: { token } });
    expect((await second.nextEvent("started")).stream).toBe(1);
    await second.sendAudio(SPEECH.subarray(position * 2, 4 * SECOND));
    second.stop();
    const { channels } = await second.nextEvent("stopped");
    expect(channels[0]).toMatchObject({ received: 64_000, decoded: 64_000, inferred: 64_000, segments: 40, errors: 0 });
    expect(second.eventsOf("segment")[0]?.start_time).toBeGreaterThanOrEqual(position / 16_000);
    expect(second.eventsOf("segment").at(-1)?.end_time).toBe(4);
    second.start();
    expect((await second.nextEvent("started")).stream).toBe(2);
  });

  test("closes the old connection of the same process with 1008 resumed", async () => {
    using first = await server.connect({ path: "/api/v1/simple" });
    const { token, position } = await checkpointAfter(first, 3);
    using second = await server.connect({ path: "/api/v1/simple" });
    second.start({ resume: { token } });
    await second.nextEvent("started");
    expect(await first.waitForClose()).toEqual({ code: 1008, reason: "resumed" });
    expect(first.eventsOf("error").at(-1)).toMatchObject({ code: "resumed", fatal: true });
    expect(first.events.at(-1)?.type).toBe("stopped");
    // The token may be used again within its life, on the same connection, too.
    second.start({ resume: { token } });
    await second.nextEvent("stopped", ({ reason }) => reason === "restart");
    await second.sendAudio(SPEECH.subarray(position * 2, 3 * SECOND));
    expect((await second.nextEvent("started")).stream).toBe(0);
    second.stop();
    expect((await second.nextEvent("stopped")).channels[0]).toMatchObject({ received: 48_000, inferred: 48_000 });
  });

  test("that stops before the frames of the checkpoint have come again gets errors for what is missing", async () => {
    const { token, position } = SHARED;
    using second = await server.connect({ path: "/api/v1/simple" });
    second.start({ resume: { token } });
    second.stop();
    const { channels } = await second.nextEvent("stopped");
    const { received, decoded, inferred, silent, failed } = channels[0]!;
    expect(received).toBeGreaterThanOrEqual(position);
    expect(decoded).toBe(inferred + silent + failed);
  });

  test("of a stream with another format, model, path or settings is refused by name, and the connection stays open", async () => {
    const { token } = SHARED;
    using second = await server.connect({ path: "/api/v1/simple" });
    const words = (part: string) =>
      `resume.token: found a token of a stream with another ${part}; allowed: the start that it belongs to`;
    const common = { code: "invalid_request", fatal: false, param: "resume.token" };
    const format = { ...S16_MONO, channels: 2 };
    expect(await refusal(second, token, { format })).toMatchObject({ ...common, message: words("format") });
    expect(await refusal(second, token, { timing: true })).toMatchObject({ ...common, message: words("settings") });
    using other = await server.connect({ path: "/api/v1/segmented" });
    expect(await refusal(other, token)).toMatchObject({ ...common, message: words("pattern") });
    second.start({ resume: { token } });
    await second.nextEvent("started");
  });

  test("with a token that is damaged, of another caller or of another deployment is refused in the same words", async () => {
    const { token } = SHARED;
    const admit = () => ({ id: "somebody else", address: "", limits: { maxSessions: 0 } });
    await using foreign = await InProcessServer.start({ ...RESUMES, "auth.secret_file": keys("foreign", 2) });
    await using elsewhere = await InProcessServer.start(RESUMES, { admit });
    const messages = new Set<string>();
    for (const [place, used] of [
      [server, `${token.slice(0, 60)}${token[60] === "A" ? "B" : "A"}${token.slice(61)}`],
      [server, "nonsense"],
      [foreign, token],
      [elsewhere, token],
    ] as const) {
      using client = await place.connect({ path: "/api/v1/simple" });
      const { code, fatal, param, message } = await refusal(client, used);
      expect({ code, fatal, param }).toEqual({ code: "invalid_request", fatal: false, param: "resume.token" });
      messages.add(message);
    }
    expect([...messages]).toEqual([
      "resume.token: found a token that is not valid; allowed: that of a checkpoint which a server of this deployment has sent to you",
    ]);
  });

  test("with a token that has expired is refused", async () => {
    await using short = await InProcessServer.start({ ...RESUMES, "limits.resume_ms": 1 });
    using client = await short.connect({ path: "/api/v1/simple" });
    const { token } = await checkpointAfter(client, 3);
    await Bun.sleep(5);
    expect((await refusal(client, token)).message).toMatch(
      /^resume\.token: found a token that expired \d+ s ago; allowed: one that is used within 1 ms$/,
    );
  });

  test("works with any key of the file, and new tokens have the first one", async () => {
    await using rotated = await InProcessServer.start({ ...RESUMES, "auth.secret_file": keys("rotated", 3, 1) });
    const { token } = SHARED;
    using second = await rotated.connect({ path: "/api/v1/simple" });
    second.start({ resume: { token } });
    await second.nextEvent("started");
    using third = await rotated.connect({ path: "/api/v1/simple" });
    const fresh = await checkpointAfter(third, 3);
    using fourth = await server.connect({ path: "/api/v1/simple" });
    expect((await refusal(fourth, fresh.token)).message).toContain("is not valid");
  });

  test("is off without both settings: no feature, no checkpoint, and the field is refused", async () => {
    for (const settings of [{}, { "limits.resume_ms": 1000 }, { "auth.secret_file": keys("unused", 1) }]) {
      await using off = await InProcessServer.start(settings);
      using client = await off.connect({ path: "/api/v1/simple" });
      client.start();
      expect((await client.nextEvent("started")).features).not.toContain("resume");
      expect(await refusal(client, "token")).toMatchObject({ code: "invalid_request", param: "resume", fatal: false });
      expect(off.log.some(({ message }) => String(message).includes("limits.resume_ms is 1000"))).toBe(
        "limits.resume_ms" in settings,
      );
    }
  });

  test("needs a file of keys that can be read, else the server does not start and names the setting", () => {
    const start = (path: string) => InProcessServer.start({ "auth.secret_file": path });
    expect(start(join(folder, "none"))).rejects.toThrow(/^auth\.secret_file: ENOENT/);
    writeFileSync(join(folder, "wrong"), "key short\n");
    expect(start(join(folder, "wrong"))).rejects.toThrow(/^auth\.secret_file: .*wrong:1: secret: found/);
    writeFileSync(join(folder, "large"), "#".repeat(70_000));
    expect(start(join(folder, "large"))).rejects.toThrow("found more than 65536 bytes");
  });
});

describe("a model with state", () => {
  const stateful: Settings = { ...RESUMES, "model.name": modelPath("keeping"), "model.workers": 1 };

  /** Streams to one server, and resumes the stream at another one. Returns the second client. */
  async function resumed(options: object, from = stateful, to = from): Promise<WebSocketClient> {
    await using origin = await InProcessServer.start(from);
    const path = "/api/v1/stateful";
    const fields = { options };
    using first = await origin.connect({ path });
    const { token, position } = await checkpointAfter(first, 3, fields);
    await using goal = await InProcessServer.start(to);
    using second = await goal.connect({ path });
    second.start({ resume: { token }, ...fields });
    await second.nextEvent("started");
    await second.sendAudio(SPEECH.subarray(position * 2, 4 * SECOND));
    second.stop();
    await second.nextEvent("stopped");
    return second;
  }

  test("goes on with it if it is plain data", async () => {
    const client = await resumed({ kind: "plain" });
    expect(client.eventsOf("warning").map(({ code }) => code)).not.toContain("state_lost");
    expect(client.eventsOf("segment").at(-1)).toMatchObject({ block: 39 });
    expect(client.eventsOf("data")).toMatchObject([{ blocks: 40 }]);
  });

  test("begins anew if it is not, with a warning state_lost behind started", async () => {
    expectLost(await resumed({ kind: "shared" }));
  });

  const isolated: Settings = { ...stateful, "model.isolation": "process" };
  test.each([
    ["from a process to a process", isolated, isolated],
    ["from a thread to a process", stateful, isolated],
    ["from a process to a thread", isolated, stateful],
  ])("begins anew %s, with a warning state_lost", async (_way, from, to) => {
    expectLost(await resumed({ kind: "plain" }, from, to));
  });

  const methods = "step() { return { block: this.blocks++ }; } finish() { return { blocks: this.blocks }; } close() {}";
  const pinned: Settings = { ...stateful, "model.name": join(folder, "pinned.ts") };
  writeFileSync(
    join(folder, "pinned.ts"),
    `class Stream { blocks = 0; ${methods} }
    export default { name: "keeping", load: () => ({ open: () => new Stream() }) };`,
  );

  test("begins anew if its streams are pinned to a worker, with a warning state_lost", async () => {
    expectLost(await resumed({}, pinned));
  });

  test("whose streams are pinned is not resumed where its steps have another length", async () => {
    await using origin = await InProcessServer.start(pinned);
    using first = await origin.connect({ path: "/api/v1/segmented" });
    const { token } = await checkpointAfter(first, 3);
    await using goal = await InProcessServer.start({ ...pinned, "model.step_ms": 200 });
    using second = await goal.connect({ path: "/api/v1/segmented" });
    expect((await refusal(second, token)).message).toContain("found a token of a stream with another settings");
    using third = await origin.connect({ path: "/api/v1/segmented" });
    third.start({ resume: { token } });
    await third.nextEvent("started");
  });

  testWith(python)("that is bytes of a client never gets to Python, where they could be a program", async () => {
    const [onThread, inPython] = [join(folder, "keeper.ts"), join(folder, "keeper.py")];
    const state = "new TextEncoder().encode(options?.bytes ?? '')";
    writeFileSync(
      onThread,
      `export default {
        name: "keeper", stateful: true,
        load: () => ({ start: ({ options }) => ${state}, step: (_audio, state) => [{}, state] }),
      };`,
    );
    writeFileSync(
      inPython,
      `
name = "keeper"
class Model:
    def start(self, call): return 0
    def step(self, audio, state, call): return {"block": state}, state + 1
`,
    );
    const made = join(folder, "made");
    const from = { ...stateful, "model.name": onThread };
    const to = { ...stateful, "model.name": inPython, "model.python": python! };
    expectLost(await resumed({ bytes: `cposix\nsystem\n(S'touch ${made}'\ntR.` }, from, to));
    expect(existsSync(made)).toBe(false);
  });

  test("that is too large gives no checkpoint, and one warning not_resumable", async () => {
    await using place = await InProcessServer.start(stateful);
    using client = await place.connect({ path: "/api/v1/stateful" });
    client.start({ options: { kind: "large" } });
    await client.sendAudio(SPEECH.subarray(0, 3 * SECOND));
    expect(await client.nextEvent("warning")).toMatchObject({ code: "not_resumable" });
    await client.sendAudio(SPEECH.subarray(0, 3 * SECOND));
    client.stop();
    await client.nextEvent("stopped");
    expect(client.eventsOf("checkpoint")).toEqual([]);
    expect(client.eventsOf("warning")).toHaveLength(1);
  });
});

/** The model has begun anew, and the account of the stream has no gap. */
function expectLost(client: WebSocketClient): void {
  expect(client.events.slice(0, 2)).toMatchObject([{ type: "started" }, { type: "warning", code: "state_lost" }]);
  expect(client.eventsOf("segment")[0]).toMatchObject({ block: 0 });
  expect(client.eventsOf("stopped")[0]?.channels[0]).toMatchObject({ received: 64_000, inferred: 64_000, failed: 0 });
}

test("a stream with a WAV header has no checkpoints, and a warning says why", async () => {
  using client = await server.connect({ path: "/api/v1/simple" });
  client.start();
  await client.sendAudio(wav(S16_MONO, SPEECH.subarray(0, 3 * SECOND)));
  const { message } = await client.nextEvent("warning", ({ code }) => code === "not_resumable");
  expect(message).toContain("began with a WAV header");
  client.stop();
  await client.nextEvent("stopped");
  expect(client.eventsOf("checkpoint")).toEqual([]);
});
