/** The trend as an ECharts option: a pure function of rows, so that its honesty can be tested. */
import { ParkTime, number } from '../format.js';

/**
 * @typedef {object} Row one reading or bucket
 * @property {number} t Unix ms
 * @property {number | null} v
 * @property {number} q quality byte of a reading, 0 for a bucket
 * @property {number} share good share of a bucket, 1 for a reading
 *
 * @typedef {object} Picture
 * @property {Row[]} rows
 * @property {number} start Unix ms
 * @property {number} end Unix ms
 * @property {number} gap ms without a row after which the line breaks
 * @property {import('../types').PointInfo} point
 * @property {{ limit: number, priority: string }[]} limits
 * @property {import('../i18n/language.js').Language} language
 * @property {number} rem size of one layout unit over 16 px
 * @property {string} zone
 */

const COLOURS = {
  line: '#9fc3df',
  axis: '#33424f',
  text: '#93a3b1',
  grid: '#1b2630',
  bad: '#ff7a59',
  uncertain: '#d9b44a',
  hatch: 'rgba(147, 163, 177, 0.10)',
  critical: '#ff5a52',
  high: '#ff9d3d',
  medium: '#f0d34e',
  low: '#b79cff',
};

/**
 * The line with its breaks, the marked readings and the empty spans.
 * @param {Row[]} rows @param {number} start @param {number} end @param {number} gap ms
 */
export function split(rows, start, end, gap) {
  /** @type {[number, number | null][]} */
  const line = [];
  /** @type {[number, number][]} */
  const bad = [];
  /** @type {[number, number][]} */
  const uncertain = [];
  /** @type {[number, number][]} */
  const holes = [];
  let known = start;
  for (const row of rows) {
    if (row.v === null) {
      line.push([row.t, null]);
      continue;
    }
    if ((row.q & 0xc0) >= 128) {
      // Shown where it was reported, but no line runs through a value that is not to be believed.
      bad.push([row.t, row.v]);
      line.push([row.t, null]);
      continue;
    }
    if (row.t - known > gap) {
      holes.push([known, row.t]);
      line.push([known + 1, null]);
    }
    if ((row.q & 0xc0) === 64 || row.share < 0.5) uncertain.push([row.t, row.v]);
    line.push([row.t, row.v]);
    known = row.t;
  }
  if (rows.length && end - known > gap) holes.push([known, end]);
  const blank = (/** @type {number} */ i) => (line[i]?.[1] ?? null) === null;
  const alone = line.filter((_, i) => !blank(i) && blank(i - 1) && blank(i + 1));
  return { line, alone, bad, uncertain, holes };
}

/** @param {Picture} picture @returns {Record<string, unknown>} */
export function chartOption(picture) {
  const { rows, start, end, gap, point, limits, language, rem, zone } = picture;
  const { line, alone, bad, uncertain, holes } = split(rows, start, end, gap);
  const time = new ParkTime(zone);
  const long = end - start > 2 * 86_400_000;
  const size = Math.round(12 * rem);
  const font = 'Barlow, "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif';
  return {
    animation: false,
    textStyle: { fontFamily: font },
    grid: { left: 8 * rem, right: 18 * rem, top: 14 * rem, bottom: 4 * rem, containLabel: true },
    xAxis: {
      type: 'time',
      min: start,
      max: end,
      axisLine: { lineStyle: { color: COLOURS.axis } },
      axisTick: { show: false },
      splitLine: { show: true, lineStyle: { color: COLOURS.grid } },
      axisLabel: {
        color: COLOURS.text,
        fontSize: size,
        hideOverlap: true,
        showMinLabel: false,
        formatter: (/** @type {number} */ t) => (long ? time.day(t).slice(5) : time.hour(t)),
      },
    },
    yAxis: {
      type: 'value',
      scale: true,
      splitNumber: 4,
      axisLabel: { color: COLOURS.text, fontSize: size },
      splitLine: { lineStyle: { color: COLOURS.grid } },
    },
    tooltip: {
      trigger: 'axis',
      renderMode: 'richText',
      backgroundColor: '#0d141b',
      borderColor: COLOURS.axis,
      textStyle: { color: '#eef3f7', fontSize: size },
      axisPointer: { lineStyle: { color: '#5d6f7e' } },
      formatter: (/** @type {{ value: [number, number | null], seriesName: string }[]} */ items) =>
        items
          .filter((item) => item.value[1] !== null)
          .map((item) => `${time.moment(item.value[0], end)}  ${number(item.value[1], point.unit)} ${point.unit}${
            item.seriesName ? `  ${item.seriesName}` : ''}`)
          .join('\n'),
    },
    series: [
      {
        type: 'line',
        name: '',
        data: line,
        connectNulls: false,
        showSymbol: false,
        lineStyle: { color: COLOURS.line, width: 1.6 * rem },
        itemStyle: { color: COLOURS.line },
        areaStyle: {
          color: { type: 'linear', x: 0, y: 0, x2: 0, y2: 1,
            colorStops: [{ offset: 0, color: 'rgba(143, 189, 224, 0.22)' }, { offset: 1, color: 'rgba(143, 189, 224, 0)' }] },
        },
        markArea: {
          silent: true,
          itemStyle: { color: COLOURS.hatch },
          label: { show: true, color: COLOURS.text, fontSize: size, position: 'inside' },
          data: holes.map(([from, to]) => [
            { xAxis: from, name: to - from > (end - start) / 12 ? language.t('trend.gap') : '' },
            { xAxis: to },
          ]),
        },
        markLine: {
          silent: true,
          symbol: 'none',
          label: { position: 'insideStartTop', fontSize: size, formatter: `${language.t('alarms.limit')} {c}`, color: 'inherit' },
          data: limits.map(({ limit, priority }) => {
            const color = priority in COLOURS ? COLOURS[/** @type {keyof typeof COLOURS} */ (priority)] : COLOURS.low;
            return { yAxis: limit, lineStyle: { color, type: 'dashed', width: rem }, label: { color } };
          }),
        },
      },
      // A reading between two gaps has no line to stand on.
      { type: 'scatter', name: '', data: alone, symbolSize: 3 * rem, itemStyle: { color: COLOURS.line } },
      {
        type: 'scatter',
        name: language.t('trend.badMark'),
        data: bad,
        symbol: 'path://M-5-5L5 5M5-5L-5 5',
        symbolSize: 8 * rem,
        itemStyle: { color: 'transparent', borderColor: COLOURS.bad, borderWidth: 1.6 * rem },
      },
      {
        type: 'scatter',
        name: language.t('trend.uncertainMark'),
        data: uncertain.length > 400 ? [] : uncertain,
        symbol: 'emptyCircle',
        symbolSize: 6 * rem,
        itemStyle: { color: COLOURS.uncertain },
      },
    ],
  };
}
