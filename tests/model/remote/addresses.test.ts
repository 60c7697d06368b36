import { expect, test } from "bun:test";

import { Addresses } from "../../../src/model/remote/addresses.ts";
import { ManualClock } from "../../support/manual-clock.ts";

/** Addresses of URLs, whose names have the addresses in `names`; a name that is not there cannot be looked up. */
async function addresses(urls: readonly string[], names: Record<string, string[]>) {
  const clock = new ManualClock();
  const found: string[][] = [];
  const logged: string[] = [];
  const opened = new Addresses({
    urls,
    resolveMs: 30_000,
    onChange: (list) => found.push(list.map(({ url, hostName = "", label }) => [url, hostName, label].join(" "))),
    log: (message) => logged.push(message),
    clock,
    lookUp: (name) => {
      const list = names[name];
      return list === undefined
        ? Promise.reject(Object.assign(new Error("no"), { code: "ENOTFOUND" }))
        : Promise.resolve(list);
    },
  });
  await opened.start();
  const advance = async (milliseconds: number) => {
    clock.advance(milliseconds);
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  };
  return { opened, clock, found, logged, advance };
}

test("a URL is an address, without the slash at its end", async () => {
  const { found, clock } = await addresses(["http://a:8000/", "https://b/base/"], {});
  expect(found).toEqual([["http://a:8000  a:8000", "https://b/base  b"]]);
  expect(clock.pending).toBe(0);
});

test("a URL with dns+ is all addresses of its name, looked up again from time to time", async () => {
  const names = { engines: ["10.0.0.2", "10.0.0.1", "fd00::1"] };
  const { found, advance } = await addresses(["dns+http://engines:8000/base"], names);
  names.engines = ["10.0.0.3"];
  await advance(30_000);
  expect(found).toEqual([
    [
      "http://10.0.0.1:8000/base engines:8000 engines:8000",
      "http://10.0.0.2:8000/base engines:8000 engines:8000",
      "http://[fd00::1]:8000/base engines:8000 engines:8000",
    ],
    ["http://10.0.0.3:8000/base engines:8000 engines:8000"],
  ]);
});

test("a name that cannot be looked up keeps its addresses, is tried again soon, and is reported once", async () => {
  const names: Record<string, string[]> = { engines: ["10.0.0.1"] };
  const { found, logged, advance } = await addresses(["dns+http://engines:8000"], names);
  delete names["engines"];
  await advance(30_000);
  await advance(2_000);
  expect(found).toHaveLength(3);
  expect(new Set(found.map(String))).toEqual(new Set(["http://10.0.0.1:8000 engines:8000 engines:8000"]));
  expect(logged).toEqual(["engines cannot be looked up: ENOTFOUND"]);
});

test("closed addresses are not looked up any more", async () => {
  const { opened, clock } = await addresses(["dns+http://engines:8000"], { engines: [] });
  opened.close();
  expect(clock.pending).toBe(0);
});
