import { expect, setDefaultTimeout, test } from "bun:test";

import { sharedExecutable } from "../support/executable.ts";
import { partOfSample, resumes } from "../support/killed-servers.ts";
import { SendProcess } from "../support/send-process.ts";
import { waitUntil } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const executable = await sharedExecutable();
const PART = await partOfSample(executable);

test("without another server send gives up in time, and says why", async () => {
  const dying = await executable.serve(resumes(executable));
  const addr = `127.0.0.1:${dying.port}`;
  await using sending = new SendProcess(executable, [...PART, "--timeout", "1", "--addr", addr]);
  await waitUntil("a result", () => sending.out.includes(" final "));
  dying.signal("SIGKILL");
  const { code, err } = await sending.result();
  expect(err).toMatch(/within 1 s/);
  expect(code).toBe(1);
});
