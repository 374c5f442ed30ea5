/** The park in 2.5D: assets coloured by state, values beside them, hover, click and camera. */
import { loadMapLibre } from '../vendor.js';
import { rank } from '../views/icons.js';
import { number, unitText } from '../format.js';
import { AlarmPulses } from './pulses.js';
import { HoverTip } from './hover-tip.js';
import { palette } from './palette.js';
import { anchorOf, collections, frameOf, nearnessOf, sourceOf } from './sources.js';
import { addSymbols } from './symbols.js';
import { GROUPS, TOUCHABLE, parkStyle, textField } from './style.js';

/** @typedef {{ alarm: number, fresh: string, value: string }} AssetState */

const PITCH = 52;
const BEARING = -34;
/** Zoom levels that tilting makes room for. */
const TILT_GAIN = 0.66;
const TAGS = 250;
const TAG_PERIOD_MS = 2000;
const LEAN_TAG_PERIOD_MS = 10_000;

export class ParkMap {
  /** @param {HTMLElement} root @param {import('../types').Context} context */
  constructor(root, context) {
    this.root = root;
    this.context = context;
    /** @type {import('../vendor').GlMap | null} */
    this.map = null;
    /** @type {AlarmPulses | null} */
    this.pulses = null;
    /** What each asset's feature shows now: the canvas in words. @type {Map<string, AssetState>} */
    this.shown = new Map();
    /** @type {string | null} */
    this.selected = null;
    this.flat = false;
    /** True while a click on the map itself changes the selection. */
    this.own = false;
    this.tagText = '';
    this.tagsAt = -Infinity;
    this.lean = drawsBySoftware();
    this.frame = frameOf(context.model.assets.values(), context.model.park.bounds);
    this.hover = new HoverTip(/** @type {HTMLElement} */ (root.querySelector('.map-tip')), context);
  }

  async start() {
    const { model, language } = this.context;
    const maplibre = await loadMapLibre();
    const data = collections(model.assets.values());
    const canvas = /** @type {HTMLElement} */ (this.root.querySelector('.map-canvas'));
    const map = new maplibre.Map({
      container: canvas,
      style: parkStyle(data, language.tag),
      bounds: this.frame,
      pitch: PITCH,
      bearing: BEARING,
      maxPitch: 65,
      minZoom: 10,
      maxZoom: 20,
      attributionControl: false,
      localIdeographFontFamily: '"Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif',
      fadeDuration: 0,
      // Smooth edges cost a processor that draws without a graphics card more than all else together.
      canvasContextAttributes: { antialias: !this.lean },
    });
    this.map = map;
    map.on('error', (event) => console.error('map:', event.error?.message));
    await new Promise((resolve) => map.once('style.load', resolve));
    addSymbols(map);
    this.pulses = new AlarmPulses(maplibre, map, this.context);
    this.#listen(map, canvas);
    map.setPadding(this.#padding());
    this.home(false);
    map.once('load', () => {
      this.root.dataset['ready'] = 'true';
      performance.mark('parktwin-map');
    });
    this.refresh();
  }

  /** @param {import('../vendor').GlMap} map @param {HTMLElement} canvas */
  #listen(map, canvas) {
    const at = (/** @type {{ x: number, y: number }} */ point) => {
      const box = [[point.x - 4, point.y - 4], [point.x + 4, point.y + 4]];
      const features = map.queryRenderedFeatures(box, { layers: TOUCHABLE });
      features.sort((a, b) => TOUCHABLE.indexOf(a.layer.id) - TOUCHABLE.indexOf(b.layer.id));
      return features[0] ? String(features[0].properties['id']) : null;
    };
    let scheduled = 0;
    map.on('mousemove', (event) => {
      cancelAnimationFrame(scheduled);
      scheduled = requestAnimationFrame(() => {
        const id = at(event.point);
        this.#mark('hover', this.hover.asset, id);
        this.hover.show(id, event.point);
        canvas.classList.toggle('pointing', id !== null);
      });
    });
    map.on('mouseout', () => {
      cancelAnimationFrame(scheduled);
      this.#mark('hover', this.hover.asset, null);
      this.hover.show(null, null);
    });
    map.on('click', (event) => {
      const id = at(event.point);
      const first = id ? this.context.model.pointsOf(id)[0] : undefined;
      this.own = true;
      this.context.selection.choose(id, first?.point);
      this.own = false;
    });
    const turn = () => this.root.parentElement?.style.setProperty('--bearing', `${-map.getBearing()}deg`);
    map.on('rotate', turn);
    turn();
    new ResizeObserver(() => {
      map.resize();
      map.setPadding(this.#padding());
    }).observe(canvas);
  }

  /** Moves one feature-state flag from an asset to another. @param {'hover' | 'selected'} flag @param {string | null} from @param {string | null} to */
  #mark(flag, from, to) {
    if (from === to) return;
    if (from) this.#setState(from, { [flag]: false });
    if (to) this.#setState(to, { [flag]: true });
  }

