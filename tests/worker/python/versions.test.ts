import { expect, setDefaultTimeout } from "bun:test";

import { PythonChild } from "../../support/python-child.ts";
import { otherPythons, python, pythonModel } from "../../support/python.ts";
import { testWith } from "../../support/requirements.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const versions = python === undefined ? [] : otherPythons();

testWith(python)(
  "each version of Python from 3.9 on runs models, and an older one is refused by its version",
  async () => {
    const found = await Promise.all(
      versions.map(async (version) => {
        await using child = await PythonChild.start({ python: version, model: pythonModel("obedient") });
        const first = await child.next();
        if (first?.type === "load_failed") {
          expect(first["message"]).toMatch(
            /^the interpreter \S+ is Python [23]\.[0-8]\.\d+; allowed: Python 3\.9 or newer \(model\.python chooses another one\)$/,
          );
          expect(await child.ended()).toBe(1);
          return "refused";
        }
        child.send({ type: "open", settings: {} });
        expect(await child.next()).toMatchObject({
          type: "ready",
          info: { python: { executable: expect.any(String) } },
        });
        const order = "def f():\n  raise ValueError('x')\nresult = {'sum': float(sum(audio))}\nif call.final: f()";
        expect((await child.order(order, { samples: [1, 2], final: false })).output).toEqual({ sum: 3 });
        expect(await child.order(order)).toMatchObject({
          error: "ValueError: x",
          stack: expect.stringContaining("in f"),
        });
        child.setOptions(
          1,
          "import asyncio\nasync def later():\n  await asyncio.sleep(0)\n  return {'late': 1}\nresult = later()",
        );
        expect((await child.call({}))[0]?.output).toEqual({ late: 1 });
        child.send({ type: "close" });
        expect(await child.ended()).toBe(0);
        expect(child.err).toBe("");
        const pinned = { python: version, model: pythonModel("obedient_pinned") };
        await using streams = await PythonChild.ready(pinned);
        expect(await streams.call({ step: "start", samples: [1] })).toEqual([{ opened: true }]);
        return "loaded";
      }),
    );
    expect(found).toContain("loaded");
  },
);
