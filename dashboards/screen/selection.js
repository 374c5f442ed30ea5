/** What the operator looks at: one asset (the side panel) and one point (the trend). */
export class Selection extends EventTarget {
  constructor() {
    super();
    /** @type {string | null} */
    this.asset = null;
    /** @type {string | null} */
    this.point = null;
  }

  /** @param {string | null} asset @param {string | null} [point] keep the trend's point when absent */
  choose(asset, point) {
    const nextPoint = point === undefined ? this.point : point;
    if (asset === this.asset && nextPoint === this.point) return;
    this.asset = asset;
    this.point = nextPoint;
    this.dispatchEvent(new Event('change'));
  }
}
