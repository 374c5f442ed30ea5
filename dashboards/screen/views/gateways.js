/** The bottom strip: every gateway with its state and lag, and how fast values arrive. */
import { html, render, nothing } from '../vendor.js';
import { duration, shortAge } from '../format.js';

const LAG_SHOWN_MS = 5000;

export class GatewayStrip {
  /** @param {HTMLElement} root @param {import('../types').Context} context */
  constructor(root, context) {
    this.root = root;
    this.context = context;
  }

  draw() {
    const { language, state, feed } = this.context;
    const rate = feed.link === 'offline' ? null : state.rate.perSecond();
    const gateways = [...state.gateways.values()];
    render(
      html`
        <h2 class="strip-title">${language.t('gateways.title')}</h2>
        <ul class="gateways">
          ${gateways.map((gateway) => this.#gateway(gateway))}
          ${gateways.length === 0 ? html`<li class="quiet">${language.t('gateways.none')}</li>` : nothing}
        </ul>
        <p class="strip-rate"><span class="quiet">${language.t('gateways.rate')}</span>
          <b data-testid="rate" data-value=${rate ?? ''}>${rate === null ? '–' : Math.round(rate).toLocaleString('en-US')}</b>
          <span class="unit">${language.t('gateways.perSecond')}</span></p>
      `,
      this.root,
    );
  }

  /** @param {import('../types').GatewayState} gateway */
  #gateway(gateway) {
    const { language, clock, feed, model } = this.context;
    const name = gateway.name ?? model.assets.get(gateway.id)?.properties.name;
    // What the page does not hear about it cannot call online.
    const word = feed.link === 'offline' ? 'unknown' : gateway.online ? 'online' : 'offline';
    const lag = gateway.lag_ms ?? 0;
    return html`<li class="gateway gateway-${word}" data-testid="gateway" data-gateway=${gateway.id}
      data-state=${word}>
      <span class="lamp-shape" aria-hidden="true"></span>
      <span class="gateway-name">${language.name(name) || gateway.id}</span>
      <span class="gateway-word">${
        word === 'unknown' ? '–' : language.t(word === 'online' ? 'gateways.online' : 'gateways.offline')}</span>
      <span class="quiet">${
        gateway.last_seen_at === null
          ? language.t('age.never')
          : language.t('gateways.seen', { age: shortAge(clock.age(gateway.last_seen_at), language) })
      }${lag > LAG_SHOWN_MS ? ` · ${language.t('gateways.lag', { lag: duration(lag, language) })}` : ''}</span>
    </li>`;
  }
}
