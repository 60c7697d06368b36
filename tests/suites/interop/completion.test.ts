// Completion of command lines in bash, zsh and fish: the executable, installed as `streamer completion --help` says.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { sharedExecutable } from "../../support/executable.ts";
import { files, testWith, tool } from "../../support/requirements.ts";
import { completeInFish, CompletingShell, createFiles } from "../../support/shells.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const PACKAGE = "/usr/share/bash-completion/bash_completion";
const bashCompletion = files([PACKAGE], "Debian: apt-get install bash-completion");
const zsh = tool("zsh", "zsh");
const fish = tool("fish", "fish");

const executable = await sharedExecutable();
let folder: string;
const place = () => ({ folder, path: `${executable.folder}:/usr/bin:/bin` });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "streamer-shells-"));
  await createFiles(folder);
});
afterAll(() => rm(folder, { recursive: true }));

/** Command lines, and what the Tab key makes of them in each shell that differs. */
const LINES: readonly (readonly [line: string, bash: string, zsh?: string])[] = [
  ["streamer ser", "streamer serve "],
  ["streamer token ", "streamer token new "],
  ["streamer se", "streamer se"],
  ["streamer serve --set li", "streamer serve --set limits."],
  ["streamer serve --set limits.drain=n", "streamer serve --set limits.drain=now "],
  ["streamer serve --set=limits.drain=n", "streamer serve --set=limits.drain=now "],
  ['streamer serve --set "limits.drain=n', 'streamer serve --set "limits.drain=now" '],
  ["streamer serve --set log.level=w", "streamer serve --set log.level=warning "],
  ["streamer serve --set dialects.enabled=streamer,d", "streamer serve --set dialects.enabled=streamer,deepgram "],
  ["streamer serve --set model.fail", "streamer serve --set model.failure_rate="],
  ["streamer serve --model denoise --set model.red", "streamer serve --model denoise --set model.reduction_db="],
  ["streamer send --set interim_results=t", "streamer send --set interim_results=true "],
  ["streamer model check simulated --set del", "streamer model check simulated --set delay="],
  ["streamer serve --config con", "streamer serve --config config.yaml "],
  ["streamer serve --config=con", "streamer serve --config=config.yaml "],
  ["streamer serve --config ~/con", "streamer serve --config ~/config.yaml "],
  ["streamer serve --model ./mo", "streamer serve --model ./model.py "],
  ["streamer send -i my", "streamer send -i my\\ file.wav "],
  ["streamer send -imy", "streamer send -imy\\ file.wav "],
  ['streamer send -i "my', 'streamer send -i "my file.wav" '],
  ["streamer send -i it", "streamer send -i it\\'s.wav "],
  ["streamer send -i a", "streamer send -i a\\:b.wav ", "streamer send -i a:b.wav "],
  ["streamer send -i a:", "streamer send -i a:b.wav "],
  ["streamer send -i x", "streamer send -i x\\=y.yaml ", "streamer send -i x=y.yaml "],
  ["streamer serve --admin unix:con", "streamer serve --admin unix:config.yaml "],
  ["streamer bench --sample-format s16,al", "streamer bench --sample-format s16,alaw "],
  ["streamer send -i a > con", "streamer send -i a > config.yaml "],
  ["X=1 streamer ser", "X=1 streamer serve "],
  ["streamer serve --workers ", "streamer serve --workers "],
  ["streamer serve nothing", "streamer serve nothing"],
];

/** Command lines, and every candidate. */
const ALL: readonly (readonly [line: string, candidates: readonly string[]])[] = [
  ["streamer completion ", ["bash", "fish", "zsh"]],
  ["streamer serve --log-format ", ["auto", "json", "pretty"]],
  ["streamer serve --set server.console=", ["off", "on"]],
  ["streamer bench --format ", ["json", "text"]],
];

async function checkLines(shell: CompletingShell, name: "bash" | "zsh"): Promise<void> {
  for (const [line, bash, other = bash] of LINES) {
    expect(await shell.afterTab(line)).toBe(name === "bash" ? bash : other);
  }
  for (const [line, candidates] of ALL) {
    const words = (await shell.withAll(line)).slice(line.lastIndexOf(" ") + 1).split(" ");
    expect(words.map((word) => word.replace(/^.*=/, "")).sort()).toEqual([...candidates]);
  }
}

describe("bash", () => {
  test("completes command lines without a package", async () => {
    await using shell = await CompletingShell.start("bash", place(), ["source <(streamer completion bash)"]);
    await checkLines(shell, "bash");
  });

  testWith(bashCompletion)("completes command lines with its package, which finds the script of a user", async () => {
    const { out } = await executable.run(["completion", "bash"]);
    await Bun.write(join(folder, ".local/share/bash-completion/completions/streamer"), out);
    await using shell = await CompletingShell.start("bash", place(), [`source ${PACKAGE}`]);
    await checkLines(shell, "bash");
  });
});

