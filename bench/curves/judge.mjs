// What a series of samples says: slopes that outliers do not move, and whether something grows.

import { median } from '../lib/figures.mjs';

/** The median of the slopes between all pairs of points (Theil and Sen): y per unit of x. */
export function slope(points) {
  const slopes = [];
  for (let i = 0; i < points.length; i++) {
    for (let j = i + 1; j < points.length; j++) {
      const dx = points[j][0] - points[i][0];
      if (dx > 0) slopes.push((points[j][1] - points[i][1]) / dx);
    }
  }
  return slopes.length === 0 ? 0 : median(slopes);
}

/** The lowest point of each of so many equal spans: what stays when what comes and goes is away. */
export function lows(points, spans = 32) {
  const [first, last] = [points[0][0], points.at(-1)[0]];
  const found = [];
  for (const point of points) {
    const span = Math.min(spans - 1, Math.floor(((point[0] - first) / (last - first || 1)) * spans));
    if (!found[span] || point[1] < found[span][1]) found[span] = point;
  }
  return found.filter(Boolean);
}

function quarter(points, n) {
  const [first, last] = [points[0][0], points.at(-1)[0]];
  const edge = (k) => first + ((last - first) * k) / 4;
  return median(points.filter(([x]) => x >= edge(n - 1) && x <= edge(n)).map(([, y]) => y));
}

/**
 * Whether [[seconds, value]] grows once the first quarter, in which caches fill, is over. It does where the last
 * quarter lies above the second one, and the slope over both together carries as far: a single step, or a last
 * quarter that was high by chance, is one of the two at most. What is allowed between the middles of these quarters
 * is `share` of the second one, and never less than `least`.
 */
export function flatness(points, { share = 0.02, least = 0 } = {}) {
  if (points.length < 16) throw new Error(`${points.length} samples: at least 16 are needed to judge`);
  const [first, last] = [points[0][0], points.at(-1)[0]];
  const settled = points.filter(([x]) => x >= first + (last - first) / 4);
  const [second, end] = [quarter(points, 2), quarter(points, 4)];
  const allowed = Math.max(Math.abs(second) * share, least);
  const perSecond = slope(settled);
  const grew = perSecond * ((last - first) / 2);
  return { flat: !(end - second > allowed && grew > allowed), second, end, allowed, per_hour: perSecond * 3600 };
}
