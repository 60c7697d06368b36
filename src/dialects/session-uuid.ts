const UUID_BYTES = 16;

/** Returns the id of a session, 128 bits in base64url, as a UUID. */
export function sessionUuid(session: string): string {
  const bytes = Buffer.alloc(UUID_BYTES);
  bytes.write(session, "base64url");
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
