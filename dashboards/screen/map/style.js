/** The map's style: no tiles, no glyphs, nothing from outside. Layers are grouped for the legend. */
import { palette } from './palette.js';

/** @typedef {Record<string, any>} Layer */

export const FONT = ['Barlow', 'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', 'sans-serif'];

/** Colour of an alarm on the asset, else `calm`. @param {unknown} calm */
function byState(calm) {
  const alarm = ['feature-state', 'alarm'];
  return [
    'case',
    ['==', alarm, 1], palette.critical,
    ['==', alarm, 2], palette.high,
    ['==', alarm, 3], palette.medium,
    ['==', alarm, 4], palette.low,
    ['boolean', ['feature-state', 'selected'], false], palette.selected,
    ['boolean', ['feature-state', 'hover'], false], palette.hover,
    calm,
  ];
}

/** A width that keeps its size on the ground from zoom 14 on. @param {number} pixels at zoom 16 @param {unknown} [factor] */
function ground(pixels, factor = 1) {
  const at = (/** @type {number} */ share) => ['*', pixels * share, factor];
  return ['interpolate', ['exponential', 1.6], ['zoom'], 12, at(0.3), 14, at(0.5), 16, at(1), 19, at(3.4)];
}

/** A road as wide as it is, at 26 degrees north or so. @param {number} share */
function road(share) {
  const metres = ['*', ['max', ['get', 'size'], 8], share];
  return ['interpolate', ['exponential', 2], ['zoom'], 12, ['*', metres, 0.045], 20, ['*', metres, 7.5]];
}

const kind = (/** @type {string} */ name) => ['==', ['get', 'kind'], name];
const system = (/** @type {Record<string, unknown>} */ values, /** @type {unknown} */ other) => [
  'match', ['get', 'system'], ...Object.entries(values).flat(), other,
];
const heightShade = (/** @type {string} */ low, /** @type {string} */ high) => [
  'interpolate', ['linear'], ['get', 'height'], 6, low, 40, high,
];

/** @returns {Layer[]} */
function land() {
  return [
    { id: 'park', source: 'land', type: 'fill', filter: kind('park'), paint: { 'fill-color': palette.park } },
    { id: 'zone', source: 'land', type: 'fill', filter: kind('zone'), paint: { 'fill-color': palette.zone } },
    { id: 'parcel', source: 'land', type: 'fill', filter: kind('parcel'),
      paint: { 'fill-color': byState(['match', ['get', 'use'], 'green', palette.parcelGreen, 'reserved', palette.parcelReserved, palette.parcel]),
        'fill-opacity': ['case', ['>', ['coalesce', ['feature-state', 'alarm'], 0], 0], 0.35,
          ['boolean', ['feature-state', 'selected'], false], 0.25,
          ['boolean', ['feature-state', 'hover'], false], 0.35, 1] } },
    { id: 'parcel-edge', source: 'land', type: 'line', filter: kind('parcel'),
      paint: { 'line-color': byState(palette.parcelEdge), 'line-width': 1 } },
    { id: 'water', source: 'land', type: 'fill', filter: kind('water'), paint: { 'fill-color': palette.water } },
    { id: 'water-glow', source: 'land', type: 'line', filter: kind('water'),
      paint: { 'line-color': palette.waterEdge, 'line-width': ground(10), 'line-blur': ground(10), 'line-opacity': 0.55 } },
    { id: 'water-edge', source: 'land', type: 'line', filter: kind('water'),
      paint: { 'line-color': palette.waterEdge, 'line-width': 1.2 } },
    { id: 'stream', source: 'lines', type: 'line', filter: kind('water'), layout: { 'line-cap': 'round', 'line-join': 'round' },
      paint: { 'line-color': palette.water, 'line-width': ground(26) } },
    { id: 'road-casing', source: 'lines', type: 'line', filter: kind('road'), layout: { 'line-cap': 'round', 'line-join': 'round' },
      paint: { 'line-color': palette.roadCasing, 'line-width': road(1.5) } },
    { id: 'road', source: 'lines', type: 'line', filter: kind('road'), layout: { 'line-cap': 'round', 'line-join': 'round' },
      paint: { 'line-color': ['step', ['get', 'size'], palette.road, 19, palette.roadMain], 'line-width': road(0.95) } },
    { id: 'road-area', source: 'land', type: 'fill', filter: kind('road'), paint: { 'fill-color': palette.road } },
  ];
}

