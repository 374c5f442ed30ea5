/** Small drawings. Every priority has a shape and a number beside its colour. */
import { html, svg } from '../vendor.js';

/** @typedef {import('../types').Priority} Priority */

/** @type {Priority[]} */
export const PRIORITIES = ['critical', 'high', 'medium', 'low'];

const SHAPES = {
  critical: 'M6.6 1h6.8L19 6.6v6.8L13.4 19H6.6L1 13.4V6.6z',
  high: 'M10 1.5 19.2 18H.8z',
  medium: 'M10 .8 19.2 10 10 19.2.8 10z',
  low: 'M10 1.2a8.8 8.8 0 1 0 0 17.6 8.8 8.8 0 0 0 0-17.6z',
};

/** @param {string} priority a rank outside the four counts as low @returns {Priority} */
export function known(priority) {
  return /** @type {Priority} */ (priority in SHAPES ? priority : 'low');
}

/** @param {string} priority 1 is the most urgent */
export function rank(priority) {
  return PRIORITIES.indexOf(known(priority)) + 1;
}

/**
 * @param {string} priority
 * @param {'unacked' | 'acked' | 'returned'} look filled, outlined, dashed
 */
export function priorityShape(priority, look = 'unacked') {
  const shape = known(priority);
  const y = shape === 'high' ? 15.6 : 14.2;
  return html`<svg class="shape shape-${shape} shape-${look}" viewBox="-1 -1 22 22" aria-hidden="true">
    <path d=${SHAPES[shape]}></path>
    <text x="10" y=${y} text-anchor="middle">${rank(shape)}</text>
  </svg>`;
}

const PATHS = {
  close: 'M5 5l10 10M15 5L5 15',
  plus: 'M10 4v12M4 10h12',
  minus: 'M4 10h12',
  home: 'M3.5 9.5 10 4l6.5 5.5M5.5 8.5V16h9V8.5',
  tilt: 'M2.5 13.5 10 9.8l7.5 3.7L10 17.2zM2.5 7.8 10 4.1l7.5 3.7L10 11.5z',
  search: 'M8.7 3.5a5.2 5.2 0 1 1 0 10.4 5.2 5.2 0 0 1 0-10.4zM12.6 12.6 17 17',
  north: 'M10 2.5l4.2 13.5L10 13.2 5.8 16z',
  rising: 'M4 14 14 5M8 4.8h6.2V11',
  falling: 'M4 5l10 9M8 14.2h6.2V8',
  steady: 'M3 10h12M11 6l4 4-4 4',
  pin: 'M10 18s5.5-5.6 5.5-9.7A5.5 5.5 0 0 0 4.5 8.3C4.5 12.4 10 18 10 18zM10 6.3a2.1 2.1 0 1 1 0 4.2 2.1 2.1 0 0 1 0-4.2z',
};

/** @param {keyof typeof PATHS} name */
export function icon(name) {
  return html`<svg class="icon" viewBox="0 0 20 20" aria-hidden="true"><path d=${PATHS[name]}></path></svg>`;
}

/** A line key for the legend, dashed as on the map. @param {string} kind */
export function lineKey(kind) {
  return html`<svg class="line-key line-${kind}" viewBox="0 0 30 10" aria-hidden="true">
    ${svg`<path d="M1 5h28"></path><path class="arrow" d="M13 2.2 17.5 5 13 7.8z"></path>`}
  </svg>`;
}
