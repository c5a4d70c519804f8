/* The losses that look at one pixel at a time, and what all losses use. losses.js describes
 * the arguments and the result. */
"use strict";

(function (root) {
  const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
  const sigmoid = (x) => Math.exp(-softplus(-x));
  const sum = (values) => values.reduce((total, x) => total + x, 0);
  const relu = (x) => Math.max(x, 0);

  /* The mean of f(m, positive, params, counts) over the pixels. f returns the loss and its
   * derivative by the margin m, which is z for a pixel of the object and -z elsewhere. */
  const pixelLoss = (f) => (z, t, params) => {
    const n = z.length;
    const positives = sum(t);
    const counts = [Math.max(n - positives, 1), Math.max(positives, 1)];
    const gradient = new Float64Array(n);
    let value = 0;
    for (let i = 0; i < n; i++) {
      const sign = t[i] > 0 ? 1 : -1;
      const [l, slope] = f(sign * z[i], sign > 0, params, counts);
      value += l / n;
      gradient[i] = (sign * slope) / n;
    }
    return { value, gradient };
  };

  // a softplus(-m) + b softplus(m)
  const twoSides = (m, a, b) => [
    a * softplus(-m) + b * softplus(m),
    -a * sigmoid(-m) + b * sigmoid(m),
  ];

  const bce = pixelLoss((m, positive, { pos_weight: w, label_smoothing: s }) =>
    positive ? twoSides(m, w * (1 - s / 2), s / 2) : twoSides(m, 1 - s / 2, (w * s) / 2),
  );

  const crossEntropy = pixelLoss((m, _, { label_smoothing: s }) => twoSides(m, 1 - s / 2, s / 2));

  const labelSmoothing = pixelLoss((m, _, { eps }) => twoSides(m, 1 - eps / 2, eps / 2));

  // (1 - p_y)^gamma (-log p_y)
  const focusedEntropy = (m, gamma, weight) => {
    const focus = Math.exp(-gamma * softplus(m));
    const entropy = softplus(-m);
    return [
      weight * focus * entropy,
      -weight * focus * (gamma * sigmoid(m) * entropy + sigmoid(-m)),
    ];
  };

  const focal = pixelLoss((m, positive, { gamma, alpha }) =>
    focusedEntropy(m, gamma, positive ? alpha : 1 - alpha),
  );

  // With a softmax alpha is a factor, and "auto", which is 0.25 here, means none.
  const softmaxFocal = pixelLoss((m, _, { gamma, alpha }) =>
    focusedEntropy(m, gamma, alpha === 0.25 ? 1 : alpha),
  );

  const poly1 = pixelLoss((m, _, { epsilon }) => [
    softplus(-m) + epsilon * sigmoid(-m),
    -sigmoid(-m) * (1 + epsilon * sigmoid(m)),
  ]);

  const brier = pixelLoss((m) => {
    const wrong = sigmoid(-m);
    return [wrong * wrong, -2 * wrong * wrong * sigmoid(m)];
  });

  const asymmetric = pixelLoss((m, positive, { gamma_pos, gamma_neg, clip }) => {
    if (positive) return focusedEntropy(m, gamma_pos, 1);
    // With p_m = max(p - clip, 0): log(1 - p_m) = min(0, log(1 - p + clip)).
    const logQ = -softplus(-m);
    const logSum = clip > 0 ? logQ + softplus(Math.log(clip) - logQ) : logQ;
    if (logSum >= 0) return [0, 0];
    const p = -Math.expm1(logSum);
    const bySum = sigmoid(-m) * Math.exp(logQ - logSum); // d logSum / d m
    const power = Math.pow(p, gamma_neg);
    const byPower = gamma_neg * power * (logSum / p) * Math.exp(logSum); // no p^-1 alone
    return [-power * logSum, (byPower - power) * bySum];
  });

  const hinge = pixelLoss((m, _, { margin, p }) => {
    const short = relu(margin - m);
    return [short ** p, short > 0 ? -p * short ** (p - 1) : 0];
  });

  const westonWatkins = pixelLoss((m, _, { margin, p }) => {
    const short = relu(margin - m);
    return [short ** p / 2, short > 0 ? (-p * short ** (p - 1)) / 2 : 0];
  });

  const generalizedCe = pixelLoss((m, _, { q }) => {
    const logP = -softplus(-m);
    return [-Math.expm1(q * logP) / q, -Math.exp(q * logP) * sigmoid(-m)];
  });

  // The logarithm of zero is replaced by -4.
  const symmetricCe = pixelLoss((m, _, { alpha, beta }) => {
    const wrong = sigmoid(-m);
    return [
      alpha * softplus(-m) + 4 * beta * wrong,
      -alpha * wrong - 4 * beta * wrong * sigmoid(m),
    ];
  });

  const scaledExpm1 = (x, k) => (k === 0 ? x : Math.expm1(k * x) / k);
  const scaledLog1p = (x, k) => (k === 0 ? x : Math.log1p(k * x) / k);
  const logAdd = (a, b) => Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)));

  /* The logarithms of the heavy-tailed probabilities of the better and the worse of two
   * scores at a distance. Newton steps from 0 rise to the normalization. */
  function temperedLogs(distance, t2) {
    const k = t2 - 1;
    let lead = 0;
    let logs = [];
    for (let step = 0; step < 8; step++) {
      logs = [-scaledLog1p(lead, k), -scaledLog1p(lead + distance, k)];
      const logSum = logAdd(logs[0], logs[1]);
      const slope = logAdd(t2 * logs[0], t2 * logs[1]);
      lead += scaledExpm1(logSum, k) * Math.exp(logSum - slope);
    }
    return logs;
  }

  const biTempered = pixelLoss((m, _, { t1, t2 }) => {
    const [better, worse] = temperedLogs(Math.abs(m), t2);
    const [own, other] = m >= 0 ? [better, worse] : [worse, better];
    const power = 2 - t1;
    const spread = (1 - Math.exp(power * own) - Math.exp(power * other)) / power;
    // The logarithm of d p_y / d m = (p_y p_other)^t2 / (p_y^t2 + p_other^t2).
    const rate = t2 * (own + other) - logAdd(t2 * own, t2 * other);
    const byP = Math.exp(rate) * (Math.exp((1 - t1) * own) - Math.exp((1 - t1) * other));
    return [-scaledExpm1(own, 1 - t1) - spread, byP - Math.exp(rate - t1 * own)];
  });

  const ldam = pixelLoss((m, positive, { max_margin }, counts) => {
    const rarest = Math.min(...counts);
    return twoSides(m - max_margin * (rarest / counts[positive ? 1 : 0]) ** 0.25, 1, 0);
  });

  const logitAdjusted = pixelLoss((m, positive, { tau }, counts) => {
    const shift = tau * Math.log(counts[1] / counts[0]);
    return twoSides(m + (positive ? shift : -shift), 1, 0);
  });

  function topk(z, t, { k }) {
    const margins = Array.from(z, (score, i) => (t[i] > 0 ? score : -score));
    const order = margins.map((_, i) => i).sort((a, b) => margins[a] - margins[b]);
    const room = k * z.length;
    const gradient = new Float64Array(z.length);
    let value = 0;
    for (let rank = 0; rank < Math.ceil(room); rank++) {
      const i = order[rank];
      const share = Math.min(1, room - rank) / room; // the last one counts in part
      value += share * softplus(-margins[i]);
      gradient[i] = (t[i] > 0 ? -share : share) * sigmoid(-margins[i]);
    }
    return { value, gradient };
  }

  const pixelLosses = {
    asymmetric,
    bce,
    biTempered,
    brier,
    crossEntropy,
    focal,
    generalizedCe,
    hinge,
    labelSmoothing,
    ldam,
    logitAdjusted,
    poly1,
    softmaxFocal,
    symmetricCe,
    topk,
    westonWatkins,
  };

  const shared = { focusedEntropy, pixelLoss, pixelLosses, relu, sigmoid, sum };
  root.LossLab = Object.assign(root.LossLab || {}, shared);
})(globalThis);
