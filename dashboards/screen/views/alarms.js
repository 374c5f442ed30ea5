/** The live alarm list: most urgent first, what it means, what to do, and the acknowledgement. */
import { html, render, nothing, repeat } from '../vendor.js';
import { ParkTime, duration, number } from '../format.js';
import { icon, known, priorityShape, rank, PRIORITIES } from './icons.js';
import { ApiError } from '../session.js';

/** @typedef {import('../types').Alarm} Alarm */

const LISTED = 100;

/** Unacknowledged first, then by priority, then the newest. @param {Alarm} a @param {Alarm} b */
export function byUrgency(a, b) {
  return (
    Number(b.unacked) - Number(a.unacked) ||
    rank(a.priority) - rank(b.priority) ||
    b.since - a.since ||
    (a.id < b.id ? -1 : 1)
  );
}

export class AlarmList {
  /** @param {HTMLElement} root @param {import('../types').Context} context */
  constructor(root, context) {
    this.root = root;
    this.context = context;
    this.time = new ParkTime(context.model.park.timezone);
    this.mayAct = context.session.role !== 'viewer';
    this.onlyUnacked = false;
    /** @type {string | null} */
    this.expanded = null;
    /** What the last acknowledgement came to, by alarm. @type {Map<string, string>} */
    this.notes = new Map();
    /** @type {Set<string>} */
    this.pending = new Set();
  }

  draw() {
    const { language, state } = this.context;
    const alarms = state.alarms.filter((alarm) => alarm.unacked || !this.onlyUnacked).sort(byUrgency);
    const shown = alarms.slice(0, LISTED);
    const unacked = state.alarms.filter((alarm) => alarm.unacked).length;
    render(
      html`
        <header class="card-head">
          <h2>${language.t('alarms.title')}</h2>
          <div class="counts">${PRIORITIES.map((priority) => this.#count(priority))}</div>
          <div class="switch" role="group" aria-label=${language.t('alarms.title')}>
            <button data-testid="alarms-all" aria-pressed=${!this.onlyUnacked}
              @click=${() => this.#filter(false)}>${language.t('alarms.all')} ${state.alarms.length}</button>
            <button data-testid="alarms-unacked" aria-pressed=${this.onlyUnacked}
              @click=${() => this.#filter(true)}>${language.t('alarms.unacked')} ${unacked}</button>
          </div>
        </header>
        <ol class="alarm-list" data-testid="alarms" data-count=${state.alarms.length} tabindex="0"
          aria-label=${language.t('alarms.title')}>
          ${repeat(shown, (alarm) => alarm.id, (alarm) => this.#row(alarm))}
          ${alarms.length > LISTED
            ? html`<li class="alarm-more">${language.t('alarms.more', { n: alarms.length - LISTED })}</li>`
            : nothing}
          ${alarms.length === 0
            ? html`<li class="alarm-empty"><span class="calm" aria-hidden="true"></span>${
                state.ready
                  ? language.t(this.onlyUnacked && state.alarms.length ? 'alarms.noneUnacked' : 'alarms.none')
                  : language.t('link.connecting')
              }</li>`
            : nothing}
        </ol>
      `,
      this.root,
    );
  }

