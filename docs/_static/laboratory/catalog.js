/* Names, classes, parameters and ranges of the losses; how a choice of losses is written in
 * Python and in a link. */
"use strict";

(function (root) {
  const range = (name, low, high, value) => ({ name, low, high, value });
  const log = (name, low, high, value) => ({ name, low, high, value, log: true });
  const choice = (name, choices, value) => ({ name, choices, value });
  const EPS = log("eps", 1e-6, 1, 1e-6);
  const SMOOTHING = range("label_smoothing", 0, 0.2, 0);
  const MARGIN = [log("margin", 0.1, 10, 1), choice("p", [1, 2], 1)];
  const tversky = (alpha, beta) => [range("alpha", 0.05, 1, alpha), range("beta", 0.05, 1, beta)];

  const PIXEL = "One pixel at a time";
  const WRONG = "One pixel at a time, for wrong labels";
  const RARE = "One pixel at a time, for rare classes";
  const REGION = "The region as a whole";
  const NEAR = "Distances and center lines";

  /* form: whether the Python class has only a sigmoid form, only a softmax form, or any. */
  const loss = (cls, group, form, params = []) => ({ class: cls, group, form, params });
  const catalog = {
    bce: loss("BCEWithLogitsLoss", PIXEL, "sigmoid", [log("pos_weight", 0.1, 100, 1), SMOOTHING]),
    cross_entropy: loss("CrossEntropyLoss", PIXEL, "softmax", [SMOOTHING]),
    label_smoothing: loss("LabelSmoothingCrossEntropy", PIXEL, "softmax", [
      range("eps", 0, 0.3, 0.1),
    ]),
    focal: loss("FocalLoss", PIXEL, "any", [
      range("gamma", 0, 5, 2),
      range("alpha", 0.05, 0.95, 0.25),
    ]),
    topk: loss("TopKCrossEntropyLoss", PIXEL, "softmax", [range("k", 0.05, 0.5, 0.1)]),
    poly1: loss("Poly1CrossEntropyLoss", PIXEL, "softmax", [range("epsilon", -1, 6, 1)]),
    brier: loss("BrierLoss", PIXEL, "any"),
    asymmetric: loss("AsymmetricLoss", PIXEL, "sigmoid", [
      range("gamma_pos", 0, 2, 0),
      range("gamma_neg", 0, 6, 4),
      range("clip", 0, 0.2, 0.05),
    ]),
    hinge: loss("MultiClassHingeLoss", PIXEL, "softmax", MARGIN),
    weston_watkins: loss("WestonWatkinsHingeLoss", PIXEL, "softmax", MARGIN),
    generalized_ce: loss("GeneralizedCrossEntropyLoss", WRONG, "softmax", [
      range("q", 0.1, 0.9, 0.7),
    ]),
    symmetric_ce: loss("SymmetricCrossEntropyLoss", WRONG, "softmax", [
      log("alpha", 0.01, 10, 0.1),
      log("beta", 0.1, 10, 1),
    ]),
    bi_tempered: loss("BiTemperedLoss", WRONG, "softmax", [
      range("t1", 0.2, 1, 0.8),
      range("t2", 1, 4, 1.2),
    ]),
    ldam: loss("LDAMLoss", RARE, "softmax", [log("max_margin", 0.1, 5, 0.5)]),
    logit_adjusted: loss("LogitAdjustedLoss", RARE, "softmax", [range("tau", 0.25, 2, 1)]),
    dice: loss("DiceLoss", REGION, "any", [EPS, choice("squared", [false, true], false)]),
    jaccard: loss("JaccardLoss", REGION, "any", [EPS]),
    tversky: loss("TverskyLoss", REGION, "any", tversky(0.5, 0.5)),
    focal_tversky: loss("FocalTverskyLoss", REGION, "any", [
      ...tversky(0.3, 0.7),
      range("gamma", 0.5, 2, 0.75),
    ]),
    log_cosh_dice: loss("LogCoshDiceLoss", REGION, "any", [EPS]),
    generalized_dice: loss("GeneralizedDiceLoss", REGION, "any", [
      choice("weight_type", ["square", "simple", "uniform"], "square"),
      EPS,
    ]),
    mcc: loss("MCCLoss", REGION, "any", [log("eps", 1e-6, 1e-2, 1e-6)]),
    lovasz_hinge: loss("LovaszHingeLoss", REGION, "sigmoid"),
    lovasz_softmax: loss("LovaszSoftmaxLoss", REGION, "any"),
    unified_focal: loss("UnifiedFocalLoss", REGION, "any", [
      range("weight", 0.1, 0.9, 0.5),
      range("delta", 0.1, 0.9, 0.6),
      range("gamma", 0.1, 0.9, 0.5),
    ]),
    cl_dice: loss("SoftClDiceLoss", NEAR, "any", [
      { ...range("iterations", 3, 20, 3), whole: true },
      EPS,
    ]),
    boundary: loss("BoundaryLoss", NEAR, "any"),
    hausdorff: loss("HausdorffDTLoss", NEAR, "any", [range("alpha", 1, 3, 2)]),
  };

  const MAX_TERMS = 3;
  const WEIGHT = log("weight", 0.1, 10, 1);

  const defaults = (name) =>
    Object.fromEntries(catalog[name].params.map((param) => [param.name, param.value]));

  // A term of a sum: { weight, name, params }. A loss is a list of terms.
  const newTerm = (name, params = {}, weight = 1) => ({
    weight,
    name,
    params: { ...defaults(name), ...params },
  });

  // Whether a sum is trained with a softmax over background and object.
  const isSoftmax = (terms) => terms.some((term) => catalog[term.name].form === "softmax");

  // Whether a sigmoid loss and a softmax loss are in one sum, which no estimator accepts.
  const conflicts = (terms) =>
    isSoftmax(terms) && terms.some((term) => catalog[term.name].form === "sigmoid");

  // The loss of a sum: { value, gradient } as in losses.js.
  function evaluate(terms, z, t, width) {
    const form = isSoftmax(terms) ? "two" : "one";
    return root.LossLab.add(
      terms.map(({ weight, name, params }) => [
        weight,
        root.LossLab.losses[name][form](z, t, params, width),
      ]),
    );
  }

  // -- numbers ------------------------------------------------------------------------

  // A number with three digits, written as short as Python reads it.
  function format(value) {
    if (typeof value !== "number") return String(value);
    const rounded = Number(value.toPrecision(3));
    const isTiny = rounded !== 0 && Math.abs(rounded) < 1e-3;
    return isTiny ? rounded.toExponential() : String(rounded);
  }

  const clamp = (x, low, high) => Math.min(Math.max(x, low), high);

  // A slider's position from 0 to 1000, and the value there.
  const toPosition = ({ low, high, log: isLog }, value) =>
    1000 * (isLog ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low));

  function fromPosition({ low, high, log: isLog, whole }, position) {
    const share = position / 1000;
    const value = isLog ? low * (high / low) ** share : low + share * (high - low);
    if (whole) return Math.round(value);
    const rounded = isLog ? Number(value.toPrecision(2)) : Math.round(value * 100) / 100;
    return clamp(rounded, low, high);
  }

  // -- Python -------------------------------------------------------------------------

  const changed = ({ name, params }) =>
    catalog[name].params.filter((param) => params[param.name] !== param.value);

  const literal = (value) => {
    if (value === true) return "True";
    if (value === false) return "False";
    return typeof value === "string" ? `"${value}"` : format(value);
  };

  const call = (term) =>
    `${catalog[term.name].class}(${changed(term)
      .map(({ name }) => `${name}=${literal(term.params[name])}`)
      .join(", ")})`;

  const sumOf = (terms, one, times, plus) =>
    terms
      .map((term) => (term.weight === 1 ? "" : `${format(term.weight)}${times}`) + one(term))
      .join(plus);

  // A short name, such as "0.5*dice+focal(gamma=3)".
  const shortName = (terms) =>
    sumOf(
      terms,
      (term) => {
        const params = changed(term).map(({ name }) => `${name}=${format(term.params[name])}`);
        return term.name + (params.length ? `(${params.join(", ")})` : "");
      },
      "*",
      "+",
    );

  // The lines of Python that train with a loss.
  function python(terms) {
    const lines = ["from sklearnloss import UNetSegmenter"];
    if (!terms.some((term) => changed(term).length)) {
      return [...lines, `UNetSegmenter(loss="${sumOf(terms, (t) => t.name, "*", "+")}")`];
    }
    const classes = [...new Set(terms.map((term) => catalog[term.name].class))].sort();
    lines.push(`from sklearnloss.losses import ${classes.join(", ")}`);
    return [...lines, `UNetSegmenter(loss=${sumOf(terms, call, " * ", " + ")})`];
  }

  // -- links --------------------------------------------------------------------------

  const write = (terms) =>
    sumOf(
      terms,
      (term) => {
        const params = changed(term).map(({ name }) => `${name}:${format(term.params[name])}`);
        return term.name + (params.length ? `(${params.join(",")})` : "");
      },
      "*",
      "+",
    );

  // A value in a link; undefined if it is not one of the choices, or outside of the range.
  function readValue({ choices, low, high, whole }, text) {
    if (choices) return choices.find((option) => String(option) === text);
    const value = text.trim() === "" ? NaN : Number(text);
    return value >= low && value <= high && !(whole && value % 1) ? value : undefined;
  }

  // The terms that a link's text stands for; null if it cannot be read.
  function read(text) {
    const terms = [];
    for (const part of text.split(/\+(?![^(]*\))/)) {
      const match = /^(?:([\d.e-]+)\*)?([a-z]\w*)(?:\(([^)]*)\))?$/.exec(part.trim());
      if (!match || !Object.hasOwn(catalog, match[2]) || terms.length === MAX_TERMS) return null;
      const [, weight = "1", name, list = ""] = match;
      const term = newTerm(name);
      term.weight = readValue(WEIGHT, weight);
      for (const item of list.split(",").filter(Boolean)) {
        const [key, value = ""] = item.split(":");
        const param = catalog[name].params.find((each) => each.name === key);
        if (!param) return null;
        term.params[key] = readValue(param, value);
      }
      if ([term.weight, ...Object.values(term.params)].includes(undefined)) return null;
      terms.push(term);
    }
    return conflicts(terms) ? null : terms;
  }

  root.LossLab = Object.assign(root.LossLab || {}, {
    MAX_TERMS,
    WEIGHT,
    catalog,
    clamp,
    conflicts,
    evaluate,
    format,
    fromPosition,
    isSoftmax,
    newTerm,
    python,
    readLoss: read,
    readValue,
    shortName,
    toPosition,
    writeLoss: write,
  });
})(globalThis);
