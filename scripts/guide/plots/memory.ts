// Memory of a server while streams come in waves: garbage that only a full collection frees looks like a leak before.

import { ServerProcess } from "../../bench/support/server-process.ts";
import type { Plot } from "../support/plot.ts";

const WAVES = 6;
const STREAMS = 150;
const EVERY_MS = 250;
const PAUSE_MS = 3_000;

interface Row {
  readonly seconds: number;
  readonly resident_mib: number;
  readonly streams: number;
}

export default {
  title: "Memory that grows from wave to wave may be garbage",

  async measure({ executable }) {
    await using server = await ServerProcess.start([
      executable,
      ...["serve", "--port", "0", "--set", "model.delay=0", "--set", "limits.max_sessions_per_address=1000"],
      // Everybody is admitted: the waves are equal.
      ...["--set", "limits.admission.load=1000", "--set", "limits.admission.wait_ms=3600000"],
    ]);
    const rows: Row[] = [];
    const begunAt = performance.now();
    const sample = async (): Promise<void> => {
      const metrics = await (await fetch(`http://${server.host}/metrics`)).text();
      const streams = [...metrics.matchAll(/^streamer_streams_active\{.*\} (\d+)$/gm)];
      rows.push({
        seconds: Math.round((performance.now() - begunAt) / 10) / 100,
        resident_mib: Math.round(server.rssMib * 10) / 10,
        streams: streams.reduce((sum, [, count]) => sum + Number(count), 0),
      });
    };
    let isOver = false;
    const watch = (async () => {
      while (!isOver) await Promise.all([sample(), Bun.sleep(EVERY_MS)]);
    })();
    for (let wave = 0; wave < WAVES; wave++) {
      const flags = ["-n", String(STREAMS), "--ramp", "1", "--settle", "0.5", "--seconds", "3"];
      const bench = Bun.spawn(
        [executable, "bench", "--addr", `ws://${server.host}/api/v1/simple`, ...flags, "--format", "json"],
        { stdin: "ignore", stdout: "ignore", stderr: "ignore" },
      );
      await bench.exited;
      await Bun.sleep(PAUSE_MS);
    }
    isOver = true;
    await watch;
    return rows;
  },

  draw() {
    const x = { field: "seconds", type: "quantitative", title: "time (s)", axis: { tickCount: 10 } };
    const y = (field: string, title: string, zero: boolean) => ({
      field,
      type: "quantitative",
      title,
      scale: { zero },
    });
    return {
      vconcat: [
        { width: 620, height: 170, mark: "line", encoding: { x, y: y("resident_mib", "resident memory (MiB)", true) } },
        { width: 620, height: 80, mark: "area", encoding: { x, y: y("streams", "open streams", true) } },
      ],
    };
  },
} satisfies Plot<Row>;
