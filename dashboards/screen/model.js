/** The park as the page knows it: assets and points by id, loaded once and again on a new model. */

/** @typedef {import('./types').AssetFeature} AssetFeature */
/** @typedef {import('./types').PointInfo} PointInfo */

export class Model {
  /**
   * @param {import('./types').ParkInfo} park
   * @param {AssetFeature[]} assets
   * @param {PointInfo[]} points
   */
  constructor(park, assets, points) {
    this.park = park;
    this.assets = new Map(assets.map((asset) => [asset.id, asset]));
    this.points = new Map(points.map((point) => [point.point, point]));
    /** @type {Map<string, PointInfo[]>} */
    this.pointsOfAsset = new Map();
    for (const point of points) {
      const list = this.pointsOfAsset.get(point.asset);
      if (list) list.push(point);
      else this.pointsOfAsset.set(point.asset, [point]);
    }
  }

  /** @param {import('./session.js').Api} api @returns {Promise<Model>} */
  static async load(api) {
    const [park, assets, points] = await Promise.all([
      api.get('park'),
      api.get('assets'),
      api.get('points'),
    ]);
    return new Model(park, assets.features, points);
  }

  /** Points of an asset, in the model's order. @param {string} asset */
  pointsOf(asset) {
    return this.pointsOfAsset.get(asset) ?? [];
  }

  /** Name of an asset's type, in the park's own words. @param {AssetFeature} asset @param {import('./i18n/language.js').Language} language */
  typeName(asset, language) {
    const { type } = asset.properties;
    return language.name(this.park.types?.[type]) || type;
  }

  /** Assets whose id or name contains the text. @param {string} text @param {number} limit */
  find(text, limit) {
    const wanted = text.trim().toLowerCase();
    if (!wanted) return [];
    const found = [];
    for (const asset of this.assets.values()) {
      const { zh, en } = asset.properties.name;
      if ([asset.id, zh, en].some((word) => word.toLowerCase().includes(wanted))) {
        found.push(asset);
        if (found.length === limit) break;
      }
    }
    return found;
  }
}
