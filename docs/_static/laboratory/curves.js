/* Value and gradient of each loss against the score of one pixel, as pictures and a table. */
"use strict";

(function (root) {
  const { LossLab } = root;
  const LETTERS = ["A", "B", "C"];
  const REACH = 8; // scores from -8 to 8
  const POINTS = 65;
  const [WIDTH, HEIGHT] = [420, 230];
  const FRAME = { left: 46, right: 26, top: 10, bottom: 40 };
  const DASHES = ["", "9 4", "2 4"];

  // The pixel with a label that touches the other label, nearest to the middle; or null.
  function pixelAtBoundary(mask, label) {
    const size = LossLab.SIZE;
    const middle = (size - 1) / 2;
    let best = null;
    let nearest = Infinity;
    mask.forEach((value, i) => {
      if (value !== label) return;
      const [x, y] = [i % size, Math.floor(i / size)];
      const touches =
        (x > 0 && mask[i - 1] !== label) ||
        (x < size - 1 && mask[i + 1] !== label) ||
        (y > 0 && mask[i - size] !== undefined && mask[i - size] !== label) ||
        (y < size - 1 && mask[i + size] !== label);
      const distance = Math.hypot(x - middle, y - middle) + (touches ? 0 : 10 * size);
      if (distance < nearest) [best, nearest] = [i, distance];
    });
    return best;
  }

  /* The curves of one loss for a pixel with a label: scores, values (times the number of
   * pixels, above the lowest) and gradients (also times that). Null without such a pixel. */
  function curveOf(terms, mask, label, others) {
    const pixel = pixelAtBoundary(mask, label);
    if (pixel === null) return null;
    const z = Float64Array.from(mask, (t) => (t ? others : -others));
    const curve = { scores: [], values: [], gradients: [] };
    for (let k = 0; k < POINTS; k++) {
      z[pixel] = -REACH + (2 * REACH * k) / (POINTS - 1);
      const { value, gradient } = LossLab.evaluate(terms, z, mask, LossLab.SIZE);
      curve.scores.push(z[pixel]);
      curve.values.push(value * mask.length);
      curve.gradients.push(gradient[pixel] * mask.length);
    }
    const lowest = Math.min(...curve.values);
    curve.values = curve.values.map((x) => x - lowest);
    return curve;
  }

  // -- pictures -----------------------------------------------------------------------

  function svg(tag, attributes, text) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== undefined) element.textContent = text;
    return element;
  }

  // Round numbers that divide a range into about four parts.
  function ticks(low, high) {
    const rough = (high - low) / 4 || 1;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((x) => x * power).find((x) => x >= rough);
    const result = [];
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) {
      result.push(k * step);
    }
    return result;
  }

  const tickText = (value) => String(Number(value.toPrecision(3))).replace("-", "\u2212");

  function drawAxes(picture, { toX, toY, xTicks, yTicks, xLabel }) {
    const [left, right] = [FRAME.left, WIDTH - FRAME.right];
    const [top, bottom] = [FRAME.top, HEIGHT - FRAME.bottom];
    for (const y of yTicks) {
      const main = y === 0 ? "lab-zero" : "lab-grid";
      picture.append(svg("line", { x1: left, x2: right, y1: toY(y), y2: toY(y), class: main }));
      const place = { x: left - 6, y: toY(y) + 4, "text-anchor": "end" };
      picture.append(svg("text", place, tickText(y)));
    }
    for (const x of xTicks) {
      picture.append(svg("line", { x1: toX(x), x2: toX(x), y1: top, y2: bottom, class: "lab-grid" }));
      const place = { x: toX(x), y: bottom + 16, "text-anchor": "middle" };
      picture.append(svg("text", place, tickText(x)));
    }
    const place = { x: (left + right) / 2, y: HEIGHT - 6, "text-anchor": "middle" };
    picture.append(svg("text", place, xLabel));
  }

  // Labels at the right end, moved where they would overlap or leave the frame.
  function spread(positions) {
    const order = positions.map((_, i) => i).sort((a, b) => positions[b] - positions[a]);
    const result = [];
    let limit = HEIGHT - FRAME.bottom + 4;
    for (const i of order) {
      result[i] = Math.min(positions[i], limit);
      limit = result[i] - 12;
    }
    limit = FRAME.top + 6;
    for (const i of order.reverse()) {
      result[i] = Math.max(result[i], limit);
      limit = result[i] + 12;
    }
    return result;
  }

  /* Draw curves ({ key, curve }, curve may be null) of "values" or "gradients" against the
   * score or the probability. */
  function drawPicture(picture, curves, what, axis, title) {
    picture.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    const shown = curves.map((curve, i) => ({ curve, i })).filter(({ curve }) => curve);
    if (!shown.length) {
      const none = "The mask has no such pixel.";
      picture.setAttribute("aria-label", none);
      const place = { x: WIDTH / 2, y: HEIGHT / 2, "text-anchor": "middle" };
      picture.replaceChildren(svg("text", place, none));
      return;
    }
    picture.setAttribute("aria-label", title);
    picture.replaceChildren();
    const all = shown.flatMap(({ curve }) => curve[what]);
    let [low, high] = [Math.min(0, ...all), Math.max(0, ...all)];
    if (high - low < 1e-9) [low, high] = [low - 1, high + 1];
    [low, high] = [1.02 * low, 1.02 * high]; // room for the last tick
    const isScore = axis === "score";
    const toShare = (z) => (isScore ? (z + REACH) / (2 * REACH) : LossLab.sigmoid(z));
    const across = (share) => FRAME.left + share * (WIDTH - FRAME.left - FRAME.right);
    const toY = (y) =>
      HEIGHT - FRAME.bottom - ((y - low) / (high - low)) * (HEIGHT - FRAME.top - FRAME.bottom);
    drawAxes(picture, {
      toX: (x) => across(isScore ? toShare(x) : x),
      toY,
      xTicks: isScore ? [-8, -4, 0, 4, 8] : [0, 0.25, 0.5, 0.75, 1],
      yTicks: ticks(low, high),
      xLabel: isScore ? "score (logit) of the pixel" : "probability of the pixel",
    });
    const ends = spread(shown.map(({ curve }) => toY(curve[what].at(-1)) + 4));
    shown.forEach(({ curve, i }, rank) => {
      const points = curve.scores.map(
        (z, k) => `${across(toShare(z)).toFixed(1)},${toY(curve[what][k]).toFixed(1)}`,
      );
      const style = { class: `lab-curve lab-color-${i}`, "stroke-dasharray": DASHES[i] };
      picture.append(svg("polyline", { points: points.join(" "), ...style }));
      const place = { x: WIDTH - FRAME.right + 6, y: ends[rank], class: `lab-end lab-color-${i}` };
      picture.append(svg("text", place, LETTERS[i]));
    });
  }

  // The same as a table: rows of gradients at some scores.
  function fillTable(body, losses, curvesByLabel) {
    const columns = [-4, -2, 0, 2, 4].map((z) => ((z + REACH) / (2 * REACH)) * (POINTS - 1));
    body.replaceChildren();
    for (const [label, pixel] of [
      [1, "object"],
      [0, "background"],
    ]) {
      curvesByLabel[label].forEach((curve, i) => {
        if (!curve) return;
        const row = body.insertRow();
        const head = document.createElement("th");
        head.scope = "row";
        head.textContent = `${LETTERS[i]} ${LossLab.shortName(losses[i])}, ${pixel}`;
        row.append(head);
        for (const k of columns) row.insertCell().textContent = curve.gradients[k].toFixed(3);
      });
    }
  }

  Object.assign(LossLab, { curveOf, drawPicture, fillTable });
})(globalThis);
