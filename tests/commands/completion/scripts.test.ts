import { expect, test } from "bun:test";

import { FROM_SOURCE, Program } from "../../support/surface/program.ts";

const program = new Program(FROM_SOURCE);

test.each(["bash", "zsh", "fish"])("the script of %s is short, and has no path", async (shell) => {
  const { code, out, err } = await program.run(["completion", shell]);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(out).toContain(`__complete ${shell} `);
  expect(out.split("\n").length).toBeLessThan(50);
  expect(out).not.toContain(process.cwd());
});

test.each([
  [[], "missing shell: use streamer completion bash|zsh|fish"],
  [["tcsh"], 'shell: found "tcsh"; allowed: bash, zsh, fish'],
  [[""], 'shell: found ""; allowed: bash, zsh, fish'],
  [["bash", "zsh"], "unexpected argument 'zsh'"],
  [["--bash"], "unknown flag --bash"],
])("the arguments %p are refused", async (args, message) => {
  const { code, out, err } = await program.run(["completion", ...args]);
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err).toStartWith(`streamer: ${message}`);
});

test("the help says how to install the script in each shell", async () => {
  const { out } = await program.run(["completion", "--help"]);
  const places = [
    "bash-completion/completions/streamer",
    "~/.bashrc",
    "~/.zsh/completions/_streamer",
    "fish/completions",
  ];
  expect(places.filter((place) => !out.includes(place))).toEqual([]);
});

test("a request of an unknown shell, and one without words, do no harm", async () => {
  expect(await program.run(["__complete"])).toMatchObject({ code: 0, out: "", err: "" });
  expect(await program.run(["__complete", "nushell", "serve"])).toMatchObject({ code: 0, out: "", err: "" });
  expect((await program.run(["__complete", "fish"])).out).toContain("serve\tServe a model over WebSocket\n");
  // It is not for people.
  expect((await program.run(["--help"])).out).not.toContain("__complete");
});
