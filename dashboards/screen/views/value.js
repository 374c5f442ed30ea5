/** How a reading is shown everywhere: value, mark of its state, age. Honest before it is pretty. */
import { html, nothing } from '../vendor.js';
import { number, shortAge } from '../format.js';

/** @typedef {import('../types').Reading} Reading */
/** @typedef {import('../i18n/language.js').Language} Language */

/** The state in words, with the reason when the quality byte names one. @param {Reading} reading @param {Language} language */
export function stateWords(reading, language) {
  const state = language.word('state', reading.state);
  const reason = reading.quality & 0x3f;
  if (!reason || reading.state === 'none') return state;
  return `${state} · ${language.word('quality', String(reason))}`;
}

/** A small mark with a shape of its own for every state but good. @param {Reading} reading @param {Language} language */
export function stateMark(reading, language) {
  if (reading.state === 'good') return nothing;
  const sign = { uncertain: '?', bad: '✕', stale: '◷', none: '' }[reading.state];
  if (!sign) return nothing;
  const words = stateWords(reading, language);
  return html`<span class="mark mark-${reading.state}" title=${words}
    ><span aria-hidden="true">${sign}</span><span class="sr">${words}</span></span>`;
}

/** The number alone. @param {Reading} reading @param {string} unit */
export function valueText(reading, unit) {
  return number(reading.value, unit);
}

/** @param {Reading} reading @param {Language} language */
export function ageText(reading, language) {
  return shortAge(reading.age, language);
}
