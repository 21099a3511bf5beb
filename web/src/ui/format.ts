const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** 1536 -> "1.5 KiB" */
export function formatBytes(bytes: number): string {
  const power = bytes > 0 ? Math.min(Math.floor(Math.log2(bytes) / 10), BYTE_UNITS.length - 1) : 0;
  return `${(bytes / 1024 ** power).toFixed(power > 0 ? 1 : 0)} ${BYTE_UNITS[power]}`;
}

const TIME_UNITS = [
  ["d", 86400],
  ["h", 3600],
  ["min", 60],
] as const;

/** 7260 -> "2 h" */
export function formatDuration(seconds: number): string {
  const unit = TIME_UNITS.find(([, size]) => seconds >= size);
  return unit ? `${Math.floor(seconds / unit[1])} ${unit[0]}` : `${Math.max(Math.floor(seconds), 0)} s`;
}
