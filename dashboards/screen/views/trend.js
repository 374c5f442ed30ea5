/** The trend of the chosen point. Gaps stay gaps, bad readings are marked, nothing is interpolated. */
import { html, render, nothing, loadECharts } from '../vendor.js';
import { ApiError } from '../session.js';
import { number, unitText } from '../format.js';
import { chartOption } from './trend-chart.js';
import { stateMark, stateWords, valueText, ageText } from './value.js';

/** @typedef {import('./trend-chart.js').Row} Row */
/** @typedef {'h1' | 'h24' | 'd7'} Span */

/** @type {Record<Span, { ms: number, every: string, bucket: number, note: 'trend.raw' | 'trend.mean1m' | 'trend.mean15m' }>} */
const SPANS = {
  h1: { ms: 3_600_000, every: 'raw', bucket: 0, note: 'trend.raw' },
  h24: { ms: 86_400_000, every: '1m', bucket: 60_000, note: 'trend.mean1m' },
  d7: { ms: 7 * 86_400_000, every: '15m', bucket: 900_000, note: 'trend.mean15m' },
};
const REFRESH_MS = 60_000;

export class Trend {
  /** @param {HTMLElement} root @param {import('../types').Context} context */
  constructor(root, context) {
    this.root = root;
    this.context = context;
    /** @type {Span} */
    this.span = 'h1';
    /** @type {Row[]} */
    this.rows = [];
    this.loaded = '';
    this.problem = '';
    this.busy = false;
    this.truncated = false;
    /** @type {AbortController | null} */
    this.request = null;
    /** @type {import('../vendor').Chart | null} */
    this.chart = null;
    this.readAt = 0;
  }

  async start() {
    this.draw();
    const echarts = await loadECharts();
    const element = /** @type {HTMLElement} */ (this.root.querySelector('.trend-canvas'));
    this.chart = echarts.init(element, null, { renderer: 'canvas' });
    new ResizeObserver(() => {
      this.chart?.resize();
      this.#paint();
    }).observe(element);
    this.#paint();
    setInterval(() => this.span !== 'h1' && this.read(), REFRESH_MS);
  }

  /** Reads the history of the chosen point; an answer that comes too late is dropped. */
  async read() {
    const { api, selection, clock, language } = this.context;
    const point = selection.point;
    const now = clock.now();
    if (!point || now === null) return;
    const wanted = `${point} ${this.span}`;
    if (this.loaded !== wanted) this.rows = [];
    this.loaded = wanted;
    this.request?.abort();
    const request = new AbortController();
    this.request = request;
    this.busy = true;
    this.problem = '';
    this.draw();
    const { ms, every } = SPANS[this.span];
    const query = new URLSearchParams({
      from: String(Math.floor(now - ms)), to: String(Math.floor(now)), every,
    });
    if (every !== 'raw') query.set('agg', 'mean');
    try {
      /** @type {import('../types').History} */
      const history = await api.get(`points/${encodeURIComponent(point)}/history?${query}`, request.signal);
      const since = this.rows.at(-1)?.t ?? 0;
      const arrived = every === 'raw' ? this.rows.filter((row) => row.t > now) : [];
      this.rows = rowsOf(history).concat(arrived);
      this.truncated = history.truncated;
      this.readAt = since;
    } catch (error) {
      if (request.signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      this.problem = error.message || language.t('app.noServer');
    }
    this.busy = false;
    this.draw();
    this.#paint();
  }

  /** Appends live values of the last hour's view. @param {import('../types').Delta['values'] | null} values null: a fresh snapshot */
  live(values) {
    const { selection, state } = this.context;
    if (values === null) {
      this.read();
      return;
    }
    if (this.span !== 'h1' || !selection.point) return;
    const wanted = state.index.get(selection.point);
    for (const [i, value, ts, quality] of values) {
      if (i === wanted && ts > (this.rows.at(-1)?.t ?? 0)) this.rows.push({ t: ts, v: value, q: quality, share: 1 });
    }
    this.#paint();
  }

  draw() {
    const { language, selection, model, state, feed } = this.context;
    const point = selection.point ? model.points.get(selection.point) : undefined;
    const asset = point ? model.assets.get(point.asset) : undefined;
    const reading = selection.point ? state.reading(selection.point) : null;
    render(
      html`
        <header class="card-head">
          <h2 data-testid="trend-point" data-point=${selection.point ?? ''}>${
            point ? this.#title(point, asset) : language.t('trend.title')}</h2>
          ${point && reading
            ? html`<p class="trend-now state-${reading.state}" title=${stateWords(reading, language)}>
                ${stateMark(reading, language)}<b>${valueText(reading, point.unit)}</b>
                <span class="unit">${unitText(point.unit)}</span><span class="age">${ageText(reading, language)}</span></p>`
            : nothing}
          <p class="quiet trend-note">${language.t(SPANS[this.span].note)}${
            this.truncated ? ` · ${language.t('trend.truncated')}` : ''}${
            feed.link === 'offline' ? ` · ${language.t('trend.noLive')}` : ''}</p>
          <div class="switch" role="group" aria-label=${language.t('trend.title')}>${
            /** @type {Span[]} */ (Object.keys(SPANS)).map((span) => html`<button data-testid="span-${span}"
              aria-pressed=${span === this.span} @click=${() => this.#choose(span)}>${
                language.t(`trend.${span}`)}</button>`)}</div>
        </header>
        <div class="trend-canvas" data-testid="trend" data-rows=${this.rows.length} data-span=${this.span}
          role="img" aria-label=${this.#summary(point)}></div>
        <p class="trend-message" data-testid="trend-message" ?hidden=${!this.#message(point)}>${this.#message(point)}
          ${this.problem ? html`<button class="plain" data-testid="trend-retry" @click=${() => this.read()}>${
            language.t('app.retry')}</button>` : nothing}</p>
      `,
      this.root,
    );
  }

  /** A point's name often begins with its asset's: it is not said twice. @param {import('../types').PointInfo} point @param {import('../types').AssetFeature | undefined} asset */
  #title(point, asset) {
    const { language } = this.context;
    const whose = asset ? language.name(asset.properties.name) : point.asset;
    const what = language.name(point.name);
    if (what.startsWith(whose)) return what;
    return html`${whose} <span class="trend-property">${what}</span>`;
  }

