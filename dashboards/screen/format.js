/** Numbers, ages and times as text. Times are Unix ms, shown in the park's time zone. */

/** @typedef {import('./i18n/language.js').Language} Language */

export const NO_DATA = '–';

/** Decimals by unit, as the field writes them; other units go by magnitude. */
const DECIMALS = new Map([
  ['m', 2],
  ['L/s', 1],
  ['kW', 0],
  ['kWh', 0],
  ['m³', 0],
  ['mg/L', 1],
  ['µg/m³', 0],
  ['μg/m³', 0],
  ['dB', 1],
  ['dB(A)', 1],
  ['°C', 1],
  ['℃', 1],
  ['%', 1],
  ['mm', 1],
  ['mm/h', 1],
  ['m/s', 1],
  ['kg/h', 1],
  ['m³/h', 1],
  ['code', 0],
  ['', 0],
]);

/** The unit as written beside a value; a state's code has none. @param {string} unit */
export function unitText(unit) {
  return unit === 'code' ? '' : unit;
}

/** @type {Map<number, Intl.NumberFormat>} */
const numberFormats = new Map();

/** @param {number | null} value @param {string} unit */
export function number(value, unit) {
  if (value === null || !Number.isFinite(value)) return NO_DATA;
  let decimals = DECIMALS.get(unit);
  const size = Math.abs(value);
  if (decimals === undefined) decimals = size >= 100 ? 0 : size >= 10 ? 1 : 2;
  // A small value must not round to a false zero, nor a rounded one wear a minus sign.
  if (size > 0 && size < 0.5 * 10 ** -decimals) decimals = Math.min(6, -Math.floor(Math.log10(size)));
  let format = numberFormats.get(decimals);
  if (!format) {
    format = new Intl.NumberFormat('en-US', {
      minimumFractionDigits: decimals,
      maximumFractionDigits: decimals,
      signDisplay: 'negative',
    });
    numberFormats.set(decimals, format);
  }
  return format.format(value);
}

/** A length of time in words, coarse when long. @param {number | null} ms @param {Language} language */
export function duration(ms, language) {
  if (ms === null) return language.t('age.never');
  const seconds = Math.floor(Math.max(0, ms) / 1000);
  if (seconds < 60) return language.t('age.seconds', { n: seconds });
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return language.t('age.minutesSeconds', { m: minutes, s: seconds % 60 });
  if (minutes < 60) return language.t('age.minutes', { n: minutes });
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return language.t('age.hours', { h: hours, m: minutes % 60 });
  return language.t('age.days', { d: Math.floor(hours / 24), h: hours % 24 });
}

/** As short as a table column needs. @param {number | null} ms @param {Language} language */
export function shortAge(ms, language) {
  if (ms === null) return NO_DATA;
  const seconds = Math.floor(Math.max(0, ms) / 1000);
  if (seconds < 60) return language.t('short.seconds', { n: seconds });
  if (seconds < 3600) return language.t('short.minutes', { n: Math.floor(seconds / 60) });
  if (seconds < 86_400) return language.t('short.hours', { n: Math.floor(seconds / 3600) });
  return language.t('short.days', { n: Math.floor(seconds / 86_400) });
}

/** Times of one time zone. */
export class ParkTime {
  /** @param {string} zone IANA name */
  constructor(zone) {
    this.zone = zone;
    const options = { timeZone: zone, hourCycle: /** @type {const} */ ('h23') };
    this.clockFormat = new Intl.DateTimeFormat('en-GB', {
      ...options, hour: '2-digit', minute: '2-digit', second: '2-digit',
    });
    this.hourFormat = new Intl.DateTimeFormat('en-GB', {
      ...options, hour: '2-digit', minute: '2-digit',
    });
    this.dayFormat = new Intl.DateTimeFormat('en-CA', {
      ...options, year: 'numeric', month: '2-digit', day: '2-digit',
    });
    /** @type {Map<string, Intl.DateTimeFormat>} */
    this.weekdays = new Map();
  }

  /** 14:03:27 @param {number | null} ms */
  clock(ms) {
    return ms === null ? '--:--:--' : this.clockFormat.format(ms);
  }

  /** 14:03 @param {number} ms */
  hour(ms) {
    return this.hourFormat.format(ms);
  }

  /** 2025-11-23 @param {number | null} ms */
  day(ms) {
    return ms === null ? '' : this.dayFormat.format(ms);
  }

  /** 星期日, Sunday @param {number | null} ms @param {Language} language */
  weekday(ms, language) {
    if (ms === null) return '';
    let format = this.weekdays.get(language.tag);
    if (!format) {
      format = new Intl.DateTimeFormat(language.locale, { timeZone: this.zone, weekday: 'long' });
      this.weekdays.set(language.tag, format);
    }
    return format.format(ms);
  }

  /** The time alone when it is of the same day as `now`, else with its date. @param {number} ms @param {number | null} now */
  moment(ms, now) {
    const day = this.day(ms);
    return day === this.day(now) ? this.clock(ms) : `${day.slice(5)} ${this.hour(ms)}`;
  }

  /** Unix ms at which the day of `ms` began in this zone. @param {number} ms */
  dayStart(ms) {
    const [h = 0, m = 0, s = 0] = this.clock(ms).split(':').map(Number);
    return ms - (h * 3600 + m * 60 + s) * 1000 - (((ms % 1000) + 1000) % 1000);
  }
}
