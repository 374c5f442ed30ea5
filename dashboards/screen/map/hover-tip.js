/** The small card beside the mouse: what this is and what it measures now. */
import { unitText } from '../format.js';
import { html, render } from '../vendor.js';
import { ageText, stateMark, valueText } from '../views/value.js';

const POINTS = 4;

export class HoverTip {
  /** @param {HTMLElement} element @param {import('../types').Context} context */
  constructor(element, context) {
    this.element = element;
    this.context = context;
    /** @type {string | null} */
    this.asset = null;
  }

  /** @param {string | null} asset @param {{ x: number, y: number } | null} place pixels in the map */
  show(asset, place) {
    this.asset = asset;
    this.element.hidden = asset === null;
    if (place) this.element.style.translate = `${place.x + 16}px ${place.y + 14}px`;
    this.refresh();
  }

  refresh() {
    const { model, language, state } = this.context;
    const asset = this.asset ? model.assets.get(this.asset) : undefined;
    if (!asset) return;
    render(
      html`<strong>${language.name(asset.properties.name)}</strong>
        <span class="quiet"><span class="id">${asset.id}</span> ${model.typeName(asset, language)}</span>
        ${model.pointsOf(asset.id).slice(0, POINTS).map((point) => {
          const reading = state.reading(point.point);
          return html`<span class="tip-row state-${reading.state}"><span>${language.name(point.name)}</span>
            <b>${stateMark(reading, language)}${valueText(reading, point.unit)} <small>${unitText(point.unit)}</small></b>
            <span class="age">${ageText(reading, language)}</span></span>`;
        })}`,
      this.element,
    );
  }
}
