import { cpus, loadavg } from "node:os";

function load(): string {
  return loadavg()
    .map((average) => average.toFixed(2))
    .join(" ");
}

/**
 * Prints the processor and the load of the machine, now and when the process ends. Numbers from a busy machine prove
 * little.
 */
export function printMachine(): void {
  const [{ model } = { model: "unknown processor" }] = cpus();
  console.log(`machine: ${model}, ${cpus().length} cores, load ${load()}`);
  process.on("exit", () => console.log(`machine: load ${load()} at the end`));
}
