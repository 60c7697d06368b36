import { expect, test } from "bun:test";

import { listMicrophones } from "../../../src/commands/terminal/microphone-list.ts";
import { openMicrophone } from "../../../src/commands/terminal/microphone.ts";
import { findRecorders, RECORDERS, type Recording } from "../../../src/commands/terminal/recorders.ts";
import { FakePrograms } from "../../support/fake-programs.ts";
import { rejection } from "../../support/wire.ts";

const RECORDING: Recording = { rate: 16_000, channels: 1, device: undefined };
const never = new AbortController().signal;

/** Names of the recorders that are found, the first one being used. */
function found(env: Readonly<Record<string, string>>, device?: string, sockets: readonly string[] = []): string[] {
  const names = findRecorders(env, device, (path) => sockets.includes(path));
  return names.map(({ recorder: { name, system } }) => `${name} ${system}`);
}

test("the recorder is that of the sound server that runs, or else one of ALSA", async () => {
  await using programs = await FakePrograms.create({ arecord: "", parec: "", ffmpeg: "", "pw-record": "" });
  const env = { ...programs.env, XDG_RUNTIME_DIR: "/run/user/7" };
  expect(found(env)[0]).toBe("arecord ALSA");
  expect(found(env, undefined, ["/run/user/7/pulse/native"])[0]).toBe("parec PulseAudio");
  expect(found(env, undefined, ["/run/user/7/pipewire-0"])[0]).toBe("pw-record PipeWire");
  expect(found({ ...env, PULSE_SERVER: "tcp:example" })[0]).toBe("parec PulseAudio");
  expect(found(env)).toHaveLength(RECORDERS.length);
  for (const device of ["hw:1,0", "plughw:CARD=USB", "sysdefault:CARD=USB", "dsnoop:0"]) {
    expect(found(env, device, ["/run/user/7/pulse/native"])).toEqual(["arecord ALSA", "ffmpeg ALSA"]);
  }
  await using one = await FakePrograms.create({ ffmpeg: "" });
  expect(found(one.env)).toEqual(["ffmpeg ALSA", "ffmpeg PulseAudio"]);
  expect(found({ PATH: "" })).toEqual([]);
  expect(found({ PATH: `.:${"relative"}` })).toEqual([]);
});

test("rate, channels and device are arguments of each recorder", () => {
  const all = { rate: 48_000, channels: 2, device: "the-device" };
  for (const { name, arguments: argumentsFor } of RECORDERS) {
    const text = argumentsFor(all).join(" ");
    for (const part of ["48000", "2", "the-device"])
      expect([name, text]).toEqual([name, expect.stringContaining(part)]);
    expect(argumentsFor(RECORDING).join(" ")).not.toContain("undefined");
  }
});

test("the sound of a microphone comes as it is recorded, and the recorder ends with it", async () => {
  await using programs = await FakePrograms.create({ arecord: "printf abcd; sleep 0.05; printf ef; exec sleep 60" });
  const stop = new AbortController();
  let text = "";
  {
    await using microphone = await openMicrophone(RECORDING, { env: programs.env, signal: stop.signal });
    expect([microphone.name, microphone.size]).toEqual(["microphone (arecord, ALSA)", undefined]);
    for await (const piece of microphone.bytes) {
      text += Buffer.from(piece).toString();
      if (text.length === 6) stop.abort();
    }
    expect(microphone.takeWarning?.()).toBeUndefined();
  }
  expect(text).toBe("abcdef");
  expect(await programs.isRunning("arecord")).toBeFalse();
  expect(await programs.arguments("arecord")).toBe("-q -t raw -f S16_LE -r 16000 -c 1");
});

test("without a program that records, the error says what to install", async () => {
  const error = await rejection(openMicrophone(RECORDING, { env: { PATH: "" }, signal: never }));
  expect(String(error)).toContain("no program that records is on the PATH; install alsa-utils (arecord)");
});

test("a recorder that ends at once is an error with its own message", async () => {
  const message =
    "ALSA lib pcm.c:2666:(snd_pcm_open_noupdate) Unknown PCM hw:9\\narecord: main:831: audio open error: No such file or directory\\n";
  await using programs = await FakePrograms.create({ arecord: `printf '${message}' >&2; exit 1` });
  const error = await rejection(openMicrophone({ ...RECORDING, device: "hw:9" }, { env: programs.env, signal: never }));
  expect(String(error)).toBe(
    'UsageError: --microphone "hw:9": arecord has ended (exit code 1): audio open error: No such file or directory; ' +
      "send --microphone=list lists the devices",
  );
});

test("a recorder that ends later is an error while its sound is read", async () => {
  const commands =
    "printf abcd; echo 'overrun!!! (at least 5.1 ms long)' >&2; echo 'arecord: pcm_read:2221: read error: No such device' >&2; exit 1";
  await using programs = await FakePrograms.create({ arecord: commands });
  await using microphone = await openMicrophone(RECORDING, { env: programs.env, signal: never });
  const read = async (): Promise<void> => {
    for await (const piece of microphone.bytes) expect(Buffer.from(piece).toString()).toBe("abcd");
  };
  expect(String(await rejection(read()))).toContain("arecord has ended (exit code 1): read error: No such device");
  expect(microphone.takeWarning?.()).toBe(
    "microphone (arecord, ALSA): sound was lost: overrun!!! (at least 5.1 ms long)",
  );
});

test("a recorder that gives no sound is given up, and an abort ends the wait for the first one", async () => {
  await using programs = await FakePrograms.create({ arecord: "exec sleep 60" });
  const options = { env: programs.env, signal: never, silentMs: 50 };
  expect(String(await rejection(openMicrophone(RECORDING, options)))).toContain("arecord gave no sound for 0.05 s");
  expect(await programs.isRunning("arecord")).toBeFalse();
  const stop = new AbortController();
  const opening = openMicrophone(RECORDING, { env: programs.env, signal: stop.signal });
  stop.abort();
  expect(await rejection(opening)).toBe(stop.signal.reason);
});

test("devices are listed by their sound system", async () => {
  await using programs = await FakePrograms.create({
    pactl: "printf '0\\talsa_input.usb\\tmodule\\ts16le\\tIDLE\\n1\\troom.monitor\\tmodule\\n'",
    arecord: "printf 'null\\n    Discard all samples\\nhw:CARD=USB,DEV=0\\n    A microphone\\n    Direct hardware\\n'",
  });
  expect(await listMicrophones(programs.env)).toBe(
    "PulseAudio\n  alsa_input.usb\n  room.monitor\nALSA\n  hw:CARD=USB,DEV=0               A microphone\n",
  );
  const sources = "Auto-detected sources for alsa:\\n  null [Discard] (none)\\n* default [Default device] (none)\\n";
  await using ffmpeg = await FakePrograms.create({ ffmpeg: `case "$*" in *alsa) printf '${sources}';; esac` });
  expect(await listMicrophones(ffmpeg.env)).toBe("ALSA\n  default                         Default device\n");
  await using none = await FakePrograms.create({ arecord: "exit 1" });
  expect(String(await rejection(listMicrophones(none.env)))).toContain("arecord (ALSA) found no device");
  expect(String(await rejection(listMicrophones({ PATH: "" })))).toContain("install alsa-utils");
});
