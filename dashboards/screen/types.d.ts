// What the API says, as the screen reads it. Times are Unix milliseconds; null means no value.

export interface Name {
  zh: string;
  en: string;
}

export interface Session {
  user: string;
  role: 'viewer' | 'operator' | 'engineer' | 'admin';
  csrf: string;
  expires_at: number | string;
}

export interface Kpi {
  point: string;
  name: Name;
  unit: string;
  show?: 'value' | 'today';
}

export interface ParkInfo {
  id: string;
  name: Name;
  timezone: string;
  bounds: [number, number, number, number];
  kpis: Kpi[];
  types?: Record<string, Name>;
  model?: string;
}

export interface PointInfo {
  point: string;
  asset: string;
  property: string;
  unit: string;
  domain: string;
  kind: 'gauge' | 'counter' | 'state' | 'derived';
  low: number | null;
  high: number | null;
  stale_s: number;
  name: Name;
}

export interface Geometry {
  type: string;
  coordinates: any;
}

export interface AssetFeature {
  type: 'Feature';
  id: string;
  geometry: Geometry;
  properties: {
    type: string;
    name: Name;
    attributes: Record<string, unknown>;
    points: string[];
  };
}

/** A relation seen from an asset: "out" when that asset is its source. */
export interface Related {
  relation: string;
  direction: 'in' | 'out';
  asset: string;
}

export interface Alarm {
  id: string;
  occurrence: number;
  rule: string;
  point: string;
  asset: string;
  name: Name;
  message: Name;
  priority: Priority;
  state: string;
  active: boolean;
  unacked: boolean;
  since: number;
  raised_at: number;
  value: number | null;
  limit: number | null;
  unit: string;
  consequence: Name;
  action: Name;
  acked_by: string | null;
  acked_at: number | null;
}

export type Priority = 'critical' | 'high' | 'medium' | 'low';

export interface GatewayState {
  id: string;
  name?: Name;
  online: boolean;
  last_seen_at: number | null;
  lag_ms: number | null;
}

export interface History {
  point: string;
  unit: string;
  every: string;
  agg: string;
  columns: string[];
  rows: (number | null)[][];
  truncated: boolean;
}

export type Cell = [value: number | null, ts: number, quality: number];

export interface Snapshot {
  type: 'snapshot';
  now: number;
  lag_ms: number;
  points: string[];
  values: (Cell | null)[];
  alarms: Alarm[];
  gateways: GatewayState[];
}

export interface Delta {
  type: 'delta';
  now: number;
  lag_ms: number;
  values: [index: number, value: number | null, ts: number, quality: number][];
  alarms?: Alarm[];
  gateways?: GatewayState[];
}

/** How much a shown value may be believed. */
export type Freshness = 'good' | 'uncertain' | 'bad' | 'stale' | 'none';

export interface Reading {
  state: Freshness;
  value: number | null;
  ts: number | null;
  quality: number;
  age: number | null;
}

export type Link = 'connecting' | 'live' | 'delayed' | 'offline';

/** What every view is given. */
export interface Context {
  api: import('./session.js').Api;
  clock: import('./clock.js').ServerClock;
  language: import('./i18n/language.js').Language;
  model: import('./model.js').Model;
  state: import('./state.js').LiveState;
  selection: import('./selection.js').Selection;
  feed: import('./live.js').LiveFeed;
  session: Session;
}
