/** Finds an asset by name or id; the way to any asset without a mouse. */
import { html, render, nothing, live } from '../vendor.js';
import { icon } from './icons.js';

const LISTED = 8;

export class Search {
  /** @param {HTMLElement} root @param {import('../types').Context} context */
  constructor(root, context) {
    this.root = root;
    this.context = context;
    this.text = '';
    this.active = 0;
  }

  draw() {
    const { language, model } = this.context;
    const found = model.find(this.text, LISTED);
    const open = this.text.trim() !== '';
    render(
      html`
        <label class="search-box">${icon('search')}<span class="sr">${language.t('search.label')}</span>
          <input type="search" data-testid="search" autocomplete="off" role="combobox" aria-expanded=${open}
            aria-controls="search-results" placeholder=${language.t('search.placeholder')} .value=${live(this.text)}
            @input=${(/** @type {InputEvent} */ event) => this.#type(event)}
            @keydown=${(/** @type {KeyboardEvent} */ event) => this.#key(event, found)} /></label>
        <ul class="search-results" id="search-results" role="listbox" ?hidden=${!open}>
          ${found.map(
            (asset, i) => html`<li role="option" aria-selected=${i === this.active} data-testid="found"
              data-asset=${asset.id} @click=${() => this.#choose(asset.id)}>${language.name(asset.properties.name)}
              <span class="quiet"><span class="id">${asset.id}</span> ${model.typeName(asset, language)}</span></li>`,
          )}
          ${open && !found.length ? html`<li class="quiet">${language.t('search.none')}</li>` : nothing}
        </ul>
      `,
      this.root,
    );
  }

  /** @param {InputEvent} event */
  #type(event) {
    this.text = /** @type {HTMLInputElement} */ (event.target).value;
    this.active = 0;
    this.draw();
  }

  /** @param {KeyboardEvent} event @param {import('../types').AssetFeature[]} found */
  #key(event, found) {
    if (event.key === 'Escape') this.#clear();
    else if (event.key === 'ArrowDown') this.active = Math.min(this.active + 1, found.length - 1);
    else if (event.key === 'ArrowUp') this.active = Math.max(this.active - 1, 0);
    else if (event.key === 'Enter') {
      const asset = found[this.active];
      if (asset) this.#choose(asset.id);
    } else return;
    event.preventDefault();
    this.draw();
  }

  /** @param {string} asset */
  #choose(asset) {
    const first = this.context.model.pointsOf(asset)[0];
    this.#clear();
    this.context.selection.choose(asset, first?.point);
  }

  #clear() {
    this.text = '';
    this.active = 0;
    this.draw();
  }
}
