/* Masks to begin with, the noisy image of a mask, and a small model trained on it. */
"use strict";

(function (root) {
  const SIZE = 32;
  const LAST_STEP = 300;

  // -- masks --------------------------------------------------------------------------

  const painted = (isObject) =>
    Array.from({ length: SIZE * SIZE }, (_, i) =>
      isObject(i % SIZE, Math.floor(i / SIZE)) ? 1 : 0,
    );
  const within = (x, y, circles) =>
    circles.some(([cx, cy, radius]) => Math.hypot(x - cx, y - cy) <= radius);
  const CELLS = [
    [9, 9, 5.6],
    [20.5, 8, 5.2],
    [14, 19.5, 5.5],
    [25, 19, 4.9],
    [6.5, 27, 3.9],
    [22.5, 27.5, 3.5],
  ];
  const DOTS = [
    [3, 4], [9, 2], [16, 5], [23, 3], [29, 6], [5, 11], [12, 12], [20, 10], [26, 13], [2, 18],
    [9, 20], [16, 17], [23, 20], [29, 19], [5, 26], [12, 28], [19, 25], [26, 28],
  ];
  const isVessel = (x, y) => {
    const stem = 15.5 + 7 * Math.sin(x / 6.5);
    const branch = 8 + (x - 9) * 1.05;
    return Math.abs(y - stem) < 1.1 || (x > 10 && x < 29 && Math.abs(y - branch) < 0.75);
  };
  // Neighboring cells touch, with one pixel of background where they do not overlap.
  const isCell = (x, y) =>
    CELLS.some(([cx, cy, radius]) => Math.hypot(x - cx, y - cy) <= radius);

  const presets = {
    vessel: { label: "Thin vessel", mask: painted(isVessel) },
    blob: {
      label: "Blob",
      mask: painted((x, y) => within(x, y, [[13, 17, 7], [19, 13, 5.5], [20, 19, 4]])),
    },
    dots: {
      label: "Many small dots",
      mask: painted((x, y) => within(x, y, DOTS.map(([cx, cy], i) => [cx, cy, 0.8 + (i % 3) * 0.4]))),
    },
    cells: { label: "Touching cells", mask: painted(isCell) },
    ring: {
      label: "Ring",
      mask: painted((x, y) => Math.abs(Math.hypot(x - 15.5, y - 15.5) - 10) < 1.3),
    },
    empty: { label: "Empty", mask: painted(() => false) },
  };

  // -- the image ----------------------------------------------------------------------

  // Normal numbers that are the same on every machine.
  function normals(n, seed) {
    let state = seed;
    const uniform = () => {
      state = (state + 0x6d2b79f5) | 0;
      let x = Math.imul(state ^ (state >>> 15), 1 | state);
      x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
      return (((x ^ (x >>> 14)) >>> 0) + 0.5) / 4294967296;
    };
    return Float64Array.from({ length: n }, () => {
      const radius = Math.sqrt(-2 * Math.log(uniform()));
      return radius * Math.cos(2 * Math.PI * uniform());
    });
  }
  const NOISE = normals(SIZE * SIZE, 4);

  // The weighted mean over a neighborhood, without what lies beyond the border.
  function blurred(values, sigma) {
    const reach = Math.ceil(3 * sigma);
    const along = (from, step, position) =>
      Float64Array.from(from, (_, i) => {
        let [total, weights] = [0, 0];
        for (let k = -reach; k <= reach; k++) {
          if (position(i) + k < 0 || position(i) + k >= SIZE) continue;
          const weight = Math.exp(-(k * k) / (2 * sigma * sigma));
          total += weight * from[i + k * step];
          weights += weight;
        }
        return total / weights;
      });
    const rows = along(values, 1, (i) => i % SIZE);
    return along(rows, SIZE, (i) => Math.floor(i / SIZE));
  }

  /* The image that the model sees: the mask, a little out of focus, dimmer toward the
   * right, with noise. */
  function imageOf(mask, noise) {
    const sharp = blurred(mask, 0.6);
    return sharp.map((x, i) => x * (1 - (0.6 * (i % SIZE)) / (SIZE - 1)) + noise * NOISE[i]);
  }

  // -- the model ----------------------------------------------------------------------

  function standardized(values) {
    const n = values.length;
    const mean = root.LossLab.sum(values) / n;
    const deviation = Math.sqrt(root.LossLab.sum(values.map((x) => (x - mean) ** 2)) / n);
    return values.map((x) => (x - mean) / (deviation || 1));
  }

  // What the model knows of each pixel: brightness there and around it, and a constant.
  function featuresOf(image) {
    const seen = [image, blurred(image, 0.8), blurred(image, 1.6), blurred(image, 3.2)];
    return [...seen.map(standardized), new Float64Array(image.length).fill(1)];
  }

  const newModel = () => ({ step: 0, weights: [0, 0, 0, 0, 0], mean: [], square: [], loss: null });

  function scoresOf(model, features) {
    return Float64Array.from(features[0], (_, i) => {
      let score = 0;
      for (let k = 0; k < features.length; k++) score += model.weights[k] * features[k][i];
      return score;
    });
  }

  // One step of Adam, with its usual constants.
  function train(model, features, mask, terms, lr) {
    const { gradient } = root.LossLab.evaluate(terms, scoresOf(model, features), mask, SIZE);
    model.step += 1;
    features.forEach((feature, k) => {
      let slope = 0;
      for (let i = 0; i < feature.length; i++) slope += feature[i] * gradient[i];
      model.mean[k] = 0.9 * (model.mean[k] || 0) + 0.1 * slope;
      model.square[k] = 0.999 * (model.square[k] || 0) + 0.001 * slope * slope;
      const mean = model.mean[k] / (1 - 0.9 ** model.step);
      const square = model.square[k] / (1 - 0.999 ** model.step);
      model.weights[k] -= (lr * mean) / (Math.sqrt(square) + 1e-8);
    });
  }

  // How a mask of scores above 0 fits: Dice, misses and false alarms.
  function compare(scores, mask) {
    const counts = { hits: 0, misses: 0, alarms: 0 };
    scores.forEach((score, i) => {
      if (mask[i] && score > 0) counts.hits += 1;
      else if (mask[i]) counts.misses += 1;
      else if (score > 0) counts.alarms += 1;
    });
    const { hits, misses, alarms } = counts;
    const all = 2 * hits + misses + alarms;
    return { ...counts, dice: all ? (2 * hits) / all : 1 };
  }

  root.LossLab = Object.assign(root.LossLab || {}, {
    LAST_STEP,
    SIZE,
    compare,
    featuresOf,
    imageOf,
    newModel,
    presets,
    scoresOf,
    train,
  });
})(globalThis);
