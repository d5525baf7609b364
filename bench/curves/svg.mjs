// A line chart as SVG: few marks, units on the axes, each line named at its end, readable on light and dark pages.

import { scale, short, spread } from './scale.mjs';

const WIDTH = 720;
const HEIGHT = 340;
const PLOT = { left: 64, right: WIDTH - 170, top: 48, bottom: HEIGHT - 52 };
const LINE_GAP = 15;
const COLOURS = ['blue', 'orange', 'green', 'purple', 'grey'];

// Tones between: a page may be dark where the system is light, so no media query would know.
const STYLE = `
  text { font: 12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #768390; }
  .title { font-size: 14px; font-weight: 600; }
  .grid { stroke: #8c959f; stroke-opacity: .28; }
  .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
  line.limit { stroke: #e5534b; stroke-dasharray: 5 4; } text.limit { fill: #e5534b; }
  .line.blue { stroke: #3b82f6; } text.blue, circle.blue { fill: #3b82f6; }
  .line.orange { stroke: #d9730d; } text.orange, circle.orange { fill: #d9730d; }
  .line.green { stroke: #2da44e; } text.green, circle.green { fill: #2da44e; }
  .line.purple { stroke: #986ee2; } text.purple, circle.purple { fill: #986ee2; }
  .line.grey { stroke: #768390; } text.grey, circle.grey { fill: #768390; }`;

export function escape(text) {
  return String(text).replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);
}

const round = (place) => Number(place.toFixed(1));

function text(x, y, content, { anchor = 'start', name = '' } = {}) {
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}"${name && ` class="${name}"`}>${escape(content)}</text>`;
}

function rule(x1, y1, x2, y2, name) {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" class="${name}"/>`;
}

function axes(chart, x, y) {
  const out = [text(8, 20, chart.title, { name: 'title' }), text(8, PLOT.top - 10, chart.y.label)];
  for (const tick of y.ticks) {
    out.push(rule(PLOT.left, y.at(tick), PLOT.right, y.at(tick), 'grid'));
    out.push(text(PLOT.left - 8, y.at(tick) + 4, short(tick), { anchor: 'end' }));
  }
  for (const tick of chart.x.ticks ?? x.ticks) {
    out.push(text(x.at(tick), PLOT.bottom + 18, short(tick), { anchor: 'middle' }));
  }
  out.push(text((PLOT.left + PLOT.right) / 2, HEIGHT - 12, chart.x.label, { anchor: 'middle' }));
  return out;
}

function line(series, colour, x, y) {
  const places = series.points.map(([a, b]) => `${round(x.at(a))},${round(y.at(b))}`);
  const out = [`<polyline points="${places.join(' ')}" class="line ${colour}"/>`];
  if (series.points.length <= 12) {
    for (const [a, b] of series.points) {
      out.push(`<circle cx="${round(x.at(a))}" cy="${round(y.at(b))}" r="3" class="${colour}"/>`);
    }
  }
  return out;
}

/**
 * {title, x: {label, kind?, ticks?}, y: {label, kind?}, series: [{name, points: [[x, y]]}], limits?: [{name, y}]} → text.
 * `kind` is linear or log. Titles and axes name units; a limit is a dashed line.
 */
export function chart(spec) {
  const points = spec.series.flatMap((s) => s.points);
  const limits = spec.limits ?? [];
  const [xs, ys] = [points.map(([a]) => a), [...points.map(([, b]) => b), ...limits.map((l) => l.y)]];
  const ends = (values) => ({
    low: values.reduce((a, b) => Math.min(a, b)), high: values.reduce((a, b) => Math.max(a, b)),
  });
  const x = scale({ kind: spec.x.kind, ...ends(xs), from: PLOT.left, to: PLOT.right });
  const y = scale({ kind: spec.y.kind, ...ends(ys), from: PLOT.bottom, to: PLOT.top });
  const named = [
    ...spec.series.map((s, i) => ({ ...s, colour: COLOURS[i % COLOURS.length], end: s.points.at(-1)[1] })),
    ...limits.map((l) => ({ name: l.name, colour: 'limit', end: l.y })),
  ];
  const places = spread(named.map((n) => y.at(n.end)), LINE_GAP, PLOT.top, PLOT.bottom);
  const body = axes(spec, x, y);
  for (const limit of limits) body.push(rule(PLOT.left, y.at(limit.y), PLOT.right, y.at(limit.y), 'limit'));
  for (const n of named) if (n.points) body.push(...line(n, n.colour, x, y));
  named.forEach((n, i) => body.push(text(PLOT.right + 10, places[i] + 4, n.name, { name: n.colour })));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" ` +
    `aria-label="${escape(spec.title)}">\n<style>${STYLE}\n</style>\n${body.join('\n')}\n</svg>\n`;
}
