/**
 * Variables with which the environment gives orders to Bun 1.4.5 itself: to load files, to open a debugger. The build
 * (`scripts/build.ts`) makes the executable ignore `BUN_OPTIONS`; models that start Bun would still pass it on.
 */
const VARIABLES = [
  "BUN_OPTIONS",
  "BUN_INSPECT",
  "BUN_INSPECT_CONNECT_TO",
  "BUN_INSPECT_NOTIFY",
  "BUN_INSPECT_PRELOAD",
] as const;

/**
 * Makes the executable independent of variables that are meant for Bun: if there are any, replaces the process by the
 * same program without them. Bun opens a debugger before this code runs, and has no option against it for executables.
 */
export function ignoreRuntimeVariables(): void {
  if (!Bun.isStandaloneExecutable || process.execve === undefined) return;
  const env = { ...process.env };
  const found = VARIABLES.filter((name) => env[name] !== undefined);
  if (found.length === 0) return;
  for (const name of found) delete env[name];
  process.execve(process.execPath, [process.argv0, ...process.argv.slice(2)], env);
}
