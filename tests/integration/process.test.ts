import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFile } from "node:fs/promises";

import { encode, noise } from "../support/audio.ts";
import { type ServeProcess, sharedExecutable } from "../support/executable.ts";
import { onlyStream } from "../support/ledgers.ts";
import { testWith } from "../support/requirements.ts";
import { waitUntil } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(120_000);

const executable = await sharedExecutable();

const INSTANT = { "model.workers": 1, "model.delay": 0, "model.warmup_penalty": 1 };
/** The model is busy for longer than any test takes. */
const BUSY = { "model.workers": 1, "model.delay": 60, "model.warmup_penalty": 0 };

const NAMESPACE = ["unshare", "--pid", "--fork", "--mount-proc"];
const canUnshare = Bun.spawnSync([...NAMESPACE, "true"], { stderr: "ignore" }).success || undefined;

/** Waits until the log has a record of `event`. */
async function logged(server: ServeProcess, event: string): Promise<Record<string, unknown>> {
  const find = () => server.log.find((record) => record["event"] === event);
  await waitUntil(`the record ${event}`, () => find() !== undefined);
  return find() ?? {};
}

describe("signals", () => {
  test("SIGQUIT shuts the server down gracefully, a second one ends it at once", async () => {
    const server = await executable.serve(INSTANT);
    const client = await server.connect({ path: "/api/v1/simple" });
    client.start();
    await client.sendAudio(encode("s16", noise(0.3)));
    await client.nextEvent("started");
    server.signal("SIGQUIT");
    expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
    expect(onlyStream(client.events).stopped).toMatchObject({ reason: "drain", channels: [{ failed: 0 }] });

    const busy = await executable.serve(BUSY);
    const waiting = await busy.connect({ path: "/api/v1/simple" });
    waiting.start();
    await waiting.sendAudio(encode("s16", noise(0.6)));
    await waiting.nextEvent("started");
    busy.signal("SIGQUIT");
    await logged(busy, "draining");
    busy.signal("SIGQUIT");
    expect(await busy.waitForExit()).toEqual({ code: 131, signal: null });
  });

  test("SIGUSR1 and SIGUSR2 end neither the server nor a stream", async () => {
    const server = await executable.serve(INSTANT);
    const client = await server.connect({ path: "/api/v1/simple" });
    client.start();
    for (const signal of ["SIGUSR1", "SIGUSR2"] as const) {
      server.signal(signal);
      await waitUntil(`the record of ${signal}`, () => server.log.some((record) => record["signal"] === signal));
    }
    await client.sendAudio(encode("s16", noise(0.5)));
    await client.nextEvent("segment");
    client.stop();
    await client.nextEvent("stopped");
  });

  test("SIGHUP has no effect on a server that nohup started", async () => {
    const server = await executable.serve(INSTANT, [], {}, ["nohup"]);
    server.signal("SIGHUP");
    server.signal("SIGUSR1");
    await logged(server, "signal_ignored");
    expect((await fetch(`${server.url}/api/v1/ready`)).status).toBe(200);
    server.signal("SIGTERM");
    expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
    expect(server.log.map((record) => record["signal"])).not.toContain("SIGHUP");
  });

  testWith(canUnshare)("a second signal ends the server at once when it is process 1, as in a container", async () => {
    const server = await executable.serve(BUSY, [], {}, NAMESPACE);
    const client = await server.connect({ path: "/api/v1/simple" });
    client.start();
    await client.sendAudio(encode("s16", noise(0.6)));
    await client.nextEvent("started");
    const children = await readFile(`/proc/${server.pid}/task/${server.pid}/children`, "utf8");
    process.kill(Number(children), "SIGTERM");
    await logged(server, "draining");
    process.kill(Number(children), "SIGTERM");
    expect(await server.waitForExit()).toEqual({ code: 143, signal: null });
  });
});

describe("the address of a server", () => {
  test("may be an IPv6 address in brackets, and is printed with one pair of them", async () => {
    const server = executable.launch(INSTANT, ["--host", "[::1]"]);
    await logged(server, "ready");
    expect(server.out).toMatch(/^listening on http:\/\/\[::1\]:\d+\n$/);
  });

  test("that is not one of this machine is refused with a sentence that names the setting", async () => {
    for (const host of ["192.0.2.1", "http://localhost", "[::1", "127.0.0.1:80"]) {
      const { code, err } = await executable.run(["serve", "--port", "0", "--host", host]);
      expect([code, err]).toEqual([
        1,
        `streamer: server.host: found "${host}"; allowed: an address of this machine, such as 127.0.0.1, ::1 or 0.0.0.0\n`,
      ]);
    }
  });
});

describe("a variable that looks like a setting", () => {
  const env = { STREAMER_MODEL_DELAY: "1" };
  const sentence = "environment variable STREAMER_MODEL_DELAY is ignored; did you mean STREAMER__MODEL__DELAY?";

  test("is warned of in the log, and by --print-config", async () => {
    const server = await executable.serve(INSTANT, [], env);
    expect(await logged(server, "setting_ignored")).toMatchObject({ level: "warning", message: sentence });
    expect((await executable.run(["serve", "--print-config"], { env })).err).toBe(`streamer: ${sentence}\n`);
  });
});
