// Phone calls on the wire, and those who watch them.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { formatTokenLine } from "../../src/auth/token-line.ts";
import { hashToken, newToken } from "../../src/auth/token.ts";
import type { ServerEvent } from "../../src/protocol/events.ts";
import { encode, speech } from "../support/audio.ts";
import { AsteriskClient, audioSocketMessage, TwilioClient, WatchClient, writeAudio } from "../support/call-clients.ts";
import { InProcessServer, type Settings, sharedServer } from "../support/in-process-server.ts";
import { freePort } from "../support/proxies.ts";
import { handshake, tcp } from "../support/raw-connection.ts";
import { waitUntil } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const RATE = 8_000;
const MULAW = encode("mulaw", speech([1.2, 1], { rate: RATE }));
const S16 = encode("s16", speech([1.2, 1], { rate: RATE }));
const UUID = "40325ec2-5efd-4bd3-805f-53576e581d13";
const audiosocketPort = await freePort();
const server = await sharedServer({
  "model.name": join(import.meta.dir, "../support/models/words.ts"),
  "audiosocket.port": audiosocketPort,
});
const UPGRADE = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
};

/** A call, from its begin to its end. */
async function playTwilio(of: InProcessServer, path?: string, callSid?: string): Promise<void> {
  using phone = await TwilioClient.connect(of.url, path, callSid);
  phone.start();
  phone.media(MULAW);
  phone.stop();
  expect(await phone.end()).toMatchObject({ code: 1000 });
}

/** The finals, which depend on the audio alone. */
function finals(events: readonly ServerEvent[]): unknown[] {
  return events.filter(({ type }) => type === "segment").map((event) => ({ ...event, asked: undefined }));
}

/** The finals of the same audio over the native protocol. */
async function nativeFinals(bytes: Uint8Array, format: object): Promise<unknown[]> {
  const client = await server.connect();
  client.start({ format });
  await client.sendAudio(bytes);
  client.stop({ disconnect: true });
  await client.waitForClose();
  return finals(client.events);
}

describe("a call of Twilio Media Streams", () => {
  test("has its results at those who watch it, the same as over the native protocol, and its ledger in the log", async () => {
    using watcher = await WatchClient.connect(server.url);
    using phone = await TwilioClient.connect(server.url, "/twilio", "CA1");
    phone.start({ parameters: { customer: "42", language: "en" } });
    phone.media(MULAW);
    phone.dtmf("5");
    phone.stop();
    expect(await phone.end()).toEqual({ code: 1000, reason: "" });
    await watcher.until("the end of the call", () => watcher.ended === 1);
    expect(watcher.messages.slice(0, 2)).toMatchObject([
      { type: "watching", call: null },
      {
        type: "call",
        call: "CA1",
        dialect: "twilio",
        joined: false,
        parameters: { customer: "42", language: "en" },
      },
    ]);
    expect(watcher.texts).toEqual(["turn left here", "turn left here"]);
    expect(watcher.events()[0]).toMatchObject({ type: "started", format: { encoding: "mulaw", sample_rate: RATE } });
    expect(watcher.events().at(-1)).toMatchObject({ type: "stopped", reason: "stop" });
    expect(watcher.messages.at(-1)).toMatchObject({ type: "call_ended", call: "CA1", reason: "stop" });
    const format = { channels: 1, sample_rate: RATE, bit_depth: 8, is_float: false, encoding: "mulaw" };
    expect(finals(watcher.events())).toEqual(await nativeFinals(MULAW, format));
    expect(server.logged("session_opened").map(({ dialect }) => dialect)).toContain("twilio");
    expect(server.logged("stream_stopped").at(0)).toMatchObject({
      ledger: [{ received: MULAW.length, failed: 0, segments: 2 }],
    });
  });

  test("that is cut off without a stop is recognised to its end all the same", async () => {
    using watcher = await WatchClient.connect(server.url, "?call=CA-cut");
    const phone = await TwilioClient.connect(server.url, "/twilio", "CA-cut");
    phone.start();
    phone.media(MULAW);
    phone.close();
    await watcher.until("the end of the call", () => watcher.ended === 1);
    expect(watcher.texts).toEqual(["turn left here", "turn left here"]);
    expect(watcher.events().at(-1)).toMatchObject({ type: "stopped", reason: "stop" });
  });

  test("counts the audio of one track: that of the person on the telephone, if there are two", async () => {
    using watcher = await WatchClient.connect(server.url, "?call=CA-two");
    using phone = await TwilioClient.connect(server.url, "/twilio", "CA-two");
    phone.start({ tracks: ["inbound", "outbound"] });
    for (let at = 0; at < MULAW.length; at += 800) {
      phone.media(MULAW.subarray(at, at + 800), "inbound");
      phone.media(MULAW.subarray(0, 800), "outbound");
    }
    phone.stop();
    await watcher.until("the end of the call", () => watcher.ended === 1);
    expect(watcher.events().at(-1)).toMatchObject({ channels: [{ received: MULAW.length }] });
  });

  test("that sends rubbish ends with 1008, and who watches it gets the reason", async () => {
    for (const [rubbish, code, name] of [
      ["no JSON", "invalid_json", "CA-json"],
      ['{"event":"media","media":{"payload":"*"}}', "invalid_request", "CA-base64"],
      [new Uint8Array(3), "invalid_request", "CA-binary"],
    ] as const) {
      using watcher = await WatchClient.connect(server.url, `?call=${name}`);
      using phone = await TwilioClient.connect(server.url, "/twilio", name);
      phone.start();
      phone.send('{"event":"of a later version","anything":[1]}');
      phone.media(MULAW.subarray(0, 4_000));
      phone.send(rubbish);
      expect(await phone.end()).toEqual({ code: 1008, reason: code });
      await watcher.until("the end of the call", () => watcher.ended === 1);
      expect(watcher.events()).toContainEqual(expect.objectContaining({ type: "error", code }));
      expect(watcher.events().at(-1)).toMatchObject({ type: "stopped", channels: [{ received: 4_000 }] });
    }
  });
});