/** @returns {Layer[]} */
function grids() {
  return [
    { id: 'project', source: 'land', type: 'fill', filter: kind('project'), paint: { 'fill-pattern': 'works', 'fill-opacity': 0.5 } },
    { id: 'project-edge', source: 'land', type: 'line', filter: kind('project'),
      paint: { 'line-color': byState(palette.gridEdge), 'line-width': 1, 'line-dasharray': [2, 2] } },
    { id: 'grid-edge', source: 'land', type: 'line', filter: kind('grid'),
      paint: { 'line-color': byState(palette.gridEdge), 'line-width': 1.2, 'line-dasharray': [5, 4] } },
    { id: 'grid', source: 'land', type: 'fill', filter: kind('grid'),
      paint: { 'fill-color': byState('#ffffff'),
        'fill-opacity': ['case', ['>', ['coalesce', ['feature-state', 'alarm'], 0], 0], 0.07,
          ['boolean', ['feature-state', 'selected'], false], 0.07, 0] } },
    { id: 'zone-glow', source: 'land', type: 'line', filter: kind('zone'),
      paint: { 'line-color': palette.zoneEdge, 'line-width': 12, 'line-blur': 12, 'line-opacity': 0.4 } },
    { id: 'zone-edge', source: 'land', type: 'line', filter: kind('zone'),
      paint: { 'line-color': palette.zoneEdge, 'line-width': 1.4, 'line-opacity': 0.8 } },
  ];
}

/** @returns {Layer[]} */
function sewers() {
  const colour = system(
    { sanitary: palette.sanitary, storm: palette.storm, combined: palette.combined, interceptor: palette.interceptor },
    palette.sewer,
  );
  const wide = ['interpolate', ['linear'], ['get', 'size'], 0, 1, 2, 1.35, 300, 1, 1200, 1.7];
  const line = (/** @type {string} */ id, /** @type {string} */ only, /** @type {number[] | null} */ dashes) => ({
    id, source: 'lines', type: 'line', filter: ['all', kind('sewer'), ['==', ['get', 'system'], only]],
    layout: { 'line-cap': dashes ? 'butt' : 'round', 'line-join': 'round' },
    paint: { 'line-color': byState(colour), 'line-width': ground(3, wide), ...(dashes ? { 'line-dasharray': dashes } : {}) },
  });
  return [
    { id: 'sewer-state', source: 'lines', type: 'line', filter: kind('sewer'), layout: { 'line-cap': 'round' },
      paint: { 'line-color': byState(palette.halo), 'line-width': ground(9), 'line-blur': 3,
        'line-opacity': ['case', ['>', ['coalesce', ['feature-state', 'alarm'], 0], 0], 0.6,
          ['boolean', ['feature-state', 'selected'], false], 0.5, 0.55] } },
    line('sewer', 'sanitary', null),
    line('sewer-storm', 'storm', [3, 1.2]),
    line('sewer-combined', 'combined', [6, 1, 1.2, 1]),
    line('sewer-interceptor', 'interceptor', null),
    line('sewer-other', 'other', null),
    { id: 'sewer-core', source: 'lines', type: 'line', filter: ['all', kind('sewer'), ['==', ['get', 'system'], 'interceptor']],
      paint: { 'line-color': palette.halo, 'line-width': ground(1, wide) } },
    { id: 'sewer-arrow', source: 'lines', type: 'symbol', filter: kind('sewer'), minzoom: 14.2,
      layout: { 'symbol-placement': 'line', 'symbol-spacing': 90, 'icon-image': 'arrow', 'icon-allow-overlap': true,
        'icon-size': ['interpolate', ['linear'], ['zoom'], 14, 0.32, 17, 0.62], 'icon-rotation-alignment': 'map' },
      paint: { 'icon-color': byState('#dbe6ee'), 'icon-opacity': 0.8, 'icon-halo-color': palette.halo, 'icon-halo-width': 1 } },
  ];
}

