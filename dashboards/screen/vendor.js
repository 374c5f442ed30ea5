/**
 * The one place that names a third-party module and its version (vendor.lock.json holds the sums).
 *
 * An import map would have to be inline, which the content security policy forbids without a hash
 * that changes with every edit; relative paths through this module need neither. The map and the
 * charts are large, so they load when first drawn and the page's figures do not wait for them.
 */
export { html, svg, render, nothing } from './vendor/lit-html-3.3.3/lit-html.js';
export { repeat } from './vendor/lit-html-3.3.3/directives/repeat.js';
export { live } from './vendor/lit-html-3.3.3/directives/live.js';

/** MapLibre GL with its worker pointed at a file of ours. */
export async function loadMapLibre() {
  const maplibre = await import('./vendor/maplibre-gl-6.17.0/maplibre-gl.mjs');
  const worker = './vendor/maplibre-gl-6.17.0/maplibre-gl-worker.mjs';
  maplibre.setWorkerUrl(new URL(worker, import.meta.url).href);
  return maplibre;
}

/** Apache ECharts. */
export function loadECharts() {
  return import('./vendor/echarts-6.1.0/echarts.esm.min.mjs');
}
