/** The top line: is the picture live and since when, whose park, what time it is there. */
import { html, render } from '../vendor.js';
import { ParkTime, duration } from '../format.js';

export class Header {
  /** @param {HTMLElement} root @param {import('../types').Context} context @param {() => void} logout */
  constructor(root, context, logout) {
    this.root = root;
    this.context = context;
    this.logout = logout;
    this.time = new ParkTime(context.model.park.timezone);
  }

  draw() {
    const { language, clock, feed, model, session, state } = this.context;
    const now = clock.now();
    const since = feed.since === null || feed.link === 'live' ? null : now === null ? null : now - feed.since;
    const age = state.newest ? clock.age(state.newest) : null;
    const lagging = feed.link === 'delayed' && state.lag > 10_000;
    render(
      html`
        <div class="header-left">
          <div class="lamp lamp-${feed.link}" role="status" data-testid="lamp" data-state=${feed.link}
            data-since=${feed.since ?? ''}>
            <span class="lamp-shape" aria-hidden="true"></span>
            <span class="lamp-word">${language.word('link', feed.link)}</span>
            <span class="lamp-since" data-testid="lamp-since">${
              feed.since === null
                ? ''
                : lagging
                  ? language.t('link.lag', { lag: duration(state.lag, language) })
                  : since === null
                    ? language.t('link.since', { time: this.time.moment(feed.since, now) })
                    : `${language.t('link.since', { time: this.time.moment(feed.since, now) })} · ${language.t(
                        'link.forDuration', { duration: duration(since, language) })}`
            }</span>
          </div>
          <div class="data-age">
            <span class="quiet">${language.t('header.dataAge')}</span>
            <span data-testid="data-age" data-ms=${age === null ? '' : Math.round(age)}>${
              age === null ? language.t('age.never') : language.t('header.ago', { age: duration(age, language) })
            }</span>
          </div>
        </div>
        <div class="header-title">
          <h1 data-testid="park-name">${language.name(model.park.name)}</h1>
          <p>${language.t('app.title')}</p>
        </div>
        <div class="header-right">
          <div class="header-clock">
            <time data-testid="clock">${this.time.clock(now)}</time>
            <span class="quiet">${this.time.day(now)} ${this.time.weekday(now, language)}</span>
          </div>
          <div class="header-person">
            <span class="quiet" data-testid="user">${language.t('header.user', {
              user: session.user,
              role: language.word('role', session.role),
            })}</span>
            <span class="header-actions">
              <button class="plain" data-testid="language" lang=${language.tag === 'zh' ? 'en' : 'zh-CN'}
                @click=${() => language.use(language.tag === 'zh' ? 'en' : 'zh')}>
                ${language.t('header.language')}
              </button>
              <button class="plain" data-testid="logout" @click=${this.logout}>
                ${language.t('header.logout')}
              </button>
            </span>
          </div>
        </div>
      `,
      this.root,
    );
  }
}

/** Across the page while it is offline: since when, and what happens next. */
export class Banner {
  /** @param {HTMLElement} root @param {import('../types').Context} context */
  constructor(root, context) {
    this.root = root;
    this.context = context;
    this.time = new ParkTime(context.model.park.timezone);
  }

  draw() {
    const { language, feed, clock } = this.context;
    const offline = feed.link === 'offline';
    this.root.hidden = !offline;
    if (!offline) return;
    const now = clock.now();
    const seconds = feed.retryIn();
    const text =
      feed.since === null || now === null
        ? language.t('link.bannerUnknown')
        : language.t('link.banner', {
            time: this.time.moment(feed.since, now),
            duration: duration(now - feed.since, language),
          });
    render(
      html`<strong>${text}</strong>
        <span>${seconds > 0 ? language.t('link.retryIn', { seconds }) : language.t('link.retrying')}</span>`,
      this.root,
    );
  }
}