describe("a call of Asterisk", () => {
  test("over a WebSocket begins with MEDIA_START and ends with the close; its dialplan names it", async () => {
    using watcher = await WatchClient.connect(server.url);
    const channel = await AsteriskClient.connect(server.url, "?call=1764194400.6&language=en");
    expect(channel.protocol).toBe("media");
    channel.start();
    channel.audio(MULAW);
    channel.send("DTMF_END digit:5 channel_id:1764194400.7");
    channel.close();
    await watcher.until("the end of the call", () => watcher.ended === 1);
    expect(watcher.messages[1]).toMatchObject({
      call: "1764194400.6",
      dialect: "asterisk",
      parameters: { channel_id: "1764194400.7", connection_id: "streamer" },
    });
    expect(watcher.texts).toEqual(["turn left here", "turn left here"]);
  });

  test("over a WebSocket is refused with a codec that is no PCM, in a message that names those that are", async () => {
    using watcher = await WatchClient.connect(server.url);
    using channel = await AsteriskClient.connect(server.url);
    channel.start("opus");
    expect(await channel.end()).toEqual({ code: 1008, reason: "unsupported_format" });
    await watcher.until("the end of the call", () => watcher.ended === 1);
    const [refusal] = watcher.events();
    expect(refusal).toMatchObject({ type: "error", code: "unsupported_format", param: "format" });
    expect(String((refusal as { message: string }).message)).toContain('found "opus"; allowed: ulaw, alaw, slin,');
  });

  test("over AudioSocket has its UUID as name, and ends with a hang-up or with the connection", async () => {
    for (const ends of [true, false]) {
      using watcher = await WatchClient.connect(server.url, `?call=${UUID}`);
      const socket = await tcp(audiosocketPort);
      socket.write(audioSocketMessage(0x01, Buffer.from(UUID.replaceAll("-", ""), "hex")));
      writeAudio(socket, S16);
      socket.write(audioSocketMessage(0x03, Buffer.from("5")));
      if (ends) socket.write(audioSocketMessage(0x00));
      else socket.end();
      await watcher.until("the end of the call", () => watcher.ended === 1);
      expect(watcher.texts).toEqual(["turn left here", "turn left here"]);
      expect(watcher.events().at(-1)).toMatchObject({ type: "stopped", reason: "stop", channels: [{ failed: 0 }] });
      socket.destroy();
    }
  });

  test("over AudioSocket ends at bytes that are no message", async () => {
    const socket = await tcp(audiosocketPort);
    const ended = Promise.withResolvers<void>();
    socket.on("end", ended.resolve).on("close", ended.resolve).on("error", ended.resolve).resume();
    socket.write("GET / HTTP/1.1\r\n\r\n");
    await ended.promise;
    socket.destroy();
  });
});