  /** @param {string} id @param {Record<string, string | number | boolean>} state */
  #setState(id, state) {
    const asset = this.context.model.assets.get(id);
    if (asset && this.map) this.map.setFeatureState({ source: sourceOf(asset), id }, state);
  }

  /** Colours every asset by its alarms and the freshness of its points; values go out less often. */
  refresh() {
    if (!this.map || !this.pulses) return;
    const { state, model, clock } = this.context;
    /** @type {Map<string, number>} */
    const alarms = new Map();
    for (const alarm of state.alarms) {
      if (!alarm.active) continue;
      alarms.set(alarm.asset, Math.min(alarms.get(alarm.asset) ?? 9, rank(alarm.priority)));
    }
    for (const asset of model.assets.values()) {
      const points = model.pointsOf(asset.id);
      const alarm = alarms.get(asset.id) ?? 0;
      const known = this.shown.get(asset.id);
      if (!points.length && !alarm && !known) continue;
      const readings = points.map((point) => state.reading(point.point));
      const fresh = freshest(readings.map((reading) => reading.state));
      const value = readings[0] ? number(readings[0].value, points[0]?.unit ?? '') : '';
      if (known?.alarm !== alarm || known?.fresh !== fresh) this.#setState(asset.id, { alarm, fresh });
      this.shown.set(asset.id, { alarm, fresh, value });
    }
    this.pulses.draw();
    this.hover.refresh();
    const period = this.lean ? LEAN_TAG_PERIOD_MS : TAG_PERIOD_MS;
    if (clock.elapsed() - this.tagsAt >= period) this.#refreshTags();
  }

  #refreshTags() {
    const { model, language, state } = this.context;
    this.tagsAt = this.context.clock.elapsed();
    const features = [];
    for (const [id, shown] of this.shown) {
      const asset = model.assets.get(id);
      const point = model.pointsOf(id)[0];
      if (!asset || !point || sourceOf(asset) !== 'nodes' || features.length === TAGS) continue;
      if (nearnessOf(asset.properties.type) > 1 && !shown.alarm && id !== this.selected) continue;
      const reading = state.reading(point.point);
      const believed = reading.state === 'good' || reading.state === 'uncertain';
      features.push({
        type: 'Feature',
        geometry: asset.geometry,
        properties: {
          id,
          name_zh: asset.properties.name.zh,
          name_en: asset.properties.name.en || id,
          value: believed ? shown.value : `${shown.value} ${language.word('state', reading.state)}`,
          unit: believed ? ` ${unitText(point.unit)}` : '',
          colour: believed ? palette.label : palette.stale,
          order: shown.alarm || (asset.properties.type.includes('station') ? 20 : 10),
        },
      });
    }
    const text = JSON.stringify(features.map((feature) => feature.properties));
    if (text === this.tagText) return;
    this.tagText = text;
    this.map?.getSource('tags')?.setData({ type: 'FeatureCollection', features });
  }

  /** The selection changed: mark it, and fly there unless the map itself was clicked. */
  select() {
    const { selection, model } = this.context;
    this.#mark('selected', this.selected, selection.asset);
    this.selected = selection.asset;
    const asset = selection.asset ? model.assets.get(selection.asset) : undefined;
    const place = asset ? anchorOf(asset) : null;
    if (!this.map || !place || this.own) return;
    const zoom = Math.max(this.map.getZoom(), 16);
    this.map.easeTo({ center: place, zoom, duration: calm() ? 0 : 900 });
  }

  relabel() {
    if (!this.map) return;
    for (const layer of GROUPS['labels'] ?? []) {
      this.map.setLayoutProperty(layer, 'text-field', textField(layer, this.context.language.tag));
    }
    this.tagsAt = -Infinity;
    this.refresh();
  }

  /** @param {string} group @param {boolean} shown */
  show(group, shown) {
    for (const layer of GROUPS[group] ?? []) {
      this.map?.setLayoutProperty(layer, 'visibility', shown ? 'visible' : 'none');
    }
  }

  home(animate = true) {
    if (!this.map) return;
    const pitch = this.flat ? 0 : PITCH;
    const bearing = this.flat ? 0 : BEARING;
    const camera = this.map.cameraForBounds(this.frame, { pitch, bearing });
    if (!camera) return;
    // The fit assumes a view from above; seen at a slant the same ground takes less height.
    const zoom = camera.zoom + (this.flat ? 0 : TILT_GAIN);
    const duration = animate && !calm() ? 900 : 0;
    this.map.easeTo({ center: camera.center, zoom, pitch, bearing, duration });
  }

  /** @param {1 | -1} steps */
  zoom(steps) {
    if (steps > 0) this.map?.zoomIn();
    else this.map?.zoomOut();
  }

  tilt() {
    this.flat = !this.flat;
    this.map?.easeTo({ pitch: this.flat ? 0 : PITCH, bearing: this.flat ? 0 : BEARING, duration: calm() ? 0 : 700 });
  }

  /** Room for what floats over the map. */
  #padding() {
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const style = getComputedStyle(this.root);
    const room = (/** @type {string} */ side) => Math.round((parseFloat(style.getPropertyValue(side)) || 1) * rem);
    return { top: room('--room-top'), right: room('--room-right'), bottom: room('--room-bottom'), left: room('--room-left') };
  }

  /** The canvas in words, for tests and for whoever asks in the console. */
  mirror() {
    return {
      lean: this.lean,
      ready: this.root.dataset['ready'] === 'true',
      selected: this.selected,
      zoom: this.map?.getZoom() ?? null,
      language: this.context.language.tag,
      assets: Object.fromEntries(this.shown),
      pulses: this.pulses ? [...this.pulses.markers.keys()] : [],
    };
  }
}

/** The best state among an asset's points. @param {string[]} states */
function freshest(states) {
  return ['good', 'uncertain', 'bad', 'stale', 'none'].find((state) => states.includes(state)) ?? 'plain';
}

/** Whether WebGL runs on the processor, as in a virtual machine. */
function drawsBySoftware() {
  const gl = document.createElement('canvas').getContext('webgl2');
  const names = gl?.getExtension('WEBGL_debug_renderer_info');
  const name = gl && names ? String(gl.getParameter(names.UNMASKED_RENDERER_WEBGL)) : '';
  gl?.getExtension('WEBGL_lose_context')?.loseContext();
  return /swiftshader|llvmpipe|software|basic render/i.test(name);
}

function calm() {
  return matchMedia('(prefers-reduced-motion: reduce)').matches;
}
