import { afterAll, beforeAll, describe, expect, setDefaultTimeout } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { PythonChild } from "../../support/python-child.ts";
import { python, pythonModel } from "../../support/python.ts";
import { testWith } from "../../support/requirements.ts";
import { waitUntil } from "../../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const testHere = testWith(python);
const folder = mkdtempSync(join(tmpdir(), "streamer-python-"));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

async function ready(model: string, settings: Record<string, unknown> = {}, env = {}): Promise<PythonChild> {
  return await PythonChild.ready({ python: python!, model, settings, env });
}

describe("a model in Python", () => {
  let child: PythonChild;
  beforeAll(async () => {
    if (python !== undefined) child = await ready(pythonModel("obedient"));
  });
  afterAll(async () => {
    if (python !== undefined) await child[Symbol.asyncDispose]();
  });

  testHere(
    "gets each span whole, also over several slabs, in memory of its own, which it may write to and keep",
    async () => {
      const samples = Float32Array.from({ length: 10_000 }, (_, i) => i / 16_384);
      const order = "result = {'sum': sum(audio), 'count': len(audio)}\nself.kept.append(audio)";
      const sum = samples.reduce((total, sample) => total + sample, 0);
      expect((await child.order(order, { samples })).output).toEqual({ sum: expect.closeTo(sum, 1), count: 10_000 });
      await child.order("audio[0] = 99\nself.kept.append(audio)", { samples: [1, 2] });
      const kept = await child.order("result = {'kept': [[float(s) for s in a[:2]] for a in self.kept]}");
      expect(kept.output).toEqual({
        kept: [
          [0, 1 / 16_384],
          [99, 2],
        ],
      });
      expect((await child.order("result = {'count': len(audio)}")).output).toEqual({ count: 0 });
    },
  );

  testHere("declines an interim result by None, alone and in a batch, and must answer a final one", async () => {
    expect(await child.order("result = None", { final: false })).toEqual({});
    const error = "the model's output must be a dict, not None";
    expect(await child.order("result = None")).toEqual({ error });
  });

  testHere(
    "gets the final flag, the sample rate, the options of the lane and the trace context with each call",
    async () => {
      const order =
        "result = {'call': [call.final, call.sample_rate, len(call.options), call.traceparent], 'text': repr(call)[:17]}";
      const output = async (job: object) => (await child.order(order, job)).output;
      const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
      expect(await output({})).toEqual({ call: [true, 16_000, order.length, null], text: "Call(final=True, " });
      expect(await output({ final: false, traceparent })).toMatchObject({
        call: [false, 16_000, order.length, traceparent],
      });
    },
  );

  testHere("has no options of another lane, and none of one that is closed", async () => {
    child.setOptions(5, "result = {'lane': 5}");
    child.setOptions(6, "result = {'lane': 6}");
    expect((await child.call({ lane: 5 }))[0]?.output).toEqual({ lane: 5 });
    expect((await child.call({ lane: 6 }))[0]?.output).toEqual({ lane: 6 });
    child.send({ type: "forget", lane: 5 });
    expect((await child.call({ lane: 5 }))[0]?.error).toContain("TypeError");
    expect((await child.call({ lane: 6 }))[0]?.output).toEqual({ lane: 6 });
  });

  testHere("is called for several spans at once by infer_batch, with one output for each, in order", async () => {
    for (const lane of [1, 2, 3]) child.setOptions(lane, "result = {'first': float(audio[0]), 'final': call.final}");
    const results = await child.call({ samples: [1], lane: 1 }, { samples: [2], lane: 2 }, { samples: [3], lane: 3 });
    expect(results.map(({ output }) => output)).toEqual(
      [1, 2, 3].map((first) => ({ together: 3, first, final: true })),
    );
  });

  testHere(
    "whose infer_batch fails is called span by span if its calls may be repeated, so that one fails alone",
    async () => {
      child.setOptions(1, "audio[0] += 1\nresult = {'first': float(audio[0])}");
      child.setOptions(2, "raise ValueError('bad span')");
      const results = await child.call({ samples: [1], lane: 1 }, { samples: [2], lane: 2 });
      // The samples are those of the client again.
      expect(results[0]).toEqual({ output: { first: 2 } });
      expect(results[1]).toMatchObject({ error: "ValueError: bad span" });
      const line = "infer_batch() failed; its jobs are called one by one: ValueError: bad span\n";
      await waitUntil("the line in the log", () => child.err.includes(line));
      await child.call({ samples: [1], lane: 2 }, { samples: [2], lane: 2 });
      expect(child.err.split("called one by one")).toHaveLength(2);
    },
  );

  testHere("that raises sends the type and the text of the error, and the traceback of its own lines", async () => {
    const { error, stack } = await child.order("def deep(): raise KeyError('word')\ndeep()");
    expect(error).toBe("KeyError: 'word'");
    expect(stack).toStartWith("Traceback (most recent call last):\n");
    expect(stack).toContain(`File "${pythonModel("obedient")}", line`);
    expect(stack).toContain('File "obedient-order.py", line 1, in deep');
    expect(stack).not.toContain("streamer_host");
    expect((await child.order("raise RuntimeError")).error).toBe("RuntimeError");
    expect((await child.order(`raise ValueError("x" * 5000)`)).error).toHaveLength(500);
    const chained = await child.order("try:\n  {}['a']\nexcept KeyError as e:\n  raise OSError('no') from e");
    expect(chained.stack).toContain("The above exception was the direct cause");
    const nameless = "class Odd(Exception):\n  def __str__(self): raise TypeError()\nraise Odd()";
    expect((await child.order(nameless)).error).toBe("Odd: (its text cannot be had)");
  });

  testHere.each([
    ["raise SystemExit(3)", "SystemExit: 3"],
    ["import sys\nsys.exit()", "SystemExit"],
    ["raise KeyboardInterrupt", "KeyboardInterrupt"],
    ["raise GeneratorExit('x')", "GeneratorExit: x"],
    ["import asyncio\nraise asyncio.CancelledError()", "CancelledError"],
    ["def f(): f()\nf()", "RecursionError: maximum recursion depth exceeded"],
    ["def f(): g()\ndef g(): f()\nf()", "RecursionError: maximum recursion depth exceeded"],
    ["bytearray(1 << 62)", "MemoryError"],
    ["import argparse\nargparse.ArgumentParser().parse_args(['--no'])", "SystemExit: 2"],
    ["import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nwhile True: pass", "KeyboardInterrupt"],
    ["result = input()", "EOFError: EOF when reading a line"],
    ["import os\nos.read(3, 1) if False else None\nresult = 1 / 0", "ZeroDivisionError: division by zero"],
  ])("loses one call by %j", async (order, error) => {
    const result = await child.order(order);
    expect(result.error).toStartWith(error);
    expect(result.stack!.length).toBeLessThanOrEqual(17_000);
    expect((await child.order("result = {'fine': 1}")).output).toEqual({ fine: 1 });
  });

  testHere("prints to the log, at once: without a line end, in any encoding, much, and binary", async () => {
    const printed = async (order: string, text: string): Promise<void> => {
      child.out = "";
      await child.order(order);
      await waitUntil(`the output ${text.slice(0, 20)}`, () => child.out.endsWith(text));
    };
    await printed("print('no end', end='')", "no end");
    await printed("print('\\u00fc\\u4e2d\\ud800')", "ü中\\ud800\n");
    await printed("print('x' * 1_000_000)", `${"x".repeat(1_000_000)}\n`);
    await printed("import sys\nsys.stdout.buffer.write(b'\\xff\\x00raw')", "\u0000raw");
    await printed("import os\nos.write(1, b'by its number')", "by its number");
    await printed("import subprocess\nsubprocess.run(['echo', 'from a program'])", "from a program\n");
    await child.order("import warnings, logging\nwarnings.warn('old')\nlogging.warning('logged')");
    await waitUntil(
      "warnings",
      () => child.err.includes("UserWarning: old") && child.err.includes("WARNING:root:logged"),
    );
    // Nothing of it has reached the channel.
    expect((await child.order("result = {'fine': 1}")).output).toEqual({ fine: 1 });
  });

  testHere("may close or replace its standard output", async () => {
    await child.order("import sys\nself.before = sys.stdout\nsys.stdout = None");
    await child.order("import sys, io\nsys.stdout = io.StringIO()\nsys.stdout.close()");
    expect((await child.order("import sys\nsys.stdout = self.before\nresult = {'fine': 1}")).output).toEqual({
      fine: 1,
    });
  });

  testHere("may start threads and processes, which inherit no descriptor of the server", async () => {
    const order = `
import os, subprocess, threading
threading.Thread(target=threading.Event().wait).start()
files = lambda pid: subprocess.run(['ls', '-l', '/proc/%s/fd' % pid], capture_output=True, text=True).stdout
channel = os.readlink('/proc/self/fd/3')
inherited = subprocess.Popen(['sleep', '60'], close_fds=False)
result = {'kind': channel[:7], 'inherited': channel in files(inherited.pid), 'own': channel in files(os.getpid())}
inherited.kill(); inherited.wait()`;
    expect(await child.order(order)).toEqual({ output: { kind: "socket:", inherited: false, own: true } });
  });

  testHere("may fork: the fork has no channel and ends when it returns, and the call has one result", async () => {
    const order = `
import os
pid = os.fork()
if pid: result = {'status': os.waitpid(pid, 0)[1]}
elif os.path.exists('/proc/self/fd/3'): 1 / 0`;
    expect(await child.order(order)).toEqual({ output: { status: 0 } });
    for (const [statement, code] of [
      ["raise SystemExit(3)", 3],
      ["1 / 0", 1],
      ["sys.exit('why')", 1],
      ["os._exit(2)", 2],
    ]) {
      const forked = `import os, sys\npid = os.fork()\nif not pid: ${statement}\nresult = {'code': os.waitpid(pid, 0)[1] >> 8}`;
      expect(await child.order(forked)).toEqual({ output: { code } });
    }
    expect(
      (
        await child.order(
          "import multiprocessing\nwith multiprocessing.Pool(2) as pool: result = {'abs': pool.map(abs, [-1, -2])}",
        )
      ).output,
    ).toEqual({ abs: [1, 2] });
  });
});

