/* The losses of sklearnloss.losses for one score per pixel and a mask of 0 and 1.
 *
 * Each loss is a function (z, t, params, width) of the scores z, the mask t (both of
 * height * width numbers, row by row), the parameters and the width. It returns
 * { value, gradient }: the loss as the Python class computes it for one image, and its
 * derivative by each score, in closed form. tests/docs/test_laboratory.py compares them
 * with the Python classes. A classic script, so that it works from file:// and in node.
 */
"use strict";

(function (root) {
  const { focusedEntropy, pixelLoss, relu, sigmoid, sum } = root.LossLab;

  // -- losses of soft counts ----------------------------------------------------------

  /* A loss of true positives, predicted and actual positives, and the number of pixels.
   * f({ tp, p, t, n }, params) returns the value and its derivatives by tp and p. */
  const countLoss = (f, squared) => (z, t, params) => {
    const p = Array.from(z, sigmoid);
    const isSquared = squared && params.squared;
    const counts = { tp: 0, p: 0, t: sum(t), n: z.length };
    p.forEach((pi, i) => {
      counts.tp += pi * t[i];
      counts.p += isSquared ? pi * pi : pi;
    });
    const [value, byTp, byP] = f(counts, params);
    const slope = (pi, i) =>
      (byTp * t[i] + byP * (isSquared ? 2 * pi : 1)) * pi * sigmoid(-z[i]);
    return { value, gradient: Float64Array.from(p, slope) };
  };

  // 1 - (top + eps) / (bottom + eps), each [value, derivative by tp, derivative by p]
  const oneMinusRatio = (top, bottom, eps) => {
    const below = bottom[0] + eps;
    const ratio = (top[0] + eps) / below;
    return [1 - ratio, (ratio * bottom[1] - top[1]) / below, (ratio * bottom[2] - top[2]) / below];
  };

  const diceOf = ({ tp, p, t }, { eps }) => oneMinusRatio([2 * tp, 2, 0], [p + t, 0, 1], eps);

  const tverskyOf = ({ tp, p, t }, { alpha, beta, eps = 1e-6 }) =>
    oneMinusRatio(
      [tp, 1, 0],
      [tp + alpha * (p - tp) + beta * (t - tp), 1 - alpha - beta, alpha],
      eps,
    );

  // The power of a value with its derivatives; flat at 0 and below.
  const powerOf = ([value, byTp, byP], exponent) => {
    if (value <= 0) return [0, 0, 0];
    const slope = exponent * value ** (exponent - 1);
    return [value ** exponent, slope * byTp, slope * byP];
  };

  const jaccardOf = (counts, { eps }) => tverskyOf(counts, { alpha: 1, beta: 1, eps });

  const focalTverskyOf = (counts, params) => powerOf(tverskyOf(counts, params), params.gamma);

  const logCoshDiceOf = (counts, params) => {
    const [dice, byTp, byP] = diceOf(counts, params);
    return [Math.log(Math.cosh(dice)), Math.tanh(dice) * byTp, Math.tanh(dice) * byP];
  };

  function generalizedDiceOf({ tp, p, t, n }, { weight_type, eps }) {
    const power = { square: 2, simple: 1, uniform: 0 }[weight_type];
    const sizes = [n - t, t];
    const weights = sizes.map((size) => (size > 0 ? 1 / size ** power : 0));
    const largest = Math.max(...weights);
    const [back, object] = weights.map((w) => (w > 0 ? w : largest));
    const trueNegatives = n - p - t + tp;
    return oneMinusRatio(
      [2 * (back * trueNegatives + object * tp), 2 * (back + object), -2 * back],
      [back * (2 * n - p - t) + object * (p + t), 0, object - back],
      eps,
    );
  }

  function mccOf({ tp, p, t, n }, { eps }) {
    const [a, fp, fn, d] = [tp, p - tp, t - tp, n - p - t + tp].map((count) => count / n);
    const above = (a + eps) * (d + eps) - fp * fn;
    const [predicted, actual] = [p / n, t / n];
    const [restPredicted, restActual] = [1 - predicted, 1 - actual];
    const root = Math.sqrt(
      (predicted + eps) * (actual + eps) * (restActual + eps) * (restPredicted + eps),
    );
    const byTp = a + eps + d + eps + fp + fn;
    const byP = -(a + eps) - fn;
    const rootByP = (root / 2) * (1 / (predicted + eps) - 1 / (restPredicted + eps));
    return [1 - above / root, -byTp / n / root, (-byP + (above / root) * rootByP) / n / root];
  }

  // The counts of the background, and derivatives by them turned into those by tp and p.
  const backgroundCounts = ({ tp, p, t, n }) => ({ tp: n - p - t + tp, p: n - p, t: n - t, n });
  const fromBackground = ([value, byTp, byP]) => [value, byTp, -byTp - byP];

  function unifiedFocal(z, t, { weight, delta, gamma }) {
    const entropy = pixelLoss((m, positive) => {
      const [value, slope] = positive
        ? focusedEntropy(m, 0, delta)
        : focusedEntropy(m, gamma, 1 - delta);
      return [value / 2, slope / 2];
    })(z, t, {});
    const tversky = countLoss((counts) => {
      const params = { alpha: 1 - delta, beta: delta };
      const object = powerOf(tverskyOf(counts, params), 1 - gamma);
      const back = powerOf(fromBackground(tverskyOf(backgroundCounts(counts), params)), 1);
      return object.map((x, i) => (x + back[i]) / 2);
    })(z, t, {});
    return add([
      [weight, entropy],
      [1 - weight, tversky],
    ]);
  }

  // -- losses of sorted errors --------------------------------------------------------

  /* sum_i m_i (J_i - J_(i-1)): f(z, positive) returns the error of a pixel and its
   * derivative by z; J_i is the Jaccard loss if the i worst pixels are wrong. */
  const lovasz = (f) => (z, t) => {
    const errors = Array.from(z, (score, i) => f(score, t[i] > 0));
    const order = errors.map((_, i) => i).sort((a, b) => errors[b][0] - errors[a][0]);
    const gradient = new Float64Array(z.length);
    let [intersection, union, value] = [sum(t), sum(t), 0];
    for (const i of order) {
      const before = union > 0 ? intersection / union : 1;
      if (t[i] > 0) intersection -= 1;
      else union += 1;
      const step = t[i] > 0 ? 1 / union : before / union;
      value += errors[i][0] * step;
      gradient[i] = errors[i][1] * step;
    }
    return { value, gradient };
  };

  const lovaszHinge = lovasz((z, positive) => {
    const error = relu(positive ? 1 - z : 1 + z);
    return [error, error > 0 ? (positive ? -1 : 1) : 0];
  });

  const lovaszSoftmax = lovasz((z, positive) => {
    const slope = sigmoid(z) * sigmoid(-z);
    return positive ? [sigmoid(-z), -slope] : [sigmoid(z), slope];
  });

  // -- losses of neighboring pixels ---------------------------------------------------

  // The loss sum_i f_i(p_i) / n; f(i, p) returns the value and its derivative by p.
  function meanOfProbabilities(z, f) {
    const gradient = new Float64Array(z.length);
    let value = 0;
    for (let i = 0; i < z.length; i++) {
      const [l, slope] = f(i, sigmoid(z[i]));
      value += l / z.length;
      gradient[i] = (slope * sigmoid(z[i]) * sigmoid(-z[i])) / z.length;
    }
    return { value, gradient };
  }

  function boundary(z, t, _, width) {
    const inside = root.LossLab.distances(t, width, 0);
    const outside = root.LossLab.distances(t, width, 1);
    return meanOfProbabilities(z, (i, p) => {
      const phi = outside[i] - relu(inside[i] - 1);
      return [p * phi, phi];
    });
  }

  function hausdorff(z, t, { alpha }, width) {
    const toBoundary = (mask) => {
      const inside = root.LossLab.distances(mask, width, 0);
      return root.LossLab.distances(mask, width, 1).map((x, i) => (x + inside[i]) ** alpha);
    };
    const ofTruth = toBoundary(t);
    const predicted = toBoundary(Array.from(z, (score) => (score > 0 ? 1 : 0)));
    return meanOfProbabilities(z, (i, p) => {
      const weight = ofTruth[i] + predicted[i];
      return [weight * (p - t[i]) ** 2, 2 * weight * (p - t[i])];
    });
  }

  function clDice(z, t, { iterations, eps }, width) {
    const p = Float64Array.from(z, sigmoid);
    const lineT = root.LossLab.skeleton(Float64Array.from(t), width, iterations).line;
    const { line, backward } = root.LossLab.skeleton(p, width, iterations);
    const insideP = sum(line.map((x, i) => Math.min(x, t[i])));
    const insideT = sum(lineT.map((x, i) => Math.min(x, p[i])));
    const [totalP, totalT] = [sum(line) + eps, sum(lineT) + eps];
    const precision = (insideP + eps) / totalP;
    const sensitivity = (insideT + eps) / totalT;
    const both = precision + sensitivity;
    const byPrecision = -2 * (sensitivity / both) ** 2;
    const bySensitivity = -2 * (precision / both) ** 2;
    const byP = backward(
      line.map((x, i) => (byPrecision * ((x < t[i] ? 1 : 0) - precision)) / totalP),
    );
    const gradient = byP.map(
      (x, i) => (x + (lineT[i] > p[i] ? bySensitivity / totalT : 0)) * p[i] * sigmoid(-z[i]),
    );
    return { value: 1 - (2 * precision * sensitivity) / both, gradient };
  }

  // -- sums ---------------------------------------------------------------------------

  // The sum of weighted results.
  function add(terms) {
    const gradient = new Float64Array(terms[0][1].gradient.length);
    let value = 0;
    for (const [weight, term] of terms) {
      value += weight * term.value;
      term.gradient.forEach((x, i) => (gradient[i] += weight * x));
    }
    return { value, gradient };
  }

  /* The loss with a softmax over background and object: region losses average over both
   * classes, and the squared error of the two probabilities adds up. */
  const overClasses = (loss, factor) => (z, t, params, width) => {
    const flipped = loss(z.map((x) => -x), t.map((x) => 1 - x), params, width);
    return add([
      [factor, loss(z, t, params, width)],
      [factor, { value: flipped.value, gradient: flipped.gradient.map((x) => -x) }],
    ]);
  };

  const region = (loss) => ({ one: loss, two: overClasses(loss, 0.5) });
  const same = (loss) => ({ one: loss, two: loss });

  const pixel = root.LossLab.pixelLosses;

  /* By name: the loss with one score and a sigmoid, and with a softmax over two classes. */
  const losses = {
    bce: same(pixel.bce),
    cross_entropy: same(pixel.crossEntropy),
    label_smoothing: same(pixel.labelSmoothing),
    focal: { one: pixel.focal, two: pixel.softmaxFocal },
    topk: same(pixel.topk),
    poly1: same(pixel.poly1),
    brier: { one: pixel.brier, two: overClasses(pixel.brier, 1) },
    asymmetric: same(pixel.asymmetric),
    hinge: same(pixel.hinge),
    weston_watkins: same(pixel.westonWatkins),
    generalized_ce: same(pixel.generalizedCe),
    symmetric_ce: same(pixel.symmetricCe),
    bi_tempered: same(pixel.biTempered),
    ldam: same(pixel.ldam),
    logit_adjusted: same(pixel.logitAdjusted),
    dice: region(countLoss((c, params) => diceOf(c, params), true)),
    jaccard: region(countLoss(jaccardOf)),
    tversky: region(countLoss(tverskyOf)),
    focal_tversky: region(countLoss(focalTverskyOf)),
    log_cosh_dice: region(countLoss(logCoshDiceOf)),
    generalized_dice: same(countLoss(generalizedDiceOf)),
    mcc: region(countLoss(mccOf)),
    lovasz_hinge: same(lovaszHinge),
    lovasz_softmax: region(lovaszSoftmax),
    unified_focal: same(unifiedFocal),
    cl_dice: region(clDice),
    boundary: region(boundary),
    hausdorff: region(hausdorff),
  };

  Object.assign(root.LossLab, { add, losses });
})(globalThis);
