type Environment = Readonly<Record<string, string | undefined>>;

/** Settings of the server, some of which may be secrets, and the token of a client. */
const OWN = /^STREAMER_(?:_|TOKEN$)/i;

/** Returns the environment for threads and processes that the program starts: without variables of its own. */
export function childEnvironment(env: Environment = process.env): Record<string, string> {
  const given = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return Object.fromEntries(given.filter(([name]) => !OWN.test(name)));
}
