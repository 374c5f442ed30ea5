/** How much of the picture may be believed: all points by state, as a bar and as figures. */
import { html, render, svg } from '../vendor.js';

/** @type {('good' | 'uncertain' | 'bad' | 'stale' | 'none')[]} */
const STATES = ['good', 'uncertain', 'bad', 'stale', 'none'];
const WIDTH = 300;

export class DataHealth {
  /** @param {HTMLElement} root @param {import('../types').Context} context */
  constructor(root, context) {
    this.root = root;
    this.context = context;
  }

  draw() {
    const { language, state } = this.context;
    const counts = state.health();
    const total = state.ids.length;
    let x = 0;
    const parts = STATES.map((name) => {
      const width = total ? (counts[name] / total) * WIDTH : 0;
      const part = svg`<rect class="health-${name}" x=${x} y="0" width=${width} height="8"></rect>`;
      x += width;
      return part;
    });
    render(
      html`
        <header class="card-head"><h2>${language.t('health.title')}</h2>
          <span class="quiet">${language.t('health.points', { n: total.toLocaleString('en-US') })}</span></header>
        <svg class="health-bar" viewBox="0 0 300 8" preserveAspectRatio="none" aria-hidden="true">
          <defs><pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
            <rect width="5" height="5" class="hatch-ground"></rect><rect width="2" height="5" class="hatch-line"></rect>
          </pattern></defs>
          ${parts}
        </svg>
        <dl class="health-counts">${STATES.map(
          (name) => html`<div class=${counts[name] ? '' : 'zero'} data-testid="health-${name}" data-value=${counts[name]}>
            <dt><span class="key key-${name}" aria-hidden="true"></span>${language.t(`state.${name}`)}</dt>
            <dd>${counts[name].toLocaleString('en-US')}</dd></div>`,
        )}</dl>
      `,
      this.root,
    );
  }
}
