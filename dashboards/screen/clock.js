/**
 * The server's clock as the screen knows it. The computer's own clock may be wrong or jump, so it
 * is never read: the last `now` of the server is carried on by the page's monotonic timer.
 */
export class ServerClock {
  /** @param {() => number} elapsed monotonic milliseconds, e.g. performance.now */
  constructor(elapsed = () => performance.now()) {
    this.elapsed = elapsed;
    /** @type {number | null} */
    this.base = null;
    this.mark = 0;
  }

  /** @param {number} serverNow Unix ms that the server has just sent */
  set(serverNow) {
    if (!Number.isFinite(serverNow)) return;
    this.base = serverNow;
    this.mark = this.elapsed();
  }

  /** Unix ms on the server now, or null before the first message. @returns {number | null} */
  now() {
    return this.base === null ? null : this.base + (this.elapsed() - this.mark);
  }

  /** Age in ms of something that happened at `ts`, never below 0. @param {number | null} ts */
  age(ts) {
    const now = this.now();
    return now === null || ts === null ? null : Math.max(0, now - ts);
  }
}