test("a program that is missing completes nothing, and breaks no line", async () => {
  const { out } = await executable.run(["completion", "bash"]);
  await Bun.write(join(folder, "script.bash"), out);
  await using shell = await CompletingShell.start("bash", { folder, path: "/usr/bin:/bin" }, [
    ". ./script.bash; set -u",
  ]);
  expect(await shell.afterTab("streamer ser")).toBe("streamer ser");
  expect(await shell.afterTab("/no/streamer serve --set a")).toBe("/no/streamer serve --set a");
  expect(shell.shown).not.toMatch(/unbound|No such|not found/);
});

describe("zsh", () => {
  testWith(zsh)("completes command lines, from the text that a shell reads", async () => {
    await using shell = await CompletingShell.start("zsh", place(), ["source <(streamer completion zsh)"]);
    await checkLines(shell, "zsh");
  });

  testWith(zsh)("loads the script of a user, and shows meanings and what a value may be", async () => {
    const { out } = await executable.run(["completion", "zsh"]);
    await Bun.write(join(folder, ".zsh/completions/_streamer"), out);
    const load = "fpath=(~/.zsh/completions $fpath); autoload -Uz compinit; compinit -u -D";
    await using shell = await CompletingShell.start("zsh", place(), [load]);
    expect(await shell.afterTab("streamer mo")).toBe("streamer model ");
    await shell.afterTab("streamer model ");
    expect(shell.shown).toMatch(/check +-- Run the contract checks on a model/);
    await shell.afterTab("streamer serve --set limits.max_channels=");
    expect(shell.shown).toContain("a whole number from 1 to 256 (channels)");
  });
});

describe("fish", () => {
  const complete = (line: string) => completeInFish(line, place(), "streamer completion fish | source");

  testWith(fish)("completes command lines, with meanings", async () => {
    expect(await complete("streamer ser")).toEqual(["serve\tServe a model over WebSocket"]);
    expect(await complete("streamer serve --set limits.dra")).toEqual([
      "limits.drain=\tstreams at shutdown; finish: they go on until they stop; now: they end at once",
      "limits.drain_timeout_ms=\tlongest time that running streams go on at shutdown",
    ]);
    expect(await complete("streamer serve --set limits.drain=")).toEqual(["limits.drain=finish", "limits.drain=now"]);
    expect(await complete("streamer serve --set=limits.drain=n")).toEqual(["--set=limits.drain=now"]);
    expect(await complete('streamer serve --set "limits.drain=n')).toEqual(["limits.drain=now"]);
    expect(await complete("streamer serve --log-level=d")).toEqual(["--log-level=debug"]);
    expect(await complete("streamer completion ")).toEqual(["bash", "fish", "zsh"]);
    expect(await complete("streamer serve --workers ")).toEqual([]);
  });

  testWith(fish)("completes paths", async () => {
    expect(await complete("streamer serve --config con")).toEqual(["config.yaml"]);
    expect(await complete("streamer serve --config=con")).toEqual(["--config=config.yaml"]);
    expect(await complete("streamer serve --config ~/con")).toEqual(["~/config.yaml"]);
    expect(await complete("streamer send -i my")).toEqual(["my file.wav"]);
    expect(await complete('streamer send -i "my')).toEqual(["my file.wav"]);
    expect(await complete("streamer send -i it")).toEqual(["it's.wav"]);
    expect(await complete("streamer send -i a:")).toEqual(["a:b.wav"]);
    expect(await complete("streamer serve --set server.tls_key=con")).toEqual(["server.tls_key=config.yaml"]);
    expect((await complete("streamer serve --model sim")).sort()).toEqual(["simdir/", "simulated"]);
  });

  testWith(fish)("completes nothing without a program", async () => {
    const { out } = await executable.run(["completion", "fish"]);
    await Bun.write(join(folder, "script.fish"), out);
    const missing = { folder, path: "/usr/bin:/bin" };
    expect(await completeInFish("streamer ser", missing, "source script.fish")).toEqual([]);
  });

  testWith(fish)("loads the script of a user", async () => {
    const { out } = await executable.run(["completion", "fish"]);
    const script = join(folder, ".config/fish/completions/streamer.fish");
    await Bun.write(script, out);
    expect(existsSync(script)).toBe(true);
    const load = `set -p fish_complete_path ${join(folder, ".config/fish/completions")}`;
    expect(await completeInFish("streamer wa", place(), load)).toEqual([
      "watch\tPrint the results of phone calls while people speak",
    ]);
  });
});
