/** A word-sized chart as SVG: a break in the data is a break in the line. */
import { html, svg } from '../vendor.js';

const WIDTH = 100;
const HEIGHT = 32;
const MARGIN = 2;
/** Fewer values make no line worth a look. */
const FEWEST = 4;

/**
 * @param {(number | null)[][]} rows [time, value]; null values and buckets missing for longer
 *   than `gap` ms break the line
 * @param {number} start Unix ms at the left edge @param {number} end Unix ms at the right edge
 * @param {number} gap ms
 */
export function sparkline(rows, start, end, gap) {
  const runs = runsOf(rows, gap);
  const values = runs.flat().map((row) => row[1]);
  if (values.length < FEWEST) return html`<svg class="spark" viewBox="0 0 100 32" aria-hidden="true"></svg>`;
  const low = Math.min(...values);
  const span = Math.max(...values) - low || 1;
  const x = (/** @type {number} */ t) => ((t - start) / (end - start)) * WIDTH;
  const y = (/** @type {number} */ v) => HEIGHT - MARGIN - ((v - low) / span) * (HEIGHT - 2 * MARGIN);
  const lines = runs.map((run) =>
    run.map(([t, v], i) => `${i ? 'L' : 'M'}${x(t).toFixed(1)} ${y(v).toFixed(1)}`).join(''),
  );
  const areas = runs.map((run, i) => {
    const first = run[0]?.[0] ?? start;
    const last = run.at(-1)?.[0] ?? end;
    return `${lines[i]}L${x(last).toFixed(1)} ${HEIGHT}L${x(first).toFixed(1)} ${HEIGHT}Z`;
  });
  return html`<svg class="spark" viewBox="0 0 100 32" preserveAspectRatio="none" aria-hidden="true">
    ${svg`<path class="spark-area" d=${areas.join('')}></path>
      <path class="spark-line" d=${lines.join('')}></path>`}
  </svg>`;
}

/** @param {(number | null)[][]} rows @param {number} gap @returns {[number, number][][]} */
function runsOf(rows, gap) {
  /** @type {[number, number][][]} */
  const runs = [];
  let previous = -Infinity;
  for (const [t, v] of rows) {
    if (t === null || t === undefined || v === null || v === undefined) {
      previous = -Infinity;
      continue;
    }
    if (t - previous > gap) runs.push([]);
    runs.at(-1)?.push([t, v]);
    previous = t;
  }
  return runs;
}
