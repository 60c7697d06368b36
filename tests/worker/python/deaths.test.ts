import { afterAll, expect, setDefaultTimeout } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { isAlive } from "../../support/processes.ts";
import { type ChildOptions, PythonChild } from "../../support/python-child.ts";
import { python, pythonModel } from "../../support/python.ts";
import { testWith } from "../../support/requirements.ts";
import { waitUntil } from "../../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const testHere = testWith(python);
const folder = mkdtempSync(join(tmpdir(), "streamer-python-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function ready(options: Partial<ChildOptions> = {}): Promise<PythonChild> {
  return await PythonChild.ready({ python: python!, model: pythonModel("obedient"), ...options });
}

testHere.each([
  ["import os\nos._exit(7)", 7, ""],
  ["import os\nos.abort()", "SIGABRT", "Fatal Python error: Aborted"],
  ["import ctypes\nctypes.string_at(0)", "SIGSEGV", "Fatal Python error: Segmentation fault"],
  ["import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "SIGKILL", ""],
  ["import os, signal\nos.kill(os.getpid(), signal.SIGTERM)", "SIGTERM", ""],
  ["import os\nos.closerange(3, 1000)", "any", ""],
])("a call that ends its process by %j ends it alone, and the traceback is in the log", async (order, end, line) => {
  await using child = await ready();
  child.setOptions(1, `print("before", end="")\n${order}`);
  child.start({});
  const ended = await child.ended();
  if (end !== "any") expect(ended).toBe(end);
  expect(child.err).toContain(line);
  if (line !== "") expect(child.err).toContain('File "obedient-order.py"');
  expect(child.headers.map(({ type }) => type)).toEqual(["declared", "ready"]);
});

testHere.each([
  ["signal.signal(signal.SIGALRM, lambda *_: 1 / 0)\nsignal.setitimer(signal.ITIMER_REAL, 0.05)", "ZeroDivisionError"],
  ["threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()", "KeyboardInterrupt"],
])(
  "a signal that raises an error between calls ends the worker, whatever threads are left: %j",
  async (order, line) => {
    await using child = await ready();
    const thread = "import os, signal, threading\nthreading.Thread(target=threading.Event().wait).start()";
    expect((await child.order(`${thread}\n${order}\nresult = {'fine': 1}`)).output).toEqual({ fine: 1 });
    expect(await child.ended()).toBe(1);
    expect(child.err).toContain(line);
  },
);

testHere("a handler of the model for a signal runs, and so does the next call", async () => {
  await using child = await ready();
  const order =
    "import os, signal\nfor s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD): signal.signal(s, lambda *_: print('handled', _[0]))\nos.kill(os.getpid(), signal.SIGTERM)";
  await child.order(order);
  child.kill("SIGHUP");
  await waitUntil("both signals", () => /handled (15|.*SIGTERM)[^]*handled (1\b|.*SIGHUP)/.test(child.out));
  expect((await child.order("result = {'fine': 1}")).output).toEqual({ fine: 1 });
});

testHere("a call that needs more memory than there is fails with MemoryError, and the worker goes on", async () => {
  const limit =
    "import resource\nresource.setrlimit(resource.RLIMIT_AS, (1 << 30, resource.getrlimit(resource.RLIMIT_AS)[1]))";
  await using child = await ready();
  await child.order(limit);
  expect((await child.order("x = [bytearray(1 << 20) for _ in range(1 << 12)]")).error).toBe("MemoryError");
  expect((await child.order("result = {'fine': 1}")).output).toEqual({ fine: 1 });
});

testHere.each([
  ["waits for a call", undefined],
  ["runs a loop in Python", "while True: pass"],
  ["sleeps", "import time\ntime.sleep(1000)"],
  ["ignores all signals", "import signal\nfor s in (15, 2, 1): signal.signal(s, signal.SIG_IGN)\nwhile True: pass"],
])("without the C library, a worker that %s ends with its server", async (_, order) => {
  await using child = await ready();
  if (order !== undefined) {
    child.setOptions(1, order);
    child.start({});
    await Bun.sleep(50);
  }
  child.disconnect();
  await child.ended();
  expect(isAlive(child.pid)).toBe(false);
});

testHere("programs that a model has started end with it", async () => {
  await using child = await ready();
  const order = "import subprocess, sys\np = subprocess.Popen(['sleep', '1000'])\nresult = {'pid': p.pid}";
  const pid = Number((await child.order(order)).output?.["pid"]);
  expect(isAlive(pid)).toBe(true);
  child.disconnect();
  await child.ended();
  await waitUntil("the end of the program", () => !isAlive(pid));
});
