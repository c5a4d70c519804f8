"use strict";
// Truth, prediction and errors of an image, painted on canvases in the colors of the report.

(function (root) {
  const { el, note } = root.ReportParts;
  const { decodeRuns, pictureOf } = root.ReportReading;

  const FOUND = [86, 180, 233], FALSE = [213, 94, 0], MISSED = [240, 228, 66];
  const WHITE = [255, 255, 255], GRAY = [128, 128, 128];
  const LABELS = [[0, 158, 115], [204, 121, 167], [230, 159, 0], [0, 114, 178], [86, 180, 233],
    [240, 228, 66], [213, 94, 0]];
  const IGNORED = -1, MOST_LABELS = 4;
  const SOFT = 0.5, STRONG = 0.85;

  const labelColor = (code) => LABELS[(code - 1) % LABELS.length];

  // The color and opacity of a pixel, or null. many: several labels besides the background.
  function paint(view, truth, predicted, many) {
    if (view !== "prediction" && truth === IGNORED) return [GRAY, STRONG];
    if (view === "errors" && !many) {
      if (truth && predicted) return [FOUND, 0.4];
      if (predicted) return [FALSE, STRONG];
      return truth ? [MISSED, STRONG] : null;
    }
    if (view === "errors") {
      if (truth === predicted) return null;
      return [truth ? labelColor(truth) : WHITE, STRONG];
    }
    const code = view === "truth" ? truth : predicted;
    return code > 0 ? [labelColor(code), SOFT] : null;
  }

  function overlay(context, view, truth, predicted, many, [height, width]) {
    const shown = context.getImageData(0, 0, width, height);
    for (let k = 0; k < truth.length; k++) {
      const painted = paint(view, truth[k], predicted[k], many);
      if (!painted) continue;
      const [color, alpha] = painted;
      for (let c = 0; c < 3; c++) {
        shown.data[4 * k + c] = shown.data[4 * k + c] * (1 - alpha) + color[c] * alpha;
      }
    }
    context.putImageData(shown, 0, 0);
  }

  // A picture of one view, painted as soon as the image below it is decoded.
  function panel({ view, text, alt, uri, truth, predicted, many, size }) {
    const [height, width] = size;
    const canvas = el("canvas", { width, height, role: "img", "aria-label": alt });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const finish = () => {
      if (view !== "image") overlay(context, view, truth, predicted, many, size);
    };
    context.fillStyle = "rgb(230, 230, 230)";
    context.fillRect(0, 0, width, height);
    if (uri) {
      const picture = new Image();
      picture.onload = () => {
        if (picture.naturalWidth === width) context.drawImage(picture, 0, 0, width, height);
        finish();
      };
      picture.onerror = finish;
      picture.src = uri;
    } else {
      finish();
    }
    return el("figure", { class: "rb-panel" }, canvas, el("figcaption", {}, text));
  }

  // The panels of one example; null if its masks are damaged.
  function panels(report, example, name) {
    const { shape } = example;
    if (!Array.isArray(shape) || shape.length < 2 || shape.length > 3) return null;
    const truth = decodeRuns(example.truth, shape);
    const predicted = decodeRuns(example.prediction, shape);
    if (!truth || !predicted) return null;
    const size = shape.slice(-2);
    const n = size[0] * size[1];
    const names = Array.isArray(example.names) ? example.names.map(String) : [];
    const planes = shape.length === 3 ? Math.min(shape[0], MOST_LABELS) : 1;
    const many = shape.length === 2 && names.length > 2;
    const uri = pictureOf(report, example.image);
    const shown = [];
    for (let k = 0; k < planes; k++) {
      const label = shape.length === 3 ? ` of ${names[k] || `label ${k}`}` : "";
      const masks = [truth, predicted].map((codes) => codes.subarray(k * n, (k + 1) * n));
      for (const view of uri && !k ? ["image", "truth", "prediction", "errors"] : ["truth", "prediction", "errors"]) {
        const text = view === "image" ? view : `${view}${label}`;
        shown.push(panel({
          view, text, uri, size, many, truth: masks[0], predicted: masks[1],
          alt: `${text} of ${name}, ${example.loss}`,
        }));
      }
    }
    return el("div", { class: "rb-panels" }, shown);
  }

  // What the colors mean, for the examples shown.
  function legend(examples) {
    const entries = new Map();
    for (const example of examples.filter((each) => Array.isArray(each.shape))) {
      const names = Array.isArray(example.names) ? example.names.map(String) : [];
      const many = example.shape.length === 2 && names.length > 2;
      if (example.shape.length === 2) {
        names.slice(1).forEach((name, k) => entries.set(/^\d+$/.test(name) ? `label ${name}` : name, labelColor(k + 1)));
      }
      if (many) {
        entries.set("background, where it is wrong", WHITE);
      } else {
        entries.set("found", FOUND);
        entries.set("false alarm", FALSE);
        entries.set("missed", MISSED);
      }
    }
    const keys = [...entries].map(([name, color]) =>
      el("li", {}, el("i", { style: `background: rgb(${color.join(",")})` }), name));
    if (!keys.length) return null;
    const many = entries.has("background, where it is wrong");
    return [el("ul", { class: "rb-legend" }, keys),
      many ? note("Errors: the wrong pixels, in the color of what is true there.") : null];
  }

  root.ReportPictures = { legend, panels };
})(window);
