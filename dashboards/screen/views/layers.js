/** What is drawn on the map and what it means; each row switches its layers. */
import { html, render } from '../vendor.js';
import { icon, lineKey } from './icons.js';

/** @type {('grids' | 'land' | 'buildings' | 'sewers' | 'nodes' | 'meters' | 'labels')[]} */
export const GROUPS = ['grids', 'land', 'buildings', 'sewers', 'nodes', 'meters', 'labels'];
/** @type {('sanitary' | 'storm' | 'combined' | 'interceptor')[]} */
const SYSTEMS = ['sanitary', 'storm', 'combined', 'interceptor'];

/**
 * @typedef {object} MapControls what the map lets these buttons do
 * @property {(group: string, shown: boolean) => void} show
 * @property {() => void} home
 * @property {(steps: 1 | -1) => void} zoom
 * @property {() => void} tilt
 */

export class LayerPanel {
  /** @param {HTMLElement} root @param {import('../types').Context} context @param {MapControls} controls */
  constructor(root, context, controls) {
    this.root = root;
    this.context = context;
    this.controls = controls;
    /** @type {Set<string>} */
    this.hidden = new Set();
  }

  draw() {
    const { language } = this.context;
    render(
      html`
        <header class="card-head"><h2>${language.t('layers.title')}</h2></header>
        <ul class="layers">${GROUPS.map((group) => {
          const shown = !this.hidden.has(group);
          return html`<li><button role="switch" aria-checked=${shown} data-testid="layer-${group}"
            @click=${() => this.#toggle(group)}><span class="tick" aria-hidden="true"></span>${
              language.t(`layers.${group}`)}</button></li>`;
        })}</ul>
        <ul class="line-legend">${SYSTEMS.map(
          (system) => html`<li>${lineKey(system)}${language.t(`system.${system}`)}</li>`,
        )}</ul>
      `,
      this.root,
    );
  }

  /** @param {string} group */
  #toggle(group) {
    const shown = this.hidden.delete(group);
    if (!shown) this.hidden.add(group);
    this.controls.show(group, shown);
    this.draw();
  }
}

/** The buttons at the map's corner. */
export class MapButtons {
  /** @param {HTMLElement} root @param {import('../types').Context} context @param {MapControls} controls */
  constructor(root, context, controls) {
    this.root = root;
    this.context = context;
    this.controls = controls;
  }

  draw() {
    const { language } = this.context;
    /** @param {'home' | 'plus' | 'minus' | 'tilt'} name @param {'home' | 'zoomIn' | 'zoomOut' | 'tilt'} word @param {() => void} act */
    const button = (name, word, act) => html`<button class="square" data-testid="map-${name}"
      title=${language.t(`layers.${word}`)} aria-label=${language.t(`layers.${word}`)} @click=${act}>${icon(name)}</button>`;
    render(
      html`<span class="compass" title=${language.t('layers.north')} aria-hidden="true">${icon('north')}</span>
        ${button('home', 'home', () => this.controls.home())}
        ${button('plus', 'zoomIn', () => this.controls.zoom(1))}
        ${button('minus', 'zoomOut', () => this.controls.zoom(-1))}
        ${button('tilt', 'tilt', () => this.controls.tilt())}`,
      this.root,
    );
  }
}
