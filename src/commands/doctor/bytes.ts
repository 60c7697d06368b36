import { formatNumber } from "../terminal/numbers.ts";

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

/** Formats a number of bytes: 512 MiB, 23.5 GiB. */
export function formatBytes(bytes: number): string {
  if (bytes < 10 * GIB) return `${formatNumber(Math.floor(bytes / MIB))} MiB`;
  return `${formatNumber(Math.floor((bytes / GIB) * 10) / 10)} GiB`;
}