testHere(
  "a fork of a model in Python keeps neither the channel nor the audio of the server, not while it loads",
  async () => {
    const text = `
import os
name = "forks"
def links():
    found = []
    for number in os.listdir("/proc/self/fd"):
        try: found.append(os.readlink("/proc/self/fd/" + number))
        except OSError: pass
    return found
channel = os.readlink("/proc/self/fd/3")
def kept():
    with open("/proc/self/maps") as maps: mapped = "streamer-arena" in maps.read()
    return "%d %s %s" % (links().count(channel), any("streamer-arena" in link for link in links()), mapped)
def forked():
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writer, kept().encode())
        os._exit(0)
    os.waitpid(pid, 0)
    os.close(writer)
    with os.fdopen(reader) as pipe: return pipe.read()
loading = forked()
class Model:
    def infer(self, audio, call):
        return {"loading": loading, "call": forked(), "own": kept(), "sum": sum(audio.tolist())}
`;
    await using child = await ready(write("forks.py", text));
    const result = { loading: "0 False False", call: "0 False False", own: "1 True True" };
    for (const sum of [3, 4]) {
      expect(await child.call({ samples: [1, sum - 1] })).toEqual([{ output: { ...result, sum } }]);
    }
  },
);

testHere(
  "a model in Python whose batches may not be repeated loses the whole batch, and its errors say so",
  async () => {
    const text = `
name = "x"
max_batch = 2
class Model:
    def infer(self, audio, call): return {}
    def infer_batch(self, audios, calls): return [{}] if calls[0].final else [{}, {"x": float("nan")}]
`;
    await using child = await ready(write("unrepeatable.py", text));
    const failed = { error: "infer_batch() must return a list of 2 outputs", wholeBatch: true };
    expect(await child.call({}, {})).toEqual([failed, failed]);
    // An output that is refused fails alone.
    const bad = { error: '"x" is NaN, which JSON cannot represent' };
    expect(await child.call({ final: false }, { final: false })).toEqual([{ output: {} }, bad]);
  },
);

