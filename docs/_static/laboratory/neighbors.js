/* Distances to a mask's boundary, and soft center lines. */
"use strict";

(function (root) {
  /* Return each pixel's Euclidean distance to the nearest pixel with the given value; 0
   * everywhere if the mask has only one value. */
  function distances(mask, width, value) {
    const height = mask.length / width;
    const result = new Float64Array(mask.length);
    const isThere = Array.from(mask, (x) => (x > 0.5 ? 1 : 0) === value);
    if (!isThere.includes(true) || !isThere.includes(false)) return result;
    const far = height + width; // further than any pixel is
    const vertical = new Float64Array(mask.length).fill(far);
    for (let x = 0; x < width; x++) {
      let last = -far;
      for (let y = 0; y < height; y++) {
        if (isThere[y * width + x]) last = y;
        vertical[y * width + x] = Math.min(far, y - last);
      }
      last = 2 * far;
      for (let y = height - 1; y >= 0; y--) {
        if (isThere[y * width + x]) last = y;
        const i = y * width + x;
        vertical[i] = Math.min(vertical[i], last - y);
      }
    }
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        let nearest = Infinity;
        for (let other = 0; other < width; other++) {
          const down = vertical[y * width + other];
          nearest = Math.min(nearest, (x - other) ** 2 + (down < far ? down * down : Infinity));
        }
        result[y * width + x] = Math.sqrt(nearest);
      }
    }
    return result;
  }

  // The pixels of a 3 x 3 square, and those of a cross, as (down, right).
  const SQUARE = [-1, 0, 1].flatMap((y) => [-1, 0, 1].map((x) => [y, x]));
  const CROSS = SQUARE.filter(([y, x]) => y === 0 || x === 0);

  /* Pooling only selects pixels, so its result is an index for each pixel: where in
   * the original the smallest (sign -1) or largest (sign 1) value comes from. */
  function pool(values, from, width, neighbors, sign) {
    const height = from.length / width;
    const result = new Int32Array(from.length);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        let best = from[y * width + x];
        for (const [down, right] of neighbors) {
          const [row, column] = [y + down, x + right];
          if (row < 0 || row >= height || column < 0 || column >= width) continue;
          const other = from[row * width + column];
          if (sign * (values[other] - values[best]) > 0) best = other;
        }
        result[y * width + x] = best;
      }
    }
    return result;
  }

  /* Return the soft center line of a mask in [0, 1]: what opening removes, erosion by
   * erosion. backward turns the derivatives by the line into those by the mask. */
  function skeleton(mask, width, iterations) {
    const n = mask.length;
    const steps = [];
    let from = Int32Array.from(mask, (_, i) => i);
    let line = new Float64Array(n);
    for (let step = 0; step <= Math.min(iterations, width + n / width); step++) {
      const eroded = pool(mask, from, width, CROSS, -1);
      const opened = pool(mask, eroded, width, SQUARE, 1);
      const ridge = line.map((_, i) => Math.max(mask[from[i]] - mask[opened[i]], 0));
      steps.push({ from, opened, ridge, before: line });
      line = line.map((x, i) => x + Math.max(ridge[i] * (1 - x), 0));
      from = eroded;
    }
    const backward = (byLine) => {
      const byMask = new Float64Array(n);
      let slope = Float64Array.from(byLine);
      for (const { from: source, opened, ridge, before } of steps.slice().reverse()) {
        slope = slope.map((x, i) => {
          const grows = ridge[i] * (1 - before[i]) > 0;
          if (!grows) return x;
          byMask[source[i]] += x * (1 - before[i]);
          byMask[opened[i]] -= x * (1 - before[i]);
          return x * (1 - ridge[i]);
        });
      }
      return byMask;
    };
    return { line, backward };
  }

  root.LossLab = Object.assign(root.LossLab || {}, { distances, skeleton });
})(globalThis);
