import { appendFileSync, existsSync } from "node:fs";

import type { ModelModule } from "../../../src/model/model.ts";

/** Fails to load in the way that its setting `how` names. */
export default {
  name: "broken",
  validate: (settings: Record<string, unknown>) => (settings["how"] === "settings" ? ["how: not like this"] : []),
  load(settings: Record<string, unknown>, { spawn }: { spawn: number }) {
    const good = {
      infer: (audio: Float32Array) => (audio[0] === 2 ? process.exit(3) : { count: audio.length, spawn }),
    };
    switch (settings["how"]) {
      case "throw":
        throw new Error("no weights");
      case "exit":
        return process.exit(5);
      case "exit0":
        return process.exit(0);
      case "hang":
        return new Promise<never>(() => {});
      case "slow":
        return (async () => {
          while (!existsSync(String(settings["file"]))) await Bun.sleep(5);
          return good;
        })();
      case "empty":
        return {} as never;
      case "warm up":
        return { ...good, warmUp: () => Promise.reject(new Error("cold")) };
      case "second time":
        if (spawn > 0) throw new Error("only once");
        return good;
      case "close": {
        const write = (text: string): void => appendFileSync(String(settings["file"]), text);
        return {
          warmUp() {},
          infer: async (audio: Float32Array) => {
            if (audio[0] === 3) await Bun.sleep(50);
            write("called\n");
            return {};
          },
          close: () => write("closed"),
        };
      }
    }
    return good;
  },
} satisfies ModelModule;
