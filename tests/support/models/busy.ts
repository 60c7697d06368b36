import { writeFileSync } from "node:fs";

import type { ModelModule } from "streamer/model";

/** Processor time of a call, in microseconds. */
const CALL_US = 300_000;

/**
 * Computes for a fixed time of its thread's processor, which stands still while the process is frozen. Creates a file
 * when it begins.
 */
const module: ModelModule = {
  name: "busy",
  load: (settings: Record<string, unknown>) => ({
    warmUp() {},
    infer(audio) {
      writeFileSync(String(settings["started"]), "");
      const begin = process.threadCpuUsage();
      for (;;) {
        const { user, system } = process.threadCpuUsage(begin);
        if (user + system >= CALL_US) return { count: audio.length };
      }
    },
  }),
};

export default module;
