/** The login page: a name and a password, or the one-time code of the address. */
import { html, render, nothing } from '../vendor.js';
import { ApiError } from '../session.js';

export class Login {
  /**
   * @param {HTMLElement} root
   * @param {import('../session.js').Api} api
   * @param {import('../i18n/language.js').Language} language
   */
  constructor(root, api, language) {
    this.root = root;
    this.api = api;
    this.language = language;
    this.problem = '';
    this.busy = false;
    /** @type {(session: import('../types').Session) => void} */
    this.done = () => {};
  }

  /**
   * Shows the form until somebody is logged in.
   * @param {string | null} code one-time login code, tried first
   * @param {'login.expired' | null} reason
   * @returns {Promise<import('../types').Session>}
   */
  ask(code, reason = null) {
    this.problem = reason ? this.language.t(reason) : '';
    this.root.hidden = false;
    const answer = new Promise((resolve) => {
      this.done = resolve;
    });
    const redraw = () => this.draw();
    this.language.addEventListener('change', redraw);
    this.draw();
    if (code) this.#try({ code }, 'login.codeRefused');
    return answer.finally(() => {
      this.language.removeEventListener('change', redraw);
      this.root.hidden = true;
    });
  }

  draw() {
    const { language } = this;
    render(
      html`
        <form class="login" data-testid="login" @submit=${(/** @type {SubmitEvent} */ event) => this.#submit(event)}>
          <div class="login-brand" aria-hidden="true"></div>
          <h1>ParkTwin</h1>
          <p class="quiet">${language.t('app.title')}</p>
          <label>${language.t('login.user')}
            <input name="username" autocomplete="username" required ?disabled=${this.busy} /></label>
          <label>${language.t('login.password')}
            <input name="password" type="password" autocomplete="current-password" required ?disabled=${this.busy} /></label>
          ${this.problem ? html`<p class="login-problem" role="alert" data-testid="login-problem">${this.problem}</p>` : nothing}
          <button class="primary" ?disabled=${this.busy}>${language.t('login.submit')}</button>
          <p class="quiet login-hint">${language.t('login.hint')}</p>
          <button type="button" class="plain" data-testid="login-language"
            @click=${() => language.use(language.tag === 'zh' ? 'en' : 'zh')}>${language.t('header.language')}</button>
        </form>
      `,
      this.root,
    );
  }

  /** @param {SubmitEvent} event */
  #submit(event) {
    event.preventDefault();
    const data = new FormData(/** @type {HTMLFormElement} */ (event.target));
    const username = String(data.get('username'));
    this.#try({ username, password: String(data.get('password')) }, 'login.refused');
  }

  /** @param {{ username: string, password: string } | { code: string }} proof @param {'login.refused' | 'login.codeRefused'} refused */
  async #try(proof, refused) {
    this.busy = true;
    this.problem = '';
    this.draw();
    try {
      this.done(await this.api.login(proof));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const wrong = error.status === 401 || error.status === 403;
      this.problem = wrong ? this.language.t(refused) : error.message || this.language.t('app.noServer');
    }
    this.busy = false;
    this.draw();
  }
}
