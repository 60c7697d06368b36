import { existsSync, writeFileSync } from "node:fs";

import type { ModelModule } from "../../../src/model/model.ts";
import perilous from "./perilous.ts";

/** The model `perilous`, of which calls may be repeated. With a setting `once`, a file, only its first call is perilous. */
export default {
  ...perilous,
  idempotent: true,
  load(settings: Record<string, unknown>) {
    const model = perilous.load(settings);
    const once = String(settings["once"]);
    return {
      warmUp() {},
      infer(audio, call) {
        if (existsSync(once)) return { repeated: true };
        writeFileSync(once, "");
        return model.infer(audio, call);
      },
    };
  },
} satisfies ModelModule;
