import { expect, test } from "bun:test";
import { join } from "node:path";

const source = join(import.meta.dir, "..", "..", "..", "src", "commands", "serve", "uncaught.ts");

test("an exception of a timer and a rejection that nobody handles are logged with their stacks, and end nothing", async () => {
  const program = `
    import { surviveUncaught } from ${JSON.stringify(source)};
    surviveUncaught({ error: (event, { task, error }) => console.log(event, task, error.stack.includes("at ")) });
    setTimeout(() => { throw new Error("of a timer"); }, 0);
    queueMicrotask(() => { throw new Error("of a microtask"); });
    void Promise.reject(new Error("of nobody"));
    setTimeout(() => console.log("alive"), 50);
  `;
  const child = Bun.spawn([process.execPath, "-e", program], { stdout: "pipe", stderr: "pipe" });
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  expect([await child.exited, err]).toEqual([0, ""]);
  expect(out.trim().split("\n").toSorted()).toEqual([
    "alive",
    "task_failed uncaught_exception true",
    "task_failed uncaught_exception true",
    "task_failed unhandled_rejection true",
  ]);
});
