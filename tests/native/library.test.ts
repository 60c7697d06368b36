import { expect, test } from "bun:test";

test("a thread opens only the functions of the C library that it uses, because each stays in memory when it ends", async () => {
  const worker = new Worker(new URL("../support/native/opened.worker.ts", import.meta.url));
  const opened = await new Promise((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<string[]>) => resolve(data.toSorted());
    worker.onerror = ({ message }) => reject(new Error(message));
  });
  worker.terminate();
  expect(opened).toEqual(["sa_abi_version", "sa_copy"]);
});
