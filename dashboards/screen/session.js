/** Requests to the API on behalf of the person who is logged in. */

/** @typedef {import('./types').Session} Session */

const BASE = '/api/v1/';
const TIMEOUT_MS = 15_000;

/** An answer that is not a success, or no answer (status 0). */
export class ApiError extends Error {
  /** @param {number} status @param {string} detail in the language asked for */
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

export class Api {
  /** @param {() => string} language tag for Accept-Language */
  constructor(language) {
    this.language = language;
    this.csrf = '';
  }

  /** The session of this browser, or null when nobody is logged in. @returns {Promise<Session | null>} */
  async session() {
    try {
      return this.#keep(await this.get('session'));
    } catch (error) {
      if (error instanceof ApiError && (error.status === 401 || error.status === 403)) return null;
      throw error;
    }
  }

  /** @param {{ username: string, password: string } | { code: string }} proof */
  async login(proof) {
    return this.#keep(await this.request('POST', 'session', proof));
  }

  async logout() {
    await this.request('DELETE', 'session');
    this.csrf = '';
  }

  /** @param {string} path @param {AbortSignal} [signal] @returns {Promise<any>} */
  get(path, signal) {
    return this.request('GET', path, undefined, signal);
  }

  /** @param {string} path @param {unknown} body @returns {Promise<any>} */
  post(path, body) {
    return this.request('POST', path, body);
  }

  /**
   * @param {string} method @param {string} path @param {unknown} [body] @param {AbortSignal} [signal]
   * @returns {Promise<any>}
   */
  async request(method, path, body, signal) {
    /** @type {Record<string, string>} */
    const headers = { Accept: 'application/json', 'Accept-Language': this.language() };
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    if (method !== 'GET' && this.csrf) headers['X-CSRF-Token'] = this.csrf;
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    let response;
    try {
      response = await fetch(BASE + path, {
        method,
        headers,
        body: body === undefined ? null : JSON.stringify(body),
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new ApiError(0, '');
    }
    if (!response.ok) throw new ApiError(response.status, await problemOf(response));
    return response.status === 204 ? null : response.json();
  }

  /** @param {Session} session */
  #keep(session) {
    this.csrf = session.csrf;
    return session;
  }
}

/** The sentence of an RFC 9457 answer. @param {Response} response */
async function problemOf(response) {
  try {
    const problem = await response.json();
    return String(problem.detail ?? problem.title ?? '');
  } catch {
    return '';
  }
}