/** @returns {Layer} */
function powerLine() {
  return { id: 'power-line', source: 'lines', type: 'line', filter: kind('power'), minzoom: 14.8,
    paint: { 'line-color': byState(palette.power), 'line-width': ground(1.6), 'line-dasharray': [1, 2] } };
}

/** @returns {Layer[]} */
function buildings() {
  return [
    { id: 'building-shadow', source: 'buildings', type: 'fill',
      paint: { 'fill-color': '#000000', 'fill-opacity': 0.42, 'fill-translate': [7, 5], 'fill-translate-anchor': 'map' } },
    { id: 'building', source: 'buildings', type: 'fill-extrusion',
      paint: { 'fill-extrusion-color': byState(heightShade(palette.buildingLow, palette.buildingHigh)),
        'fill-extrusion-height': ['get', 'height'], 'fill-extrusion-opacity': 0.96, 'fill-extrusion-vertical-gradient': true } },
    { id: 'building-roof', source: 'buildings', type: 'fill-extrusion',
      paint: { 'fill-extrusion-color': byState(heightShade(palette.roofLow, palette.roofHigh)),
        'fill-extrusion-base': ['get', 'height'], 'fill-extrusion-height': ['+', ['get', 'height'], 0.8],
        'fill-extrusion-opacity': 1, 'fill-extrusion-vertical-gradient': false } },
  ];
}

/** @returns {Layer[]} */
function nodes() {
  const calm = ['match', ['coalesce', ['feature-state', 'fresh'], 'plain'],
    'stale', palette.stale, 'none', palette.none, 'plain', palette.none, palette.node];
  const sewer = ['match', ['get', 'symbol'], ['manhole', 'outfall', 'pump'], true, false];
  const layer = (/** @type {string} */ id, /** @type {unknown} */ group, /** @type {1 | 2 | 3} */ near, /** @type {number} */ minzoom) => ({
    id, source: 'nodes', type: 'symbol', filter: ['all', group, ['==', ['get', 'near'], near]], minzoom,
    layout: { 'icon-image': ['get', 'symbol'], 'icon-allow-overlap': true, 'icon-ignore-placement': true,
      'icon-size': ['interpolate', ['linear'], ['zoom'], 13, near === 1 ? 0.62 : 0.3, 16, near === 1 ? 0.95 : 0.62, 18.5, 1.2] },
    paint: { 'icon-color': byState(calm), 'icon-halo-color': palette.halo, 'icon-halo-width': 1.5 },
  });
  return [
    layer('meter-3', ['!', sewer], 3, 16.2),
    layer('node-3', sewer, 3, 16.2),
    layer('meter-2', ['!', sewer], 2, 14.8),
    layer('node-2', sewer, 2, 14.8),
    layer('meter-1', ['!', sewer], 1, 10),
    layer('node-1', sewer, 1, 10),
  ];
}