testHere("results of a batch that are too large together are refused, and the worker goes on", async () => {
  const text = `
name = "x"
max_batch = 16
class Model:
    def infer(self, audio, call): return {}
    def infer_batch(self, audios, calls):
        if not calls[0].final: return [{} for _ in calls]
        return [{"audio": memoryview(bytes(1 << 25)).cast("f")} for _ in calls]
`;
  await using child = await ready(write("large.py", text));
  const jobs = Array.from({ length: 9 }, () => ({}));
  const error = `the results of a call have ${9 * 2 ** 25} bytes of audio and state; allowed: ${2 ** 28}`;
  expect(await child.call(...jobs)).toEqual(jobs.map(() => ({ error })));
  const interims = jobs.map(() => ({ final: false }));
  expect(await child.call(...interims)).toEqual(jobs.map(() => ({ output: {} })));
});

testHere("a model in Python may run functions of its file in processes of its own, forked or new", async () => {
  const text = `
import multiprocessing
name = "x"
def doubled(x): return 2 * x
class Model:
    def warm_up(self): pass
    def infer(self, audio, call):
        with multiprocessing.get_context(call.options).Pool(1) as pool: return {"doubled": pool.map(doubled, [1, 2])}
`;
  await using child = await ready(write("own-pool.py", text));
  for (const method of ["fork", "spawn"]) {
    child.setOptions(1, method);
    expect(await child.call({})).toEqual([{ output: { doubled: [2, 4] } }]);
  }
});

