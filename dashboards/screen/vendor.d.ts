// The part of the vendored modules' interface that the screen uses; vendor.js re-exports them.

export type Template = { readonly _$litType$: number } | typeof nothing | string | number;
export declare const nothing: unique symbol;
export declare function html(strings: TemplateStringsArray, ...values: unknown[]): Template;
export declare function svg(strings: TemplateStringsArray, ...values: unknown[]): Template;
export declare function render(value: Template, container: HTMLElement): unknown;
export declare function live(value: unknown): unknown;
export declare function repeat<T>(
  items: Iterable<T>,
  key: (item: T) => string,
  template: (item: T, index: number) => Template,
): Template;

export type Position = [number, number];

export interface MapEvent {
  point: { x: number; y: number };
  lngLat: { lng: number; lat: number };
  originalEvent: MouseEvent;
  error?: Error;
}

export interface RenderedFeature {
  id?: string | number;
  source: string;
  layer: { id: string };
  properties: Record<string, unknown>;
}

export interface GlMap {
  on(type: string, listener: (event: MapEvent) => void): void;
  once(type: string, listener: (event: MapEvent) => void): void;
  loaded(): boolean;
  resize(): void;
  remove(): void;
  addImage(
    id: string,
    image: { width: number; height: number; data: Uint8ClampedArray },
    options?: {
      sdf?: boolean;
      pixelRatio?: number;
      stretchX?: [number, number][];
      stretchY?: [number, number][];
      content?: [number, number, number, number];
    },
  ): void;
  getSource(id: string): { setData(data: { type: string; features: unknown[] }): void } | undefined;
  setPadding(padding: { top: number; right: number; bottom: number; left: number }): void;
  getZoom(): number;
  getBearing(): number;
  getCanvas(): HTMLCanvasElement;
  queryRenderedFeatures(geometry: unknown, options: { layers: string[] }): RenderedFeature[];
  setFeatureState(
    feature: { source: string; id: string },
    state: Record<string, string | number | boolean>,
  ): void;
  setPaintProperty(layer: string, name: string, value: unknown): void;
  setLayoutProperty(layer: string, name: string, value: unknown): void;
  cameraForBounds(
    bounds: [number, number, number, number],
    options: Record<string, unknown>,
  ): { center: unknown; zoom: number } | undefined;
  easeTo(options: Record<string, unknown>): void;
  zoomIn(): void;
  zoomOut(): void;
}

export interface GlMarker {
  setLngLat(position: Position): GlMarker;
  addTo(map: GlMap): GlMarker;
  remove(): void;
  getElement(): HTMLElement;
}

export interface MapLibre {
  Map: new (options: Record<string, unknown>) => GlMap;
  Marker: new (options: Record<string, unknown>) => GlMarker;
}

export interface Chart {
  setOption(option: Record<string, unknown>, notMerge?: boolean): void;
  resize(): void;
  dispose(): void;
}

export interface ECharts {
  init(element: HTMLElement, theme: null, options: Record<string, unknown>): Chart;
}

export declare function loadMapLibre(): Promise<MapLibre>;
export declare function loadECharts(): Promise<ECharts>;