  /** @param {import('../types').Priority} priority */
  #count(priority) {
    const { language, state } = this.context;
    const n = state.alarms.filter((alarm) => known(alarm.priority) === priority).length;
    return html`<span class="count ${n ? '' : 'zero'}" data-testid="count-${priority}" data-value=${n}
      title=${language.t(`priority.${priority}`)}>${priorityShape(priority)}<b>${n}</b></span>`;
  }

  /** @param {Alarm} alarm */
  #row(alarm) {
    const { language, model, clock, selection } = this.context;
    const open = this.expanded === alarm.id;
    const look = alarm.unacked ? (alarm.active ? 'unacked' : 'returned') : 'acked';
    const asset = model.assets.get(alarm.asset);
    const note = this.notes.get(alarm.id);
    const priority = known(alarm.priority);
    const message = language.name(alarm.message) || language.name(alarm.name);
    return html`<li class="alarm alarm-${priority} alarm-${look}" data-testid="alarm" data-alarm=${alarm.id}
      data-state=${alarm.state} data-priority=${alarm.priority} data-occurrence=${alarm.occurrence}
      data-asset=${alarm.asset}>
      <button class="alarm-main" aria-expanded=${open} @click=${() => this.#toggle(alarm)}>
        <span class="alarm-shape">${priorityShape(priority, look)}<span class="sr">${language.t(
          `priority.${priority}`)}</span></span>
        <span class="alarm-text">
          <span class="alarm-message">${message}</span>
          <span class="alarm-where">${asset ? language.name(asset.properties.name) : alarm.asset}
            <span class="id">${alarm.asset}</span></span>
        </span>
        <span class="alarm-side">
          <span class="alarm-value">${number(alarm.value, alarm.unit)}<small>${
            alarm.limit === null ? '' : ` / ${number(alarm.limit, alarm.unit)}`} ${alarm.unit}</small></span>
          <span class="alarm-age">${duration(clock.age(alarm.since), language)}</span>
        </span>
      </button>
      <div class="alarm-foot">
        <span class="alarm-state">${language.word('alarm', alarm.state)}</span>
        ${note ? html`<span class="alarm-note" role="alert" data-testid="alarm-note">${note}</span>` : nothing}
        ${alarm.unacked && this.mayAct
          ? html`<button class="ack" data-testid="ack" ?disabled=${this.pending.has(alarm.id)}
              @click=${() => this.#acknowledge(alarm)}>${
                language.t(this.pending.has(alarm.id) ? 'alarms.acking' : 'alarms.ack')}</button>`
          : nothing}
      </div>
      ${open ? this.#details(alarm, () => selection.choose(alarm.asset, alarm.point)) : nothing}
    </li>`;
  }

  /** @param {Alarm} alarm @param {() => void} show */
  #details(alarm, show) {
    const { language, clock } = this.context;
    const now = clock.now();
    return html`<dl class="alarm-details" data-testid="alarm-details">
      <dt>${language.t('alarms.consequence')}</dt><dd>${language.name(alarm.consequence) || '–'}</dd>
      <dt>${language.t('alarms.action')}</dt><dd>${language.name(alarm.action) || '–'}</dd>
      <dt>${language.t('alarms.begun')}</dt><dd>${this.time.moment(alarm.since, now)}</dd>
      ${alarm.acked_by && alarm.acked_at !== null
        ? html`<dt>${language.t('alarms.ack')}</dt><dd>${language.t('alarms.acked', {
            user: alarm.acked_by, time: this.time.moment(alarm.acked_at, now) })}</dd>`
        : nothing}
      <dt></dt><dd><button class="plain" @click=${show}>${icon('pin')} ${language.t('alarms.showOnMap')}</button></dd>
    </dl>`;
  }

  /** @param {boolean} onlyUnacked */
  #filter(onlyUnacked) {
    this.onlyUnacked = onlyUnacked;
    this.draw();
  }

  /** @param {Alarm} alarm */
  #toggle(alarm) {
    this.expanded = this.expanded === alarm.id ? null : alarm.id;
    this.context.selection.choose(alarm.asset, alarm.point);
    this.draw();
  }

  /** Only the server's word changes the list; a newer occurrence is never acknowledged unseen. @param {Alarm} alarm */
  async #acknowledge(alarm) {
    const { api, language, state } = this.context;
    this.pending.add(alarm.id);
    this.notes.delete(alarm.id);
    this.draw();
    try {
      const confirmed = await api.post(`alarms/${encodeURIComponent(alarm.id)}/ack`, {
        occurrence: alarm.occurrence,
        comment: null,
      });
      state.putAlarm(confirmed);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 409) {
        this.notes.set(alarm.id, language.t('alarms.conflict'));
        await this.#reread();
      } else {
        const detail = error.message || language.t('app.noServer');
        this.notes.set(alarm.id, language.t('alarms.refused', { detail }));
      }
    } finally {
      this.pending.delete(alarm.id);
      this.draw();
    }
  }

  async #reread() {
    try {
      const answer = await this.context.api.get('alarms');
      for (const alarm of answer.alarms) this.context.state.putAlarm(alarm);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }
}
