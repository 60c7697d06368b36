/** Formats a number with thousands separators: 864,000. */
export function formatNumber(value: number): string {
  return value.toLocaleString("en-US");
}

/** Formats a count with its noun: "1 error", "2,000 errors". */
export function formatCount(count: number, noun: string): string {
  return `${formatNumber(count)} ${noun}${count === 1 ? "" : "s"}`;
}
