/** The side panel of one asset: its points with value, age and quality, attributes, relations. */
import { unitText } from '../format.js';
import { html, render, nothing } from '../vendor.js';
import { ageText, stateMark, stateWords, valueText } from './value.js';
import { icon, priorityShape } from './icons.js';
import { byUrgency } from './alarms.js';
import { ApiError } from '../session.js';

/** @typedef {import('../types').Related} Related */

const RELATIONS = 16;

export class AssetPanel {
  /** @param {HTMLElement} root @param {import('../types').Context} context */
  constructor(root, context) {
    this.root = root;
    this.context = context;
    /** @type {{ asset: string, relations: Related[] | null, failed: boolean }} */
    this.links = { asset: '', relations: null, failed: false };
  }

  draw() {
    const { selection, model } = this.context;
    const asset = selection.asset ? model.assets.get(selection.asset) : undefined;
    this.root.hidden = !asset;
    this.root.dataset['asset'] = asset?.id ?? '';
    if (!asset) return;
    if (this.links.asset !== asset.id) this.#readLinks(asset.id);
    render(this.#template(asset), this.root);
  }

  /** @param {string} asset */
  async #readLinks(asset) {
    this.links = { asset, relations: null, failed: false };
    try {
      const answer = await this.context.api.get(`assets/${encodeURIComponent(asset)}`);
      if (this.links.asset === asset) this.links.relations = answer.relations;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (this.links.asset === asset) this.links.failed = true;
    }
    this.draw();
  }

  /** @param {import('../types').AssetFeature} asset */
  #template(asset) {
    const { language, model, selection, state } = this.context;
    const points = model.pointsOf(asset.id);
    const alarms = state.alarms.filter((alarm) => alarm.asset === asset.id).sort(byUrgency);
    const worst = alarms[0];
    return html`
      <header class="card-head panel-head">
        <div>
          <h2 data-testid="panel-name">${language.name(asset.properties.name)}</h2>
          <p class="quiet"><span class="id">${asset.id}</span> ${model.typeName(asset, language)}</p>
        </div>
        <button class="square" data-testid="panel-close" title=${language.t('panel.close')}
          aria-label=${language.t('panel.close')} @click=${() => selection.choose(null)}>${icon('close')}</button>
      </header>
      <div class="panel-body">
        ${worst
          ? html`<p class="panel-alarm alarm-${worst.priority}">${priorityShape(
              worst.priority, worst.unacked ? 'unacked' : 'acked')}<span>${language.name(worst.message)}</span></p>`
          : nothing}
        ${points.length
          ? html`<table class="points"><thead class="sr"><tr><th>${language.t('panel.point')}</th>
                <th>${language.t('panel.value')}</th><th>${language.t('panel.age')}</th></tr></thead>
              <tbody>${points.map((point) => this.#point(point))}</tbody></table>`
          : html`<p class="quiet panel-empty">${language.t('panel.noPoints')}</p>`}
        ${this.#attributes(asset)} ${this.#relations(asset.id)}
      </div>
    `;
  }

  /** @param {import('../types').PointInfo} point */
  #point(point) {
    const { language, state, selection, model } = this.context;
    const asset = model.assets.get(point.asset);
    const reading = state.reading(point.point);
    const chosen = selection.point === point.point;
    const choose = () => selection.choose(selection.asset, point.point);
    return html`<tr class="point state-${reading.state} ${chosen ? 'chosen' : ''}" data-testid="point"
      data-point=${point.point} data-value=${reading.value ?? ''} data-state=${reading.state}
      title=${stateWords(reading, language)} @click=${choose}>
      <td><button class="link" aria-pressed=${chosen} @click=${choose}>${shortName(language.name(point.name), language.name(asset?.properties.name))}</button></td>
      <td class="num">${stateMark(reading, language)}<b>${valueText(reading, point.unit)}</b>
        <span class="unit">${unitText(point.unit)}</span></td>
      <td class="age">${ageText(reading, language)}</td>
    </tr>`;
  }

  /** @param {import('../types').AssetFeature} asset */
  #attributes(asset) {
    const { language } = this.context;
    const rows = Object.entries(asset.properties.attributes).filter(
      ([, value]) => ['string', 'number', 'boolean'].includes(typeof value) && value !== '',
    );
    if (!rows.length) return nothing;
    return html`<h3>${language.t('panel.attributes')}</h3>
      <dl class="attributes">${rows.map(
        ([key, value]) => html`<dt>${language.word('attribute', key)}</dt><dd>${
          key === 'system' ? language.word('system', String(value)) : String(value)}</dd>`,
      )}</dl>`;
  }

  /** @param {string} id */
  #relations(id) {
    const { language, model, selection } = this.context;
    if (this.links.failed) return html`<p class="quiet">${language.t('panel.relationsFailed')}</p>`;
    const relations = this.links.asset === id ? (this.links.relations ?? []) : [];
    if (!relations.length) return nothing;
    return html`<h3>${language.t('panel.relations')}</h3>
      <ul class="relations">${relations.slice(0, RELATIONS).map(({ relation, direction, asset }) => {
        const other = model.assets.get(asset);
        return html`<li><span class="quiet">${language.word(`relation.${direction}`, relation)}</span>
          <button class="link" @click=${() => selection.choose(asset)} ?disabled=${!other}>${
            other ? language.name(other.properties.name) : asset}</button></li>`;
      })}
      ${relations.length > RELATIONS
        ? html`<li class="quiet">${language.t('panel.more', { n: relations.length - RELATIONS })}</li>` : nothing}</ul>`;
  }
}

/** A point's name without its asset's, which the panel's head shows. @param {string} name @param {string} asset */
function shortName(name, asset) {
  const rest = asset && name.startsWith(asset) ? name.slice(asset.length).trim() : name;
  return rest || name;
}
