/**
 * The live state: one column per attribute, indexed by the server's point order, so that a delta
 * of thousands of values costs no objects. It also holds the open alarms and the gateways.
 */

/** @typedef {import('./types').Snapshot} Snapshot */
/** @typedef {import('./types').Delta} Delta */
/** @typedef {import('./types').Reading} Reading */

const SEVERITY = 0xc0;
const UNCERTAIN = 64;

export class LiveState extends EventTarget {
  /** @param {import('./clock.js').ServerClock} clock */
  constructor(clock) {
    super();
    this.clock = clock;
    /** @type {string[]} */
    this.ids = [];
    /** @type {Map<string, number>} */
    this.index = new Map();
    this.value = new Float64Array(0);
    this.ts = new Float64Array(0);
    this.quality = new Uint8Array(0);
    /** Seconds after which a value is stale, by index. */
    this.staleAfter = new Float64Array(0);
    /** @type {Map<string, number>} */
    this.staleSeconds = new Map();
    /** @type {import('./types').Alarm[]} */
    this.alarms = [];
    /** @type {Map<string, import('./types').GatewayState>} */
    this.gateways = new Map();
    this.newest = 0;
    this.lag = 0;
    this.ready = false;
    this.rate = new RateMeter(clock.elapsed);
  }

  /** @param {Iterable<import('./types').PointInfo>} points */
  describe(points) {
    for (const point of points) this.staleSeconds.set(point.point, point.stale_s);
  }

  /** @param {Snapshot} message */
  snapshot(message) {
    const n = message.points.length;
    this.ids = message.points;
    this.index = new Map(message.points.map((id, i) => [id, i]));
    this.value = new Float64Array(n).fill(NaN);
    this.ts = new Float64Array(n).fill(NaN);
    this.quality = new Uint8Array(n);
    this.staleAfter = Float64Array.from(
      message.points,
      (id) => this.staleSeconds.get(id) ?? Infinity,
    );
    this.newest = 0;
    message.values.forEach((cell, i) => {
      if (cell) this.#put(i, cell[0], cell[1], cell[2]);
    });
    this.alarms = message.alarms;
    this.gateways = new Map(message.gateways.map((gateway) => [gateway.id, gateway]));
    this.ready = true;
    this.#changed(message, true, true, null);
  }

  /** @param {Delta} message */
  delta(message) {
    for (const [i, value, ts, quality] of message.values) this.#put(i, value, ts, quality);
    this.rate.add(message.values.length);
    if (message.alarms) this.alarms = message.alarms;
    for (const gateway of message.gateways ?? []) {
      this.gateways.set(gateway.id, { ...this.gateways.get(gateway.id), ...gateway });
    }
    this.#changed(message, Boolean(message.alarms), Boolean(message.gateways), message.values);
  }

  /** An alarm as the server has just confirmed it. @param {import('./types').Alarm} alarm */
  putAlarm(alarm) {
    const known = this.alarms.find((other) => other.id === alarm.id);
    if (known && known.occurrence > alarm.occurrence) return;
    const rest = this.alarms.filter((other) => other.id !== alarm.id);
    this.alarms = alarm.active || alarm.unacked ? [...rest, alarm] : rest;
    this.dispatchEvent(
      new CustomEvent('change', { detail: { alarms: true, gateways: false, values: [] } }),
    );
  }

  /** The point as it may be shown now. @param {string} id @returns {Reading} */
  reading(id) {
    const i = this.index.get(id);
    const ts = i === undefined ? NaN : (this.ts[i] ?? NaN);
    if (i === undefined || Number.isNaN(ts)) {
      return { state: 'none', value: null, ts: null, quality: 0, age: null };
    }
    const value = this.value[i] ?? NaN;
    const quality = this.quality[i] ?? 0;
    const age = this.clock.age(ts) ?? 0;
    return {
      state: this.#freshness(i, quality, age),
      value: Number.isNaN(value) ? null : value,
      ts,
      quality,
      age,
    };
  }

  /** How many points are good, uncertain, bad, stale, without data. */
  health() {
    const count = { good: 0, uncertain: 0, bad: 0, stale: 0, none: 0 };
    for (let i = 0; i < this.ids.length; i++) {
      const ts = this.ts[i] ?? NaN;
      if (Number.isNaN(ts)) count.none++;
      else count[this.#freshness(i, this.quality[i] ?? 0, this.clock.age(ts) ?? 0)]++;
    }
    return count;
  }

  /** @param {number} i @param {number} quality @param {number} age ms */
  #freshness(i, quality, age) {
    if (age > (this.staleAfter[i] ?? Infinity) * 1000) return 'stale';
    const severity = quality & SEVERITY;
    if (severity > UNCERTAIN) return 'bad';
    return severity === UNCERTAIN ? 'uncertain' : 'good';
  }

  /** @param {number} i @param {number | null} value @param {number} ts @param {number} quality */
  #put(i, value, ts, quality) {
    if (i < 0 || i >= this.ids.length) return;
    this.value[i] = value ?? NaN;
    this.ts[i] = ts;
    this.quality[i] = quality;
    if (ts > this.newest) this.newest = ts;
  }

  /**
   * @param {Snapshot | Delta} message @param {boolean} alarms @param {boolean} gateways
   * @param {Delta['values'] | null} values null: all of them
   */
  #changed(message, alarms, gateways, values) {
    this.lag = message.lag_ms;
    this.dispatchEvent(new CustomEvent('change', { detail: { alarms, gateways, values } }));
  }
}

/** Values per second over the last ten seconds. */
class RateMeter {
  /** @param {() => number} elapsed */
  constructor(elapsed) {
    this.elapsed = elapsed;
    /** @type {{ at: number, n: number }[]} */
    this.entries = [];
  }

  /** @param {number} n */
  add(n) {
    this.entries.push({ at: this.elapsed(), n });
  }

  /** @returns {number | null} null until two seconds have been seen */
  perSecond() {
    const now = this.elapsed();
    while (this.entries[0] && now - this.entries[0].at > 10_000) this.entries.shift();
    const first = this.entries[0];
    if (!first || now - first.at < 2000) return null;
    const total = this.entries.reduce((sum, entry) => sum + entry.n, 0);
    return (total * 1000) / (now - first.at);
  }
}
