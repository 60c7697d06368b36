import { expect } from "bun:test";

/** Programs that print without pause. They end by themselves, so that a reader that takes every turn does not hang. */
export const ENDLESS_OUTPUTS: readonly [what: string, command: readonly string[]][] = [
  ["blank lines", ["timeout", "30", "yes", ""]],
  ["a line without an end", ["timeout", "30", "cat", "/dev/zero"]],
];

/**
 * Reads the output of a program through a pipe, and expects that other tasks run while it prints.
 * @param hasCome something has been read: the program may need a while for its start
 */
export async function whileItPrints(
  command: readonly string[],
  read: (stream: ReadableStream<Uint8Array>) => Promise<void>,
  hasCome = (): boolean => true,
): Promise<void> {
  const child = Bun.spawn([...command], { stdout: "pipe", stderr: "inherit" });
  const whole = read(child.stdout);
  try {
    for (let turn = 0; turn < 20 || !hasCome(); turn++) await Bun.sleep(1);
    expect(child.exitCode).toBeNull();
  } finally {
    child.kill();
    await child.exited;
    await whole;
  }
}
