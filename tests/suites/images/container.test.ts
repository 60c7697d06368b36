import { expect, test } from "bun:test";
import { join } from "node:path";

import { output } from "../../support/output.ts";
import { reportMissing, testWith } from "../../support/requirements.ts";

const root = join(import.meta.dir, "..", "..", "..");
/** Base images, packages and the build, on a busy machine. */
const TIMEOUT_MS = 1_800_000;

const chosen = process.env["STREAMER_IMAGES"] === "all" || undefined;
if (chosen === undefined) reportMissing("the image in podman: minutes; STREAMER_IMAGES=all runs scripts/image-test.sh");

testWith(chosen)(
  "the image is built by buildah, and does in podman what docs/operations.md says",
  async () => {
    const { code, text } = await output(["sh", "scripts/image-test.sh"], root);
    console.log(text);
    expect(text).toMatch(/^image: [1-9]\d* passed, 0 failed, \d+ skipped$/m);
    expect(code).toBe(0);
  },
  TIMEOUT_MS,
);

test("STREAMER_IMAGES has a value that is known", () => {
  expect(process.env["STREAMER_IMAGES"] ?? "").toBeOneOf(["", "all"]);
});

test("scripts/image-test.sh explains itself, and refuses an option that it does not know", async () => {
  const help = await output(["sh", "scripts/image-test.sh", "--help"], root);
  expect(help.text).toContain("sudo scripts/image-test.sh [FOLDER]");
  expect(help.text).not.toContain("#");
  expect(help.code).toBe(0);
  expect(await output(["sh", "scripts/image-test.sh", "--nope"], root)).toEqual({
    code: 2,
    text: 'image-test.sh: unknown option "--nope"; allowed: --help, or a folder\n',
  });
});
