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
      case "empty":
        return {} as never;
      case "warm up":
        return { ...good, warmUp: () => Promise.reject(new Error("cold")) };
      case "second time":
        if (spawn > 0) throw new Error("only once");
        return good;
      case "close": {
        const path = String(settings["file"]);
        return { ...good, close: () => void require("node:fs").writeFileSync(path, "closed") };
      }
    }
    return good;
  },
} satisfies ModelModule;
