/**
 * The live feed: one WebSocket, a snapshot on every connection, then deltas. It says whether the
 * picture is live, delayed or offline and since when, and comes back by itself.
 */

/** @typedef {import('./types').Link} Link */

const SILENCE_DELAYED_MS = 5000;
const SILENCE_DEAD_MS = 15_000;
const LAG_DELAYED_MS = 10_000;
/** Close code of a socket whose session is over. */
const SESSION_ENDED = 4401;
const BACKOFF_MS = [500, 1000, 2000, 4000, 8000, 15_000];

export class LiveFeed extends EventTarget {
  /**
   * @param {string} url ws:// or wss:// address
   * @param {import('./state.js').LiveState} state
   * @param {import('./clock.js').ServerClock} clock
   */
  constructor(url, state, clock) {
    super();
    this.url = url;
    this.state = state;
    this.clock = clock;
    /** @type {Link} */
    this.link = 'connecting';
    /** Server time at which `link` began, null while no server time is known. @type {number | null} */
    this.since = null;
    this.attempts = 0;
    this.lastMessage = 0;
    this.closed = false;
    /** @type {WebSocket | null} */
    this.socket = null;
    /** @type {number | undefined} */
    this.retry = undefined;
    this.retryAt = 0;
  }

  start() {
    this.#open();
    this.watch = setInterval(() => this.#check(), 1000);
    globalThis.addEventListener('online', () => this.#retryNow());
  }

  stop() {
    this.closed = true;
    clearInterval(this.watch);
    clearTimeout(this.retry);
    this.socket?.close();
  }

  /** Whole seconds until the next attempt. */
  retryIn() {
    return Math.max(0, Math.ceil((this.retryAt - this.clock.elapsed()) / 1000));
  }

  #open() {
    if (this.closed) return;
    const socket = new WebSocket(this.url);
    this.socket = socket;
    this.lastMessage = this.clock.elapsed();
    this.fresh = false;
    socket.onmessage = (event) => {
      if (socket === this.socket) this.#receive(String(event.data));
    };
    socket.onclose = (event) => {
      if (socket !== this.socket) return;
      this.#lost();
      if (event.code === SESSION_ENDED) this.dispatchEvent(new Event('retry'));
    };
  }

  /** @param {string} text */
  #receive(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      this.socket?.close(4000, 'not JSON');
      return;
    }
    this.lastMessage = this.clock.elapsed();
    this.clock.set(message.now);
    if (message.type === 'snapshot') {
      this.fresh = true;
      this.attempts = 0;
      this.state.snapshot(message);
    } else if (message.type === 'delta' && this.fresh) {
      this.state.delta(message);
    }
    if (this.fresh) this.#set(this.state.lag > LAG_DELAYED_MS ? 'delayed' : 'live');
  }

  #lost() {
    this.socket = null;
    if (this.closed) return;
    this.#set('offline');
    const step = BACKOFF_MS[Math.min(this.attempts, BACKOFF_MS.length - 1)] ?? 15_000;
    this.attempts++;
    if (this.attempts > 1) this.dispatchEvent(new Event('retry'));
    const wait = step * (0.75 + Math.random() * 0.5);
    this.retryAt = this.clock.elapsed() + wait;
    this.retry = setTimeout(() => this.#open(), wait);
  }

  #retryNow() {
    if (this.socket || this.closed) return;
    clearTimeout(this.retry);
    this.#open();
  }

  /** A socket can die without a word: silence is judged by the clock. */
  #check() {
    if (!this.socket) return;
    const silence = this.clock.elapsed() - this.lastMessage;
    if (silence > SILENCE_DEAD_MS) {
      const dead = this.socket;
      this.#lost();
      dead.close();
    } else if (silence > SILENCE_DELAYED_MS && this.link === 'live') {
      this.#set('delayed');
    }
  }

  /** @param {Link} link */
  #set(link) {
    if (link === this.link) return;
    this.link = link;
    // A broken or late picture is as old as its last message, not as our noticing of it.
    const now = this.clock.now();
    const silence = link === 'live' ? 0 : this.clock.elapsed() - this.lastMessage;
    this.since = now === null ? null : now - silence;
    this.dispatchEvent(new Event('change'));
  }
}