describe("those who watch calls", () => {
  test("and come late get the calls that are open, and what follows", async () => {
    using phone = await TwilioClient.connect(server.url, "/twilio", "CA-late");
    using first = await WatchClient.connect(server.url, "?call=CA-late");
    phone.start();
    await first.until("the stream", () => first.events().length > 0);
    using late = await WatchClient.connect(server.url, "?call=CA-late");
    phone.media(MULAW);
    phone.stop();
    await late.until("the end of the call", () => late.ended === 1);
    expect(late.messages.slice(0, 3)).toMatchObject([
      { type: "watching", call: "CA-late" },
      { type: "call", joined: true },
      { type: "call_event", event: { type: "started" } },
    ]);
    expect(late.texts).toEqual(["turn left here", "turn left here"]);
    expect(first.texts).toEqual(late.texts);
  });

  test("get interim results if the call asks for them", async () => {
    using watcher = await WatchClient.connect(server.url, "?call=CA-interim");
    using phone = await TwilioClient.connect(server.url, "/twilio", "CA-interim");
    phone.start({ parameters: { interim_results: "true" } });
    // In the middle of the first word.
    phone.media(MULAW.subarray(0, 1.9 * RATE));
    const isInterim = (event: ServerEvent): boolean => event.type === "segment" && event.is_final === false;
    await watcher.until("an interim result", () => watcher.events().some(isInterim));
  });

  test("can stay open with keep_alive, and get an error for anything else", async () => {
    using watcher = await WatchClient.connect(server.url);
    watcher.send('{"request":"keep_alive"}');
    watcher.send('{"request":"stop"}');
    watcher.send(new Uint8Array(2));
    await watcher.until("two errors", () => watcher.own.length === 2);
    expect(watcher.own).toMatchObject([
      { type: "error", code: "invalid_request", fatal: false },
      { type: "error", code: "invalid_request", fatal: false },
    ]);
    expect(watcher.closed).toBeUndefined();
  });

  test("see only calls of their own principal; tickets and tokens stand in Twilio's path", async () => {
    const folder = await mkdtemp(join(tmpdir(), "streamer-calls-"));
    try {
      const tokens = { alice: newToken(), bob: newToken() };
      const lines = Object.entries(tokens).map(([name, token]) =>
        formatTokenLine({ name, hash: hashToken(token).toString("hex"), admin: false }),
      );
      await writeFile(join(folder, "tokens"), lines.join("\n"), { mode: 0o600 });
      await using own = await InProcessServer.start({
        "model.name": join(import.meta.dir, "../support/models/words.ts"),
        "auth.tokens": join(folder, "tokens"),
        "auth.query_tokens": "accept",
      });
      const bearer = (name: keyof typeof tokens) => ({ authorization: `Bearer ${tokens[name]}` });
      using alice = await WatchClient.connect(own.url, "", bearer("alice"));
      using bob = await WatchClient.connect(own.url, "", bearer("bob"));
      await playTwilio(own, `/twilio/${tokens.alice}`, "CA-alice");
      const issued = await own.fetch("/api/v1/tickets", { method: "POST", headers: bearer("bob") });
      const { ticket } = (await issued.json()) as { ticket: string };
      await playTwilio(own, `/twilio/ticket.${ticket}`, "CA-bob");
      const basic = { authorization: `Basic ${Buffer.from(`asterisk:${tokens.bob}`).toString("base64")}` };
      const channel = await AsteriskClient.connect(own.url, "?call=channel", basic);
      channel.start();
      channel.audio(MULAW);
      channel.close();
      await bob.until("the ends of the calls", () => bob.ended === 2);
      const callsOf = (watcher: WatchClient) => [...new Set(watcher.messages.slice(1).map((each) => each.call))];
      expect([callsOf(alice), callsOf(bob)]).toEqual([["CA-alice"], ["CA-bob", "channel"]]);
      for (const path of ["/twilio", "/twilio/wrong", `/twilio/ticket.${ticket}`, "/asterisk", "/api/v1/calls"]) {
        expect([path, (await own.fetch(path, { headers: UPGRADE })).status]).toEqual([path, 401]);
      }
      expect(JSON.stringify(own.log)).not.toContain(tokens.alice);
      expect(JSON.stringify(own.log)).not.toContain(ticket);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("see, without tokens, the calls of their own address", async () => {
    using watcher = await WatchClient.connect(server.url, "?call=CA-elsewhere");
    using phone = await server.connect({ path: "/twilio", from: "127.0.0.2" });
    const mediaFormat = { encoding: "audio/x-mulaw", sampleRate: RATE, channels: 1 };
    phone.sendText({ event: "start", start: { callSid: "CA-elsewhere", mediaFormat } });
    await watcher.until("the call, since all of the machine is one", () => watcher.messages.length > 1);
  });

  test("are at most as many as the limits allow", async () => {
    const limits: Settings = { "limits.max_watchers": 3, "limits.max_watchers_per_caller": 2 };
    await using own = await InProcessServer.start(limits);
    using first = await WatchClient.connect(own.url);
    using _second = await WatchClient.connect(own.url, "?call=a");
    const refused = await own.fetch("/api/v1/calls", { headers: UPGRADE });
    expect([refused.status, await refused.json()]).toMatchObject([429, { code: "too_many_sessions" }]);
    first.close();
    await waitUntil("the place", () => own.sessions === 1);
    using _third = await WatchClient.connect(own.url);
  });

  test("and do not read are ended, and the calls go on", async () => {
    await using own = await InProcessServer.start({
      "limits.outbox_bytes": 4_096,
      "limits.slow_reader_ms": 300_000,
    });
    const socket = await tcp(own.port);
    socket.write(handshake(own.port, {}, "GET /api/v1/calls HTTP/1.1"));
    await waitUntil("the slow one", () => own.sessions === 1);
    socket.pause();
    using good = await WatchClient.connect(own.url);
    using phone = await TwilioClient.connect(own.url, "/twilio", "CA-goes-on");
    phone.start();
    // Much is to be told about each call, so that what the kernel takes is soon full.
    const parameters = Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`p${n}`, "x".repeat(1_000)]));
    const isEnded = (): boolean => own.logged("session_closed").some(({ reason }) => reason === "slow_reader");
    for (let n = 0; n < 2_000 && !isEnded(); n++) {
      using other = await TwilioClient.connect(own.url);
      other.start({ parameters });
      other.stop();
      await other.end();
    }
    phone.media(MULAW);
    phone.stop();
    await good.until("the end of the call", () =>
      good.messages.some((each) => each.type === "call_ended" && each.call === "CA-goes-on"),
    );
    expect(isEnded()).toBeTrue();
    expect(good.events("CA-goes-on").at(-1)).toMatchObject({ type: "stopped", channels: [{ failed: 0, segments: 2 }] });
    socket.destroy();
  });

  test("stay through a shutdown until the last call has ended", async () => {
    await using own = await InProcessServer.start({ "limits.drain_timeout_ms": 60_000 });
    using watcher = await WatchClient.connect(own.url);
    using phone = await TwilioClient.connect(own.url);
    phone.start();
    phone.media(MULAW.subarray(0, MULAW.length / 2));
    await watcher.until("the stream", () => watcher.events().length > 0);
    const drained = own.drain();
    await watcher.until("the warning", () => watcher.own.length === 1);
    phone.media(MULAW.subarray(MULAW.length / 2));
    phone.stop();
    await drained;
    expect(watcher.own).toMatchObject([{ type: "warning", code: "draining" }]);
    expect(watcher.messages.at(-1)).toMatchObject({ type: "call_ended", reason: "stop" });
    expect(await watcher.end()).toEqual({ code: 1001, reason: "draining" });
  });

  test("get the results of a call that a shutdown ends, before they are closed", async () => {
    await using own = await InProcessServer.start({ "limits.drain": "now" });
    using watcher = await WatchClient.connect(own.url);
    using phone = await TwilioClient.connect(own.url);
    phone.start();
    phone.media(MULAW);
    await watcher.until("a result", () => watcher.events().some(({ type }) => type === "segment"));
    await own.drain();
    expect(watcher.events().at(-1)).toMatchObject({ type: "stopped", reason: "drain" });
    expect(watcher.messages.at(-1)).toMatchObject({ type: "call_ended", reason: "drain" });
    expect([await phone.end(), await watcher.end()]).toMatchObject([{ code: 1001 }, { code: 1001 }]);
  });
});
