/** Sorts the park's assets into the map's sources by geometry and type. */
import { symbolOf } from './symbols.js';

/** @typedef {import('../types').AssetFeature} AssetFeature */
/** @typedef {'land' | 'buildings' | 'lines' | 'nodes' | 'names'} Source */

const STOREY_M = 4.5;
const DEFAULT_HEIGHT_M = 9;
const SYSTEMS = ['sanitary', 'storm', 'combined', 'interceptor'];

/** What an asset is to the style's filters. @type {[RegExp, string][]} */
const KINDS = [
  [/^park$/, 'park'],
  [/zone|district/, 'zone'],
  [/grid/, 'grid'],
  [/river|water_body|lake|pond|canal|stream/, 'water'],
  [/road|street/, 'road'],
  [/conduit|sewer|pipe|drain|weir/, 'sewer'],
  [/feeder|cable|power_line/, 'power'],
  [/building|factory|workshop/, 'building'],
  [/parcel|land|plot|treatment_plant/, 'parcel'],
  [/project|works/, 'project'],
];

/**
 * How far one must look for a point asset: 1 on the whole park, 2 in a grid, 3 in a street. Types
 * that are not named are measured ones and show in a grid.
 * @type {[RegExp, 1 | 2 | 3][]}
 */
const NEARNESS = [
  [/electricity_meter|water_meter|device|enterprise/, 3],
  [/manhole|transformer|pump$|gateway|weather/, 2],
  [/flow|outfall|station|rain|monitor|wet_well|plant/, 1],
];

/** @param {string} type */
export function kindOf(type) {
  return KINDS.find(([pattern]) => pattern.test(type))?.[1] ?? 'other';
}

/** @param {string} type */
export function nearnessOf(type) {
  return NEARNESS.find(([pattern]) => pattern.test(type))?.[1] ?? 2;
}

/** @param {AssetFeature} asset @returns {Source} */
export function sourceOf(asset) {
  if (asset.geometry.type.endsWith('Point')) return 'nodes';
  if (asset.geometry.type.endsWith('LineString')) return 'lines';
  return kindOf(asset.properties.type) === 'building' ? 'buildings' : 'land';
}

/** A number among the attributes, under the first of the names that has one. @param {Record<string, unknown>} attributes @param {string[]} names */
function figure(attributes, ...names) {
  for (const name of names) {
    const value = Number(attributes[name]);
    if (attributes[name] !== null && attributes[name] !== '' && Number.isFinite(value)) return value;
  }
  return undefined;
}

/** What land is used for, as far as the map tells it apart. @param {Record<string, unknown>} attributes */
function useOf(attributes) {
  const use = String(attributes['use'] ?? attributes['land_use'] ?? '');
  if (/green|绿/.test(use)) return 'green';
  return /reserve|vacant|储备|空闲/.test(use) ? 'reserved' : 'built';
}

/** @param {AssetFeature} asset */
function toFeature(asset) {
  const { type, name, attributes } = asset.properties;
  const system = String(attributes['system'] ?? '');
  const storeys = figure(attributes, 'floors', 'storeys');
  const height =
    figure(attributes, 'height', 'height_m') ?? (storeys === undefined ? DEFAULT_HEIGHT_M : storeys * STOREY_M);
  return {
    type: 'Feature',
    geometry: asset.geometry,
    properties: {
      id: asset.id,
      kind: kindOf(type),
      symbol: symbolOf(type),
      near: nearnessOf(type),
      name_zh: name.zh || name.en,
      name_en: name.en || name.zh,
      system: SYSTEMS.includes(system) ? system : 'other',
      size: figure(attributes, 'diameter_mm', 'diameter', 'width_m', 'width') ?? 0,
      use: useOf(attributes),
      metered: asset.properties.points.length > 0,
      height,
    },
  };
}

/** @param {Iterable<AssetFeature>} assets @returns {Record<Source, any>} */
export function collections(assets) {
  /** @type {Record<Source, { type: 'FeatureCollection', features: any[] }>} */
  const found = {
    land: { type: 'FeatureCollection', features: [] },
    buildings: { type: 'FeatureCollection', features: [] },
    lines: { type: 'FeatureCollection', features: [] },
    nodes: { type: 'FeatureCollection', features: [] },
    names: { type: 'FeatureCollection', features: [] },
  };
  for (const asset of assets) {
    if (!asset.geometry) continue;
    const feature = toFeature(asset);
    const source = sourceOf(asset);
    found[source].features.push(feature);
    const place = source === 'land' ? anchorOf(asset) : null;
    // An area crosses tiles and would be named once in each; its name stands at one place.
    if (place) found.names.features.push({ ...feature, geometry: { type: 'Point', coordinates: place } });
  }
  return found;
}

/**
 * What the whole-park view frames: the park's own outline, since rivers and roads run beyond it.
 * @param {Iterable<AssetFeature>} assets @param {[number, number, number, number]} otherwise
 * @returns {[number, number, number, number]}
 */
export function frameOf(assets, otherwise) {
  const parks = [...assets].filter((asset) => kindOf(asset.properties.type) === 'park' && asset.geometry);
  const spots = parks.flatMap((asset) => flatten(asset.geometry.coordinates));
  if (!spots.length) return otherwise;
  const lons = spots.map((spot) => spot[0] ?? 0);
  const lats = spots.map((spot) => spot[1] ?? 0);
  return [Math.min(...lons), Math.min(...lats), Math.max(...lons), Math.max(...lats)];
}

/** Where a marker of the asset stands: the point, the middle of the line, the centre of the outline. @param {AssetFeature} asset @returns {[number, number] | null} */
export function anchorOf(asset) {
  const { type, coordinates } = asset.geometry;
  if (type === 'Point') return coordinates;
  if (type === 'LineString') return coordinates[Math.floor((coordinates.length - 1) / 2)] ?? null;
  const ring = type === 'Polygon' ? coordinates[0] : coordinates.flat(Infinity).length ? flatten(coordinates) : [];
  if (!ring?.length) return null;
  const lons = ring.map((/** @type {number[]} */ p) => p[0] ?? 0);
  const lats = ring.map((/** @type {number[]} */ p) => p[1] ?? 0);
  return [(Math.min(...lons) + Math.max(...lons)) / 2, (Math.min(...lats) + Math.max(...lats)) / 2];
}

/** @param {any} coordinates @returns {number[][]} */
function flatten(coordinates) {
  return typeof coordinates[0] === 'number' ? [coordinates] : coordinates.flatMap(flatten);
}
