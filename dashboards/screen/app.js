/** The composition of the page: log in, read the model, draw the views, follow the live feed. */
import { Api, ApiError } from './session.js';
import { Language } from './i18n/language.js';
import { LiveFeed } from './live.js';
import { LiveState } from './state.js';
import { Login } from './views/login.js';
import { Model } from './model.js';
import { Screen } from './screen.js';
import { ServerClock } from './clock.js';

const language = new Language();
const api = new Api(() => language.locale);
const login = new Login(element('login'), api, language);

/** @param {string} id */
function element(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/** The one-time code of the address, taken out of it so that it is neither kept nor shared. */
function takeCode() {
  const code = new URLSearchParams(location.hash.slice(1)).get('login');
  if (code) history.replaceState(null, '', location.pathname + location.search);
  return code;
}

/** @param {string} text @param {(() => void) | null} retry */
function say(text, retry = null) {
  const place = element('message');
  place.hidden = text === '';
  place.replaceChildren(document.createTextNode(text));
  if (!retry) return;
  const button = document.createElement('button');
  button.textContent = language.t('app.retry');
  button.className = 'primary';
  button.addEventListener('click', retry);
  place.append(button);
}

/** Asks the server again and again by hand until it answers. @template T @param {() => Promise<T>} ask @returns {Promise<T>} */
async function persist(ask) {
  for (;;) {
    say(language.t('app.loading'));
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const detail = error.message || language.t('app.noServer');
      await new Promise((resolve) => {
        say(language.t('app.failed', { detail }), () => resolve(undefined));
      });
    }
  }
}

async function main() {
  document.documentElement.lang = language.locale;
  language.addEventListener('change', () => {
    document.documentElement.lang = language.locale;
  });
  const code = takeCode();
  let session = code ? null : await persist(() => api.session());
  say('');
  session ??= await login.ask(code);
  const model = await persist(() => Model.load(api));
  say('');

  const clock = new ServerClock();
  const state = new LiveState(clock);
  state.describe(model.points.values());
  const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
  const feed = new LiveFeed(`${scheme}//${location.host}/api/v1/live`, state, clock);
  const screen = new Screen({ api, clock, language, model, state, feed, session }, element);

  // A refused socket looks like a lost one: ask whether the session still stands.
  feed.addEventListener('retry', async () => {
    const current = await api.session().catch(() => session);
    if (current) return;
    feed.stop();
    await login.ask(null, 'login.expired');
    location.reload();
  });
  feed.start();
  await screen.start();
  Object.assign(globalThis, { parktwin: { screen, state, feed, mapState: () => screen.map.mirror() } });
}

main();
