/** Formats a number with thousands separators: 864,000. */
export function formatNumber(value: number): string {
  return value.toLocaleString("en-US");
}

/** Formats a count with its noun: "1 error", "2,000 errors". */
export function formatCount(count: number, noun: string): string {
  return `${formatNumber(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** Formats seconds as a clock: 0:07, 12:34 or 1:02:03. */
export function formatClock(seconds: number): string {
  const whole = Math.floor(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const rest = String(whole % 60).padStart(2, "0");
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}