testHere(
  "every method of a model in Python may be `async def`, on one event loop that also runs its own tasks",
  async () => {
    const text = `
import asyncio
name = "asynchronous"
max_batch = 2
idempotent = True
async def validate(settings): return []
class Model:
    def __init__(self):
        self.lock = asyncio.Lock()
        self.ticks = 0
    async def warm_up(self):
        self.loop = asyncio.get_running_loop()
        self.task = asyncio.create_task(self.tick())
    async def tick(self):
        while True:
            await asyncio.sleep(0.001)
            self.ticks += 1
    async def infer(self, audio, call):
        assert asyncio.get_running_loop() is self.loop
        if len(audio) == 1: raise ValueError("late")
        if len(audio) == 2: raise SystemExit("later")
        if len(audio) == 3: asyncio.get_running_loop().call_soon(exec, "raise SystemExit(5)")
        if len(audio) == 4: asyncio.create_task(self.leave())
        async with self.lock: await asyncio.sleep(0)
        return {"ticks": self.ticks}
    async def leave(self): raise SystemExit("in a task")
    async def infer_batch(self, audios, calls): return [await self.infer(*each) for each in zip(audios, calls)]
    async def close(self):
        self.task.cancel()
        print("closed", flush=True)
`;
    await using child = await ready(write("asynchronous.py", text));
    const ticks = async (): Promise<number> => Number((await child.call({}))[0]?.output?.["ticks"]);
    const before = await ticks();
    await waitUntil("a tick between calls", async () => (await ticks()) > before + 2);
    expect(await child.call({ samples: [0] })).toMatchObject([{ error: "ValueError: late" }]);
    expect((await child.call({ samples: [0] }))[0]?.stack).not.toContain("asyncio");
    expect(await child.call({ samples: [0, 0] })).toMatchObject([{ error: "SystemExit: later" }]);
    // A task that ends the program costs at most the call that runs.
    for (const length of [3, 4]) await child.call({ samples: new Float32Array(length) });
    expect(await ticks()).toBeGreaterThan(before);
    expect(await child.call({}, {})).toMatchObject([{ output: {} }, { output: {} }]);
    child.send({ type: "close" });
    expect(await child.ended()).toBe(0);
    expect(child.out).toBe("closed\n");
  },
);

