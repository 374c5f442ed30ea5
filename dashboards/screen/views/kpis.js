/** The row of figures: value, unit, direction, six hours as a line, age. */
import { html, render, nothing } from '../vendor.js';
import { ParkTime, number, unitText } from '../format.js';
import { ageText, stateMark, stateWords } from './value.js';
import { icon } from './icons.js';
import { sparkline } from './sparkline.js';

/** @typedef {import('../types').Kpi} Kpi */

const SPAN_MS = 6 * 3_600_000;
const BUCKET_MS = 900_000;
const REFRESH_MS = 60_000;

export class KpiRow {
  /** @param {HTMLElement} root @param {import('../types').Context} context */
  constructor(root, context) {
    this.root = root;
    this.context = context;
    this.time = new ParkTime(context.model.park.timezone);
    /** @type {Map<string, (number | null)[][]>} */
    this.lines = new Map();
    /** Counter value at which today began, by point. @type {Map<string, number>} */
    this.dayBase = new Map();
    /** The day that `dayBase` belongs to. */
    this.day = '';
  }

  start() {
    this.refresh();
    setInterval(() => this.refresh(), REFRESH_MS);
  }

  /** Reads the recent history of every figure; one that fails keeps what it had. */
  async refresh() {
    const { clock, model } = this.context;
    const now = clock.now();
    if (now === null) return;
    await Promise.allSettled(
      model.park.kpis.map((kpi) => (kpi.show === 'today' ? this.#readToday(kpi, now) : this.#readLine(kpi, now))),
    );
    this.draw();
  }

  /** @param {Kpi} kpi @param {number} now */
  async #readLine(kpi, now) {
    const rows = await this.#history(kpi, now - SPAN_MS, now, 'mean');
    this.lines.set(kpi.point, rows);
  }

  /**
   * Puts the counter's zero at midnight: the live value less today's increments, or, for a sum of
   * counters that has no increments of its own, its first value of today. Nothing known is no zero.
   * @param {Kpi} kpi @param {number} now
   */
  async #readToday(kpi, now) {
    const start = this.time.dayStart(now);
    let rows = await this.#history(kpi, start, now, 'increment');
    const live = this.context.state.reading(kpi.point).value;
    const grown = rows.filter((row) => typeof row[1] === 'number');
    let base = null;
    if (grown.length) {
      base = live === null ? null : live - grown.reduce((sum, row) => sum + (row[1] ?? 0), 0);
    } else {
      rows = await this.#history(kpi, start, now, 'min');
      base = rows.find((row) => typeof row[1] === 'number')?.[1] ?? null;
    }
    this.lines.set(kpi.point, rows);
    if (base === null) return;
    this.dayBase.set(kpi.point, base);
    this.day = this.time.day(now);
  }

  /** @param {Kpi} kpi @param {number} from @param {number} to @param {string} agg */
  async #history(kpi, from, to, agg) {
    const query = new URLSearchParams({
      from: String(Math.floor(from)),
      to: String(Math.floor(to)),
      every: '15m',
      agg,
    });
    /** @type {import('../types').History} */
    const history = await this.context.api.get(
      `points/${encodeURIComponent(kpi.point)}/history?${query}`,
    );
    return history.rows;
  }

  draw() {
    const { model } = this.context;
    render(html`${model.park.kpis.map((kpi) => this.#card(kpi))}`, this.root);
  }

  /** @param {Kpi} kpi */
  #card(kpi) {
    const { language, state, selection, clock } = this.context;
    const reading = state.reading(kpi.point);
    const value = this.#figure(kpi, reading.value);
    const text = number(value, kpi.unit);
    const rows = this.lines.get(kpi.point) ?? [];
    const trend = kpi.show === 'today' ? null : direction(rows);
    const now = clock.now() ?? 0;
    const start = kpi.show === 'today' ? this.time.dayStart(now) : now - SPAN_MS;
    const chosen = selection.point === kpi.point;
    return html`<button class="kpi state-${reading.state} ${chosen ? 'chosen' : ''} ${text.length > 8 ? 'kpi-long' : ''}" data-testid="kpi"
      data-point=${kpi.point} data-value=${reading.value ?? ''} data-state=${reading.state}
      aria-pressed=${chosen} title=${stateWords(reading, language)}
      @click=${() => selection.choose(selection.asset, kpi.point)}>
      <span class="kpi-name">${language.name(kpi.name)}${
        this.#saysToday(kpi) ? html`<span class="kpi-today">${language.t('kpi.today')}</span>` : nothing
      }</span>
      <span class="kpi-figure"><span class="kpi-value" data-testid="kpi-value">${text}</span
        ><span class="kpi-unit">${unitText(kpi.unit)}</span>${stateMark(reading, language)}</span>
      <span class="kpi-foot">
        ${trend ? html`<span class="kpi-trend" title=${`${language.t('kpi.trend')}: ${language.t(`kpi.${trend}`)}`}>
          ${icon(trend)}<span class="sr">${language.t(`kpi.${trend}`)}</span></span>` : nothing}
        <span class="age">${ageText(reading, language)}</span>
      </span>
      ${sparkline(rows, start, now, 2 * BUCKET_MS)}
    </button>`;
  }

  /** A figure of today says so, unless its name does. @param {Kpi} kpi */
  #saysToday(kpi) {
    const { language } = this.context;
    const name = language.name(kpi.name).toLowerCase();
    return kpi.show === 'today' && !name.includes(language.t('kpi.today'));
  }

  /** @param {Kpi} kpi @param {number | null} live */
  #figure(kpi, live) {
    if (kpi.show !== 'today' || live === null) return live;
    const base = this.dayBase.get(kpi.point);
    const today = this.time.day(this.context.clock.now()) === this.day;
    return base === undefined || !today ? null : live - base;
  }
}

/** The last hour against the hour before it; under 2 % is steady. @param {(number | null)[][]} rows @returns {'rising' | 'falling' | 'steady' | null} */
function direction(rows) {
  const values = rows.map((row) => row[1]).filter((v) => v !== null && v !== undefined);
  if (values.length < 8) return null;
  const mean = (/** @type {number[]} */ list) => list.reduce((a, b) => a + b, 0) / list.length;
  const recent = mean(values.slice(-4));
  const before = mean(values.slice(-8, -4));
  const change = (recent - before) / (Math.abs(before) || 1);
  if (Math.abs(change) < 0.02) return 'steady';
  return change > 0 ? 'rising' : 'falling';
}
