// The package for JavaScript in a page without a bundler, with a microphone that hears a file.

import { afterAll, describe, expect, setDefaultTimeout } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Segment } from "../../../src/protocol/events.ts";
import { CHROMIUM, type OpenedPage, TestBrowser } from "../../support/browser.ts";
import { installedClient } from "../../support/client-package.ts";
import { CuttingProxy } from "../../support/cutting-proxy.ts";
import { root } from "../../support/documents.ts";
import { parseEvents, sharedExecutable } from "../../support/executable.ts";
import type { Settings } from "../../support/in-process-server.ts";
import { testWith } from "../../support/requirements.ts";
import { waitUntil } from "../../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const run = testWith(CHROMIUM);
const executable = await sharedExecutable();
const folder = await installedClient();
const files = await mkdtemp(join(tmpdir(), "streamer-client-"));
afterAll(() => rm(files, { recursive: true }));

const RECORDING = join(root, "tests", "data", "two-speakers-48k.wav");
const secret = join(files, "keys");
await writeFile(secret, `key ${Buffer.alloc(32, 1).toString("base64")}\n`, { mode: 0o600 });
const tokens = join(files, "tokens");
const token = (await executable.run(["token", "new", "somebody", "--file", tokens])).out.trim();
const SETTINGS: Settings = {
  "model.workers": 2,
  "model.delay": 0,
  "model.constant_factor": 0,
  "auth.secret_file": secret,
  "limits.resume_ms": 60_000,
};
const server = await executable.serve(SETTINGS);
const STREAM = `ws://127.0.0.1:${server.port}/api/v1/segmented`;

/** Imports are those of the package, by an import map: nothing is bundled. */
const PAGE = `<!doctype html><title>page</title><button id="stop">Stop</button>
<script type="importmap">{"imports": {
  "streamer-client": "/package/dist/index.js",
  "streamer-client/wav": "/package/dist/wav.js",
  "streamer-client/microphone": "/package/dist/microphone.js"
}}</script>`;
/** A policy that forbids \`blob:\`. */
const POLICY = "script-src 'self' 'unsafe-inline' 'unsafe-eval'";

const pages = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  async fetch(request) {
    const { pathname } = new URL(request.url);
    const html = { "Content-Type": "text/html" };
    if (pathname === "/favicon.ico") return new Response(null, { status: 204 });
    if (pathname === "/") return new Response(PAGE, { headers: html });
    if (pathname === "/strict") return new Response(PAGE, { headers: { ...html, "Content-Security-Policy": POLICY } });
    if (pathname === "/recording.wav") return new Response(Bun.file(RECORDING));
    if (pathname === "/streams.mjs") return new Response(Bun.file(join(folder, "streams.mjs")));
    if (!pathname.startsWith("/package/dist/")) return new Response("", { status: 404 });
    const file = Bun.file(join(folder, "node_modules", "streamer-client", pathname.slice("/package/".length)));
    return (await file.exists()) ? new Response(file) : new Response("", { status: 404 });
  },
});
afterAll(() => pages.stop(true));

const browser = CHROMIUM === undefined ? undefined : await TestBrowser.launch(RECORDING);
afterAll(() => browser?.[Symbol.asyncDispose]());

/** Runs the body of an async function in the page. */
async function evaluate<Result>({ page }: OpenedPage, body: string): Promise<Result> {
  return await page.evaluate<Result>(`(async () => { ${body} })()`);
}

const ordered = (finals: readonly Segment[]) =>
  finals.toSorted((a, b) => a.channel - b.channel || a.start_time - b.start_time);

/** Records until so many results have come, then stops. */
const LISTEN = `
  const { connect, StreamLedger } = await import("streamer-client");
  const { openMicrophone, MicrophoneError } = await import("streamer-client/microphone");
  const listen = async (url, results, options) => {
    const microphone = await openMicrophone(options);
    const client = await connect(url, { format: microphone.format, interim_results: true });
    const sending = client.sendAll(microphone).then(() => client.stop({ disconnect: true }));
    const ledger = new StreamLedger();
    const finals = [];
    let problems = ["no ledger"];
    for await (const received of client.events) {
      problems = ledger.add(received) ?? problems;
      if (received.event.type === "segment" && received.event.is_final) finals.push(received.event);
      if (finals.length === results) void microphone.stop();
    }
    await sending;
    return { name: microphone.name, format: microphone.format, finals: finals.length, problems, sent: client.sentBytes };
  };
  const outcome = (action) => action.then(() => "none", ({ name, code, message }) => ({ name, code, message }));
`;

