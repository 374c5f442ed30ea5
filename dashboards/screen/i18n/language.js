/** The language of the page: Chinese first, English complete, switched without a reload. */
import en from './en.js';
import zh from './zh.js';

/** @typedef {keyof typeof zh} Key */
/** @typedef {'zh' | 'en'} Tag */

const STRINGS = { zh, en };
const STORED = 'parktwin.language';

export class Language extends EventTarget {
  /** @param {Storage | null} storage where the choice is kept */
  constructor(storage = globalThis.localStorage) {
    super();
    this.storage = storage;
    /** @type {Tag} */
    this.tag = storage?.getItem(STORED) === 'en' ? 'en' : 'zh';
  }

  /** @param {Tag} tag */
  use(tag) {
    if (tag === this.tag) return;
    this.tag = tag;
    this.storage?.setItem(STORED, tag);
    this.dispatchEvent(new Event('change'));
  }

  /** BCP 47 tag, for Accept-Language, Intl and the document. */
  get locale() {
    return this.tag === 'zh' ? 'zh-CN' : 'en';
  }

  /**
   * The string of a key, its `{places}` filled in.
   * @param {Key} key @param {Record<string, string | number>} [places]
   */
  t(key, places) {
    const text = STRINGS[this.tag][key];
    if (!places) return text;
    return text.replace(/\{(\w+)\}/g, (whole, place) => String(places[place] ?? whole));
  }

  /** As `t`, for keys made from data: an unknown key gives the data itself. @param {string} group @param {string} word */
  word(group, word) {
    const key = `${group}.${word}`;
    return key in STRINGS[this.tag] ? STRINGS[this.tag][/** @type {Key} */ (key)] : word;
  }

  /** A name of the park's model, in the other language when this one is empty. @param {import('../types').Name | null | undefined} name */
  name(name) {
    if (!name) return '';
    return name[this.tag] || name.zh || name.en || '';
  }
}