/** @param {string} name property that holds the name @returns {Layer[]} */
function labels(name) {
  const text = (/** @type {Record<string, unknown>} */ layout) => ({
    'text-field': ['get', name], 'text-font': FONT, 'text-padding': 6, ...layout,
  });
  const halo = { 'text-halo-color': palette.halo, 'text-halo-width': 1.4 };
  return [
    { id: 'road-label', source: 'lines', type: 'symbol', filter: kind('road'), minzoom: 14.5,
      layout: text({ 'symbol-placement': 'line', 'text-size': 11 }), paint: { 'text-color': palette.labelQuiet, ...halo } },
    { id: 'water-label', source: 'names', type: 'symbol', filter: kind('water'),
      layout: text({ 'text-size': 13, 'text-letter-spacing': 0.4 }), paint: { 'text-color': '#5b8cb0', ...halo } },
    { id: 'stream-label', source: 'lines', type: 'symbol', filter: kind('water'),
      layout: text({ 'symbol-placement': 'line', 'text-size': 13, 'text-letter-spacing': 0.4 }), paint: { 'text-color': '#5b8cb0', ...halo } },
    { id: 'building-label', source: 'buildings', type: 'symbol', minzoom: 17,
      layout: text({ 'text-size': 11, 'text-max-width': 7 }), paint: { 'text-color': '#a9b7c4', ...halo } },
    { id: 'place-label', source: 'nodes', type: 'symbol', minzoom: 16.6, filter: ['==', ['get', 'symbol'], 'place'],
      layout: text({ 'text-size': 11, 'text-max-width': 9, 'text-anchor': 'top', 'text-offset': [0, 0.6] }), paint: { 'text-color': '#a9b7c4', ...halo } },
    { id: 'grid-label', source: 'names', type: 'symbol', filter: kind('grid'), maxzoom: 17.5,
      layout: text({ 'text-size': ['interpolate', ['linear'], ['zoom'], 12, 11, 16, 22], 'text-letter-spacing': 0.2,
        'text-pitch-alignment': 'map', 'text-rotation-alignment': 'viewport', 'text-allow-overlap': true, 'text-ignore-placement': true }),
      paint: { 'text-color': '#b9c9d6', 'text-opacity': 0.75, ...halo } },
    { id: 'tag', source: 'tags', type: 'symbol',
      layout: { 'text-font': FONT, 'text-size': ['interpolate', ['linear'], ['zoom'], 14, 11.5, 17, 14], 'text-justify': 'left',
        'text-padding': 8, 'text-max-width': 13, 'text-line-height': 1.25, 'symbol-sort-key': ['get', 'order'],
        'text-variable-anchor': ['left', 'right', 'top', 'bottom'], 'text-radial-offset': 1.3,
        'icon-image': 'plate', 'icon-text-fit': 'both', 'icon-text-fit-padding': [1, 3, 1, 3],
        'text-field': ['format', ['get', name], { 'font-scale': 0.86, 'text-color': palette.labelQuiet }, '\n', {},
          ['get', 'value'], { 'font-scale': 1.15, 'text-color': ['get', 'colour'] }, ['get', 'unit'], { 'font-scale': 0.85, 'text-color': palette.labelQuiet }] },
      paint: { 'text-color': palette.label, 'text-halo-color': palette.halo, 'text-halo-width': 1.6 } },
  ];
}

/** Which layers each switch of the legend shows or hides. @type {Record<string, string[]>} */
export const GROUPS = {
  grids: grids().map((layer) => layer['id']).concat('grid-label'),
  land: land().map((layer) => layer['id']).filter((id) => id !== 'zone').concat('road-label', 'water-label', 'stream-label'),
  buildings: buildings().map((layer) => layer['id']).concat('building-label'),
  sewers: sewers().map((layer) => layer['id']),
  nodes: ['node-1', 'node-2', 'node-3'],
  meters: ['meter-1', 'meter-2', 'meter-3', 'power-line'],
  labels: labels('name_zh').map((layer) => layer['id']),
};

/** Layers whose features answer the mouse, the topmost first. */
export const TOUCHABLE = [
  'tag', 'meter-1', 'node-1', 'node-2', 'meter-2', 'meter-3', 'node-3', 'building-roof', 'building', 'power-line',
  'sewer', 'sewer-storm', 'sewer-combined', 'sewer-interceptor', 'sewer-other', 'parcel',
];

/** @param {Record<string, any>} data GeoJSON by source @param {'zh' | 'en'} language */
export function parkStyle(data, language) {
  const source = (/** @type {any} */ collection) => ({ type: 'geojson', data: collection, promoteId: 'id', tolerance: 0.2 });
  return {
    version: 8,
    name: 'park',
    sources: {
      land: source(data['land']),
      buildings: source(data['buildings']),
      lines: source(data['lines']),
      nodes: source(data['nodes']),
      names: source(data['names']),
      tags: source({ type: 'FeatureCollection', features: [] }),
    },
    light: { anchor: 'viewport', position: [1.4, 200, 42], color: '#e8f1fa', intensity: 0.42 },
    sky: { 'sky-color': '#0a0f14', 'horizon-color': '#12202c', 'sky-horizon-blend': 0.8 },
    layers: [
      ...land(), ...grids(), powerLine(), ...sewers(), ...buildings(), ...nodes(), ...labels(`name_${language}`),
    ],
  };
}

/** The `text-field` of a label layer in the other language. @param {string} layer @param {'zh' | 'en'} language */
export function textField(layer, language) {
  return labels(`name_${language}`).find((other) => other['id'] === layer)?.['layout']['text-field'];
}