describe("in a page", () => {
  run("a file gives the finals of `send` and an exact ledger, also when its connection is cut", async () => {
    const sent = await executable.run(["send", "-i", RECORDING, "--addr", server.url, "--format", "json"]);
    const expected = ordered(parseEvents(sent.out).filter((event): event is Segment => event.type === "segment"));
    using proxy = new CuttingProxy([server.port], [900_000, 1_500_000]);
    await using opened = await browser!.open(pages.url.href);
    for (const [port, isCut] of [
      [server.port, false],
      [proxy.port, true],
    ] as const) {
      const url = STREAM.replace(String(server.port), String(port));
      const streamed = await evaluate<{ finals: Segment[]; resumptions: number }>(
        opened,
        `const { stream } = await import("/streams.mjs");
         return await stream(${JSON.stringify(url)}, (await fetch("/recording.wav")).body);`,
      );
      expect(ordered(streamed.finals)).toEqual(expected);
      expect(streamed).toMatchObject({ problems: [], isOpen: false });
      // Twice, unless an attempt to connect is given up on a busy machine.
      expect(streamed.resumptions > 0).toBe(isCut);
    }
  });

  run("a ticket admits, a token is refused by the client, and failures are told apart", async () => {
    const locked = await executable.serve({ ...SETTINGS, "auth.tokens": tokens });
    await using opened = await browser!.open(pages.url.href);
    const response = await fetch(`${locked.url}/api/v1/tickets`, {
      method: "POST",
      headers: { Authorization: `Bearer ${token}` },
    });
    const { ticket } = (await response.json()) as { ticket: string };
    const url = `ws://127.0.0.1:${locked.port}/api/v1/segmented`;
    const seen = await evaluate<object>(
      opened,
      `const { failure, stream } = await import("/streams.mjs");
       const [url, ticket] = ${JSON.stringify([url, ticket])};
       const file = async () => (await fetch("/recording.wav")).blob();
       return {
         byTicket: (await stream(url, await file(), { credentials: { ticket } })).problems,
         again: await failure(async () => stream(url, await file(), { credentials: { ticket } })),
         byToken: await failure(async () => stream(url, await file(), { credentials: { token: "secret" } })),
         withTls: await failure(async () => stream(url, await file(), { tls: { ca: "" } })),
         noWav: await failure(async () => stream(url, new Blob(["text"]))),
         empty: await failure(async () => stream(url, [])),
       };`,
    );
    expect(seen).toMatchObject({
      byTicket: [],
      again: { kind: "ConnectionError", code: "cannot_connect" },
      byToken: { kind: "ConnectionError", code: "unsupported", message: expect.stringContaining("use a ticket") },
      withTls: { kind: "ConnectionError", code: "unsupported" },
      noWav: { kind: "WavError", message: "not a supported WAV file: it does not begin with RIFF" },
      empty: { kind: "WavError", message: "the file is empty" },
    });
  });

  run("the microphone is streamed in both formats and by channel, with an exact ledger", async () => {
    await using opened = await browser!.open(pages.url.href);
    const [all, one] = await evaluate<{ format: object; sent: number }[]>(
      opened,
      `${LISTEN} const url = ${JSON.stringify(STREAM)};
       return [
         await listen(url, 1, { channels: 2 }),
         await listen(url, 1, { channels: 2, pick: [1], sampleFormat: "f32" }),
       ];`,
    );
    expect(all).toMatchObject({ format: { channels: 2, bit_depth: 16, is_float: false }, problems: [] });
    expect(one).toMatchObject({ format: { channels: 1, bit_depth: 32, is_float: true }, problems: [] });
    expect(opened.faults).toEqual([]);
  });

  run("a policy without blob: needs the address of the worklet, and faults of microphones have names", async () => {
    await using opened = await browser!.open(`${pages.url.href}strict`);
    const seen = await evaluate<object>(
      opened,
      `${LISTEN} const url = ${JSON.stringify(STREAM)};
       const refusing = (error) => {
         navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", error));
         return outcome(openMicrophone());
       };
       return {
         without: await outcome(openMicrophone()),
         noSuch: await outcome(openMicrophone({ workletUrl: "/package/dist/worklet.js", pick: [7] })),
         listened: await listen(url, 1, { workletUrl: "/package/dist/worklet.js" }),
         gone: await outcome((async () => {
           const { getUserMedia } = navigator.mediaDevices;
           let track;
           navigator.mediaDevices.getUserMedia = async (constraints) => {
             const stream = await getUserMedia.call(navigator.mediaDevices, constraints);
             [track] = stream.getAudioTracks();
             return stream;
           };
           const microphone = await openMicrophone({ workletUrl: "/package/dist/worklet.js" });
           navigator.mediaDevices.getUserMedia = getUserMedia;
           for await (const audio of microphone) track.dispatchEvent(new Event("ended"));
         })()),
         denied: await refusing("NotAllowedError"),
         missing: await refusing("NotFoundError"),
         busy: await refusing("NotReadableError"),
         other: await refusing("AbortError"),
       };`,
    );
    expect(seen).toMatchObject({
      without: { name: "MicrophoneError", code: "unavailable", message: expect.stringContaining("give workletUrl") },
      noSuch: { name: "RangeError", message: expect.stringMatching(/^pick: found 7; allowed: channels from 0 to \d$/) },
      listened: { problems: [] },
      gone: { name: "MicrophoneError", code: "gone" },
      denied: { name: "MicrophoneError", code: "denied" },
      missing: { name: "MicrophoneError", code: "not_found" },
      busy: { name: "MicrophoneError", code: "busy" },
      other: { name: "MicrophoneError", code: "unavailable" },
    });
  });

  for (const name of ["docs/javascript.md", "clients/javascript/README.md"]) {
    run(`the example of ${name} prints what the microphone hears, and ends`, async () => {
      const text = await Bun.file(join(root, name)).text();
      const examples = [...text.matchAll(/^```js\n(.*?)^```/gms)].map(([, code = ""]) => code);
      const example = examples.find((code) => code.includes("streamer-client/microphone"))!;
      await using opened = await browser!.open(pages.url.href);
      const printed: string[] = [];
      opened.page.on("console", (message) => void printed.push(message.text()));
      const content = `${example.replace('"/api/v1/segmented"', JSON.stringify(STREAM))}\ndocument.title = "done";`;
      await opened.page.addScriptTag({ type: "module", content });
      await waitUntil("a final result", () => printed.some((line) => /^(?:final|true) \d+$/.test(line)));
      await opened.page.click("#stop");
      await opened.page.waitForFunction("document.title === 'done'");
      expect(opened.faults).toEqual([]);
    });
  }
});
