/** The wall: owns every view, and draws each one when what it shows has changed. */
import { AlarmList } from './views/alarms.js';
import { AssetPanel } from './views/panel.js';
import { Banner, Header } from './views/header.js';
import { DataHealth } from './views/health.js';
import { GatewayStrip } from './views/gateways.js';
import { KpiRow } from './views/kpis.js';
import { LayerPanel, MapButtons } from './views/layers.js';
import { ParkMap } from './map/park-map.js';
import { Search } from './views/search.js';
import { Selection } from './selection.js';
import { Trend } from './views/trend.js';

export class Screen {
  /**
   * @param {Omit<import('./types').Context, 'selection'>} parts
   * @param {(id: string) => HTMLElement} element
   */
  constructor(parts, element) {
    const context = { ...parts, selection: new Selection() };
    this.context = context;
    this.root = element('screen');
    this.map = new ParkMap(element('map'), context);
    const controls = {
      show: (/** @type {string} */ group, /** @type {boolean} */ shown) => this.map.show(group, shown),
      home: () => this.map.home(),
      zoom: (/** @type {1 | -1} */ steps) => this.map.zoom(steps),
      tilt: () => this.map.tilt(),
    };
    this.header = new Header(element('header'), context, () => this.#logout());
    this.banner = new Banner(element('banner'), context);
    this.kpis = new KpiRow(element('kpis'), context);
    this.alarms = new AlarmList(element('alarms'), context);
    this.panel = new AssetPanel(element('panel'), context);
    this.health = new DataHealth(element('health'), context);
    this.layers = new LayerPanel(element('layers'), context, controls);
    this.buttons = new MapButtons(element('map-buttons'), context, controls);
    this.search = new Search(element('search'), context);
    this.trend = new Trend(element('trend'), context);
    this.gateways = new GatewayStrip(element('gateways'), context);
    this.scheduled = false;
    this.begun = false;
  }

  async start() {
    const { state, feed, language, selection, model } = this.context;
    this.root.hidden = false;
    selection.choose(null, model.park.kpis[0]?.point ?? null);
    this.drawAll();
    performance.mark('parktwin-shell');
    state.addEventListener('change', (event) => this.#changed(/** @type {CustomEvent} */ (event).detail));
    feed.addEventListener('change', () => this.#schedule());
    language.addEventListener('change', () => {
      this.drawAll();
      this.map.relabel();
    });
    selection.addEventListener('change', () => this.#selected());
    // Ages move on even when nothing arrives: that is when they matter most.
    setInterval(() => this.#schedule(), 1000);
    await Promise.all([this.#startMap(), this.trend.start()]);
    performance.mark('parktwin-complete');
  }

  /** Everything that does not change by itself, then what does. */
  drawAll() {
    document.title = `${this.context.language.name(this.context.model.park.name)} · ParkTwin`;
    this.layers.draw();
    this.buttons.draw();
    this.search.draw();
    this.draw();
  }

  /** Everything that shows a value or an age. */
  draw() {
    this.root.dataset['link'] = this.context.feed.link;
    this.header.draw();
    this.banner.draw();
    this.kpis.draw();
    this.alarms.draw();
    this.panel.draw();
    this.health.draw();
    this.trend.draw();
    this.gateways.draw();
    this.map.refresh();
  }

  /** @param {{ values: import('./types').Delta['values'] | null }} detail */
  #changed(detail) {
    if (!this.begun && this.context.state.ready) {
      this.begun = true;
      this.kpis.start();
    }
    this.trend.live(detail.values);
    this.#schedule();
  }

  /** Any number of changes within a frame are drawn once. */
  #schedule() {
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      this.draw();
    });
  }

  #selected() {
    this.root.classList.toggle('with-panel', this.context.selection.asset !== null);
    this.panel.draw();
    this.kpis.draw();
    this.trend.read();
    this.map.select();
  }

  async #startMap() {
    try {
      await this.map.start();
    } catch (error) {
      // No WebGL, no map: figures and alarms are worth more than the picture, and stay.
      console.error('map:', error);
      const place = /** @type {HTMLElement} */ (this.map.root.querySelector('.map-problem'));
      place.hidden = false;
      place.textContent = this.context.language.t('app.noWebGl');
    }
  }

  async #logout() {
    await this.context.api.logout().catch(() => undefined);
    this.context.feed.stop();
    location.reload();
  }
}