testHere("a model in Python may run an event loop of its own, and return something awaitable", async () => {
  const text = `
import asyncio
name = "x"
class Model:
    def infer(self, audio, call):
        if call.final: return asyncio.run(self.work())
        return self.work()
    async def work(self):
        await asyncio.sleep(0)
        return {"fine": 1}
`;
  await using child = await ready(write("own_loop.py", text));
  for (const final of [true, false, true, false]) {
    expect(await child.call({ final })).toEqual([{ output: { fine: 1 } }]);
  }
});

describe("closed, a worker in Python", () => {
  testHere("closes its model, runs the handlers for the exit and ends, whatever threads are left", async () => {
    const text = `
import atexit, threading, logging
name = "x"
atexit.register(print, "at the exit")
class Model:
    def __init__(self): threading.Thread(target=threading.Event().wait).start()
    def infer(self, audio, call): return {}
    def close(self): print("closed")
`;
    await using child = await ready(write("leaving.py", text));
    child.send({ type: "close" });
    expect(await child.ended()).toBe(0);
    expect(child.out).toBe("closed\nat the exit\n");
  });

  testHere("ends in time when a handler for the exit does not", async () => {
    const text = `import atexit, time\nname = "x"\natexit.register(time.sleep, 1000)\nclass Model:\n  def infer(self, audio, call): return {}\n  def close(self): raise ValueError("in vain")\n`;
    await using child = await ready(write("lingering.py", text));
    child.send({ type: "close" });
    expect(await child.ended()).toBe(0);
    expect(child.err).toContain("close() failed: Traceback");
  });

  testHere("during a call, ends after it", async () => {
    await using child = await ready(pythonModel("obedient"));
    child.setOptions(1, "import time\ntime.sleep(0.1)\nprint('slept')");
    child.start({});
    child.send({ type: "close" });
    expect(await child.ended()).toBe(0);
    expect(child.out).toBe("slept\n");
  });
});

testHere("a model in Python that traces has the span of its call as the current one", async () => {
  // The interface of opentelemetry-api, which is not installed here.
  const text = `
import os, sys, types
current = []
def module(name, **values):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__dict__.update(values)
class Propagator:
    def extract(self, carrier): return dict(carrier)
context = types.SimpleNamespace(attach=lambda c: current.append(c), detach=lambda token: current.pop())
module("opentelemetry", context=context)
module("opentelemetry.trace")
module("opentelemetry.trace.propagation")
module("opentelemetry.trace.propagation.tracecontext", TraceContextTextMapPropagator=Propagator)
name = "x"
traces = True
class Model:
    def __init__(self): self.endpoint = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    def infer(self, audio, call):
        if len(audio) == 1: raise ValueError()
        return {"current": list(current), "endpoint": self.endpoint}
`;
  const tracing = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector" };
  await using child = await PythonChild.ready({ python: python!, model: write("traced.py", text), tracing });
  const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  expect(await child.call({ traceparent })).toEqual([
    { output: { current: [{ traceparent }], endpoint: "http://collector" } },
  ]);
  expect(await child.call({ traceparent, samples: [1] })).toMatchObject([{ error: "ValueError" }]);
  expect(await child.call({})).toEqual([{ output: { current: [], endpoint: "http://collector" } }]);
});
