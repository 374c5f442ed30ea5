/** Markers over assets with open alarms: one an asset, with the shape of its worst priority. */
import { html, render } from '../vendor.js';
import { known, priorityShape } from '../views/icons.js';
import { byUrgency } from '../views/alarms.js';
import { anchorOf } from './sources.js';

const SHOWN = 60;

export class AlarmPulses {
  /**
   * @param {import('../vendor').MapLibre} maplibre @param {import('../vendor').GlMap} map
   * @param {import('../types').Context} context
   */
  constructor(maplibre, map, context) {
    this.maplibre = maplibre;
    this.map = map;
    this.context = context;
    /** @type {Map<string, { marker: import('../vendor').GlMarker, element: HTMLElement, look: string }>} */
    this.markers = new Map();
  }

  draw() {
    const { state, model } = this.context;
    /** @type {Map<string, import('../types').Alarm>} */
    const worst = new Map();
    for (const alarm of [...state.alarms].sort(byUrgency)) {
      if (worst.size === SHOWN) break;
      if (!worst.has(alarm.asset)) worst.set(alarm.asset, alarm);
    }
    for (const [id, { marker }] of this.markers) {
      if (worst.has(id)) continue;
      marker.remove();
      this.markers.delete(id);
    }
    for (const [id, alarm] of worst) {
      const asset = model.assets.get(id);
      const place = asset ? anchorOf(asset) : null;
      if (asset && place) this.#show(id, place, alarm);
    }
  }

  /** @param {string} id @param {[number, number]} place @param {import('../types').Alarm} alarm */
  #show(id, place, alarm) {
    const { language } = this.context;
    let entry = this.markers.get(id);
    if (!entry) {
      const element = document.createElement('button');
      element.addEventListener('click', (event) => {
        event.stopPropagation();
        const point = element.dataset['point'];
        this.context.selection.choose(id, point);
      });
      const marker = new this.maplibre.Marker({ element, anchor: 'bottom', offset: [0, -6] });
      marker.setLngLat(place).addTo(this.map);
      entry = { marker, element, look: '' };
      this.markers.set(id, entry);
    }
    const priority = known(alarm.priority);
    const look = alarm.unacked ? (alarm.active ? 'unacked' : 'returned') : 'acked';
    const words = `${language.t(`priority.${priority}`)}: ${language.name(alarm.message)}`;
    const seen = `${priority} ${look} ${words}`;
    if (entry.look === seen) return;
    entry.look = seen;
    const { element } = entry;
    element.classList.remove('pulse-critical', 'pulse-high', 'pulse-medium', 'pulse-low', 'pulse-unacked', 'pulse-acked', 'pulse-returned');
    element.classList.add('pulse', `pulse-${priority}`, `pulse-${look}`);
    Object.assign(element.dataset, { testid: 'pulse', asset: id, point: alarm.point, priority: alarm.priority });
    element.setAttribute('aria-label', words);
    element.title = words;
    render(html`<span class="pulse-ring" aria-hidden="true"></span>${priorityShape(priority, look)}`, element);
  }
}
