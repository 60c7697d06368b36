import { execFileSync } from "node:child_process";

import type { ModelModule } from "../../../src/model/model.ts";

/** A model that reports the variables that it, and a program that it starts, have in their environment. */
export default {
  name: "environment",
  settings: { api_key: { default: "", meaning: "key of a service" } },
  load(settings) {
    const own = Object.keys(process.env);
    const child = execFileSync("env", { encoding: "utf8" });
    return {
      infer() {
        return { own, child, key: settings["api_key"] };
      },
    };
  },
} satisfies ModelModule;
