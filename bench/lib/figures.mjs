// Medians, rounding, reading, tables.

export function median(values) {
  const sorted = values.filter((value) => Number.isFinite(value)).sort((a, b) => a - b);
  if (!sorted.length) return null;
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Three significant digits, all digits of what is larger. */
export function rounded(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return null;
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value) || 1)));
  return Number(value.toFixed(Math.min(digits, 3)));
}

/** A program's line of name=value, as numbers. */
export const numbers = (line) =>
  Object.fromEntries(line.trim().split(' ').map((pair) => pair.split('=')).map(([name, value]) => [name, Number(value)]));

export const text = (value) =>
  value === null || value === undefined
    ? '–'
    : typeof value === 'number'
      ? rounded(value).toLocaleString('en-US')
      : String(value);

/** Rows of cells under a head: for a terminal. The first column is left-aligned. */
export function table(head, rows) {
  const cells = [head, ...rows].map((row) => row.map(text));
  const widths = head.map((_, i) => Math.max(...cells.map((row) => row[i].length)));
  return cells
    .map((row) => row.map((cell, i) => (i ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join('  ').trimEnd())
    .join('\n');
}

/** The same for Markdown. */
export function markdown(head, rows) {
  const line = (cells) => `| ${cells.map((cell) => text(cell).replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), `|${head.map((_, i) => (i ? '---:' : '---')).join('|')}|`, ...rows.map(line)].join('\n');
}
