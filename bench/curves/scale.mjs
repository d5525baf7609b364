// From values to places on a chart: scales, ticks, numbers as people read them, labels that do not overlap.

/** {at(value) → place, ticks: [value]}; the ends are widened to the next tick, on a linear scale down to 0. */
export function scale({ kind = 'linear', low, high, from, to }) {
  if (!(high >= low)) throw new Error(`a scale from ${low} to ${high}`);
  if (kind === 'log' && low <= 0) throw new Error(`a log scale from ${low}: it begins above 0`);
  const ticks = kind === 'log' ? logTicks(low, high) : linearTicks(Math.min(low, 0), high);
  const [first, last] = [ticks[0], ticks.at(-1)];
  const place = kind === 'log' ? Math.log10 : (value) => value;
  const span = place(last) - place(first) || 1;
  return { ticks, at: (value) => from + ((place(value) - place(first)) / span) * (to - from) };
}

/** Powers of ten, with 2 and 5 between where the values span less than two of them. */
function logTicks(low, high) {
  const steps = high / low >= 100 ? [1] : [1, 2, 5];
  const ticks = [];
  for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e++) {
    for (const step of steps) ticks.push(Number((step * 10 ** e).toPrecision(3)));
  }
  const begin = ticks.findLastIndex((tick) => tick <= low);
  const end = ticks.findIndex((tick) => tick >= high);
  return ticks.slice(begin, end + 1);
}

/** Four to seven multiples of 1, 2 or 5 times a power of ten. */
function linearTicks(low, high) {
  const rough = (high - low || 1) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((s) => s * power >= rough * 0.999) * power;
  const out = [];
  for (let n = Math.floor(low / step); n <= Math.ceil(high / step - 1e-9); n++) out.push(Number((n * step).toPrecision(12)));
  if (out.length === 1) out.push(out[0] + step);
  return out;
}

/** 1234567 → "1.2 M", 10000 → "10 k", 0.0421 → "0.042". */
export function short(value) {
  for (const [size, letter] of [[1e9, ' G'], [1e6, ' M'], [1e3, ' k']]) {
    if (Math.abs(value) >= size) return `${trim(value / size)}${letter}`;
  }
  return trim(value);
}

function trim(value) {
  const digits = Math.abs(value) >= 100 || value === 0 ? 0 : Math.max(0, 1 - Math.floor(Math.log10(Math.abs(value))));
  return String(Number(value.toFixed(digits)));
}

/** Places at least `gap` apart and within [low, high], in the same order, moved as little as is easy. */
export function spread(places, gap, low, high) {
  const order = places.map((place, i) => ({ place, i })).sort((a, b) => a.place - b.place);
  let least = low;
  for (const label of order) {
    label.place = Math.max(label.place, least);
    least = label.place + gap;
  }
  let most = high;
  for (const label of order.toReversed()) {
    label.place = Math.min(label.place, most);
    most = label.place - gap;
  }
  const out = [];
  for (const { place, i } of order) out[i] = place;
  return out;
}
