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

/** The secret of a client. `Bun.spawn`, and models, which may read `/proc/self/environ`, would pass it on. */
const CLIENT_SECRETS = ["STREAMER_TOKEN"] as const;
/** Commands that need it. They start no program of a user. */
const CLIENTS = ["send", "watch", "health", "bench"];

/**
 * Makes the executable independent of variables that are meant for Bun, and keeps the secret of a client from commands
 * that are none: if there are any, replaces the process by the same program without them. Bun opens a debugger before
 * this code runs, and has no option against it for executables.
 */
export function ignoreRuntimeVariables(): void {
  if (!Bun.isStandaloneExecutable || process.execve === undefined) return;
  const env = { ...process.env };
  const unwanted = CLIENTS.includes(process.argv[2] ?? "") ? VARIABLES : [...VARIABLES, ...CLIENT_SECRETS];
  const found = unwanted.filter((name) => env[name] !== undefined);
  if (found.length === 0) return;
  for (const name of found) delete env[name];
  restart(env);
}

/** Replaces the process by the same program with this environment. Returns only where that is not possible. */
export function restart(env: NodeJS.ProcessEnv): void {
  if (!Bun.isStandaloneExecutable) return;
  process.execve?.(process.execPath, [process.argv0, ...process.argv.slice(2)], env);
}