  /** @param {import('../types').PointInfo | undefined} point */
  #message(point) {
    const { language } = this.context;
    if (!point) return language.t('trend.choose');
    if (this.problem) return language.t('trend.failed', { detail: this.problem });
    if (this.rows.length) return '';
    return language.t(this.busy ? 'trend.loading' : 'trend.empty');
  }

  /** The chart in words, for those who do not see it. @param {import('../types').PointInfo | undefined} point */
  #summary(point) {
    if (!point) return '';
    const { language } = this.context;
    const values = this.rows.map((row) => row.v).filter((v) => v !== null);
    if (!values.length) return `${language.name(point.name)}: ${language.t('trend.empty')}`;
    const low = values.reduce((a, b) => Math.min(a, b));
    const high = values.reduce((a, b) => Math.max(a, b));
    return `${language.name(point.name)}: ${number(low, point.unit)} … ${number(high, point.unit)} ${point.unit}`;
  }

  /** @param {Span} span */
  #choose(span) {
    this.span = span;
    this.read();
  }

  #paint() {
    const { selection, model, clock, language, state } = this.context;
    const point = selection.point ? model.points.get(selection.point) : undefined;
    const now = clock.now();
    if (!this.chart || !point || now === null) return;
    const { ms, bucket } = SPANS[this.span];
    while (this.rows.length > 1 && (this.rows[1]?.t ?? 0) < now - ms) this.rows.shift();
    const limits = state.alarms
      .filter((alarm) => alarm.point === point.point && alarm.limit !== null)
      .map((alarm) => ({ limit: /** @type {number} */ (alarm.limit), priority: alarm.priority }));
    const gap = bucket ? bucket * 1.5 : point.stale_s * 1000;
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
    this.chart.setOption(
      chartOption({ rows: this.rows, start: now - ms, end: now, gap, point, limits, language, rem,
        zone: model.park.timezone }),
      true,
    );
  }
}

/** @param {import('../types').History} history @returns {Row[]} */
function rowsOf(history) {
  const quality = history.columns.indexOf('q');
  const share = history.columns.indexOf('good_share');
  return history.rows.map((row) => ({
    t: row[0] ?? 0,
    v: row[1] ?? null,
    q: quality < 0 ? 0 : (row[quality] ?? 0),
    share: share < 0 ? 1 : (row[share] ?? 1),
  }));
}
