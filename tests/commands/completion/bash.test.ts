// Real command lines in a real bash, whose editor asks the program. tests/suites/interop/completion.test.ts has zsh and
// fish, and the executable.

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { CompletingShell, createFiles } from "../../support/shells.ts";
import { FROM_SOURCE } from "../../support/surface/program.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

let folder: string;
let bash: CompletingShell;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "streamer-bash-"));
  await createFiles(folder);
  const program = join(folder, "bin", "streamer");
  await Bun.write(program, `#!/bin/sh\nexec ${FROM_SOURCE.map((part) => `'${part}'`).join(" ")} "$@"\n`);
  await chmod(program, 0o755);
  await writeFile(join(folder, "evil"), "");
  const place = { folder, path: `${join(folder, "bin")}:/usr/bin:/bin` };
  bash = await CompletingShell.start("bash", place, ["source <(streamer completion bash)"]);
});

afterAll(async () => {
  await bash[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

test.each([
  ["commands", "streamer com", "streamer completion "],
  ["commands of a group", "streamer model ch", "streamer model check "],
  ["flags", "streamer send --patt", "streamer send --pattern "],
  ["a value of a flag", "streamer serve --log-level d", "streamer serve --log-level debug "],
  ["a value behind an equals sign", "streamer serve --log-level=d", "streamer serve --log-level=debug "],
  [
    "the name of a setting, without a space",
    "streamer serve --set limits.max_t",
    "streamer serve --set limits.max_text_bytes=",
  ],
  ["a value of a setting", "streamer serve --set limits.drain=f", "streamer serve --set limits.drain=finish "],
  ["a setting in quotes", `streamer serve --set "limits.drain=f`, `streamer serve --set "limits.drain=finish" `],
  [
    "a setting behind an equals sign",
    "streamer serve --set=limits.drain=f",
    "streamer serve --set=limits.drain=finish ",
  ],
  ["a file with a space", "streamer send -i my", "streamer send -i my\\ file.wav "],
  ["a file in quotes", `streamer send -i "my`, `streamer send -i "my file.wav" `],
  ["a file with a colon", "streamer send -i a:", "streamer send -i a:b.wav "],
  [
    "a file that is a setting",
    "streamer serve --set server.tls_key=my",
    "streamer serve --set server.tls_key=my\\ file.wav ",
  ],
  ["a program by its path, after a pipe", "cat x | ./bin/streamer ser", "cat x | ./bin/streamer serve "],
])("completes %s", async (_, line, completed) => {
  expect(await bash.afterTab(line)).toBe(completed);
});

test("offers all names of built-in models, and files", async () => {
  expect(await bash.withAll("streamer serve --model sim")).toBe("streamer serve --model simdir simulated");
  expect(await bash.withAll("streamer serve --workers ")).toBe("streamer serve --workers");
});

test("answers other completions, and tests, which call the function by itself", async () => {
  const calls = [
    "COMP_WORDS=(streamer serve --set limits.drain = f) COMP_CWORD=5 COMP_LINE='streamer serve --set limits.drain=f'",
    "COMP_WORDS=(streamer serve --set limits.drain =) COMP_CWORD=4 COMP_LINE='streamer serve --set limits.drain='",
    "COMP_WORDS=(streamer serve --config con) COMP_CWORD=3 COMP_LINE='streamer serve --config con'",
  ];
  const lines = calls.map((call) => `${call}; COMP_POINT=\${#COMP_LINE}; _streamer; echo "\${COMPREPLY[@]}"`);
  const child = Bun.spawn(["bash", "--norc", "-c", ["source <(streamer completion bash)", ...lines].join("\n")], {
    cwd: folder,
    env: { PATH: `${join(folder, "bin")}:/usr/bin:/bin`, HOME: folder },
    stdout: "pipe",
    stderr: "pipe",
  });
  expect(await child.stdout.text()).toBe("finish\nfinish now\nconfig.yaml\n");
  expect(await child.stderr.text()).toBe("");
});

test("runs nothing of the command line", async () => {
  const line = `streamer $(rm ${join(folder, "evil")}) \`rm evil\` ser`;
  expect(await bash.afterTab(line)).toBe(line);
  expect(await Bun.file(join(folder, "evil")).exists()).toBe(true);
});
