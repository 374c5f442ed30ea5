/** The point symbols as signed distance fields, so that one image takes any colour by state. */

/** @typedef {[number, number][]} Polygon corners in a square of -1..1, y downwards */

const SIZE = 48;
const RADIUS = 8;
/** Alpha at the outline, as MapLibre reads distance fields. */
const EDGE = 0.75;

/** @param {number} sides @param {number} radius @param {number} turn in parts of a full turn @returns {Polygon} */
function regular(sides, radius, turn = 0) {
  return Array.from({ length: sides }, (_, i) => {
    const angle = (i / sides + turn) * 2 * Math.PI;
    return [radius * Math.sin(angle), -radius * Math.cos(angle)];
  });
}

/** Outer outline, then holes. @type {Record<string, Polygon[]>} */
const SHAPES = {
  manhole: [regular(32, 0.62), regular(32, 0.34)],
  outfall: [regular(3, 0.86, 0.5)],
  pump: [regular(32, 0.78), regular(3, 0.44, 0.25)],
  station: [regular(4, 0.95, 0.125), regular(32, 0.3)],
  meter: [regular(4, 0.72)],
  power: [[[0.15, -0.95], [-0.55, 0.12], [-0.08, 0.12], [-0.2, 0.95], [0.55, -0.2], [0.08, -0.2]]],
  place: [regular(32, 0.42)],
  gateway: [regular(6, 0.8), regular(6, 0.4)],
  arrow: [[[-0.55, -0.6], [0.75, 0], [-0.55, 0.6], [-0.25, 0]]],
};

/** Which symbol a type of asset has. @type {[RegExp, string][]} */
const BY_TYPE = [
  [/pump|wet_well|lift/, 'pump'],
  [/manhole|junction|node|well/, 'manhole'],
  [/outfall|outlet|discharge/, 'outfall'],
  [/transformer|substation|power|electric|pv|charger/, 'power'],
  [/gateway|device/, 'gateway'],
  [/station|rain|weather|noise|monitor/, 'station'],
  [/enterprise|company|firm/, 'place'],
];

/** @param {string} type */
export function symbolOf(type) {
  return BY_TYPE.find(([pattern]) => pattern.test(type))?.[1] ?? 'meter';
}

/** Draws every symbol into the map. @param {import('../vendor').GlMap} map */
export function addSymbols(map) {
  for (const [name, rings] of Object.entries(SHAPES)) {
    map.addImage(name, { width: SIZE, height: SIZE, data: field(rings) }, { sdf: true, pixelRatio: 2 });
  }
  map.addImage('plate', plate(), {
    pixelRatio: 2, stretchX: [[10, 22]], stretchY: [[10, 22]], content: [6, 4, 26, 28],
  });
  map.addImage('works', hatchTile(), { pixelRatio: 2 });
}

/** The dark plate behind a value, stretched to its text. */
function plate() {
  const size = 32;
  const radius = 7;
  const data = new Uint8ClampedArray(size * size * 4);
  for (let i = 0; i < size * size; i++) {
    const x = Math.max(radius - (i % size) - 0.5, (i % size) + 0.5 - (size - radius), 0);
    const y = Math.max(radius - Math.floor(i / size) - 0.5, Math.floor(i / size) + 0.5 - (size - radius), 0);
    const out = radius - Math.hypot(x, y);
    const inside = Math.max(0, Math.min(1, out));
    const edge = x + y === 0 ? Math.min(i % size, size - 1 - (i % size), Math.floor(i / size), size - 1 - Math.floor(i / size)) < 2 : out < 2;
    data.set(edge ? [58, 78, 94, 235 * inside] : [11, 17, 23, 215 * inside], i * 4);
  }
  return { width: size, height: size, data };
}

/** Faint slanted lines: ground under works. */
function hatchTile() {
  const size = 24;
  const data = new Uint8ClampedArray(size * size * 4);
  for (let i = 0; i < size * size; i++) {
    const line = ((i % size) + Math.floor(i / size)) % size < 2;
    data.set([143, 163, 179, line ? 62 : 0], i * 4);
  }
  return { width: size, height: size, data };
}

/** @param {Polygon[]} rings */
function field(rings) {
  const data = new Uint8ClampedArray(SIZE * SIZE * 4);
  const scale = SIZE / 2 - RADIUS;
  for (let i = 0; i < SIZE * SIZE; i++) {
    const x = ((i % SIZE) + 0.5 - SIZE / 2) / scale;
    const y = (Math.floor(i / SIZE) + 0.5 - SIZE / 2) / scale;
    let distance = Infinity;
    let inside = false;
    for (const ring of rings) {
      distance = Math.min(distance, distanceTo(ring, x, y));
      if (contains(ring, x, y)) inside = !inside;
    }
    const pixels = distance * scale * (inside ? 1 : -1);
    data.set([255, 255, 255, Math.round(255 * (EDGE + pixels / (2 * RADIUS)))], i * 4);
  }
  return data;
}

/** @param {Polygon} ring @param {number} x @param {number} y */
function distanceTo(ring, x, y) {
  let least = Infinity;
  ring.forEach(([ax, ay], i) => {
    const [bx, by] = ring[(i + 1) % ring.length] ?? [0, 0];
    const [dx, dy] = [bx - ax, by - ay];
    const t = Math.max(0, Math.min(1, ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy)));
    least = Math.min(least, Math.hypot(x - ax - t * dx, y - ay - t * dy));
  });
  return least;
}

/** @param {Polygon} ring @param {number} x @param {number} y */
function contains(ring, x, y) {
  let inside = false;
  ring.forEach(([ax, ay], i) => {
    const [bx, by] = ring[(i + 1) % ring.length] ?? [0, 0];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
  });
  return inside;
}
