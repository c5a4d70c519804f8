"use strict";
// Charts as SVG, as wide as the page: letters keep their size on a phone.

(function (root) {
  const { color, svg } = root.ReportParts;
  const { interval, isKnown, signed } = root.ReportRows;
  const CHARACTER = 7.2;

  // About n round values between low and high.
  function ticks(low, high, n) {
    const span = high - low || 1;
    const rough = span / Math.max(1, n);
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find((each) => each * power >= rough);
    const found = [];
    for (let k = Math.ceil(low / step); k * step <= high + step * 1e-9; k++) found.push(k * step);
    return found;
  }

  const tick = (value) => String(Number(value.toPrecision(6))).replace(/^(-?)0\./, "$1.");

  function range(values, pad = 0.05) {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const margin = (high - low || Math.abs(high) || 1) * pad;
    return [low - margin, high + margin];
  }

  const clip = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}\u2026` : text);

  /* Rows of marks on one horizontal axis. rows: {name, draw(scale, y) -> elements}. Names that
   * are too long to be at the left, as on a phone, are above their marks. */
  function strips({ rows, width, values, label, title, extra = () => [] }) {
    const longest = Math.max(...rows.map((row) => row.name.length)) * CHARACTER + 12;
    const isAbove = longest > width * 0.36;
    const left = isAbove ? 8 : longest;
    const most = Math.floor(width / CHARACTER);
    const [low, high] = range(values);
    const scale = (value) => left + ((value - low) / (high - low)) * (width - left - 14);
    const rowHeight = isAbove ? 46 : 30;
    const bottom = rows.length * rowHeight + 6;
    const axis = ticks(low, high, width < 500 ? 4 : 7).map((value) => [
      svg("line", { x1: scale(value), x2: scale(value), y1: 0, y2: bottom, class: "rb-grid" }),
      svg("text", { x: scale(value), y: bottom + 16, class: "rb-tick" }, tick(value)),
    ]);
    const lines = rows.map((row, k) => {
      const y = (k + 1) * rowHeight - 12;
      const place = isAbove ? { x: 0, y: y - 16, class: "rb-above" } : { x: left - 8, y: y + 4, class: "rb-name" };
      const name = svg("text", place, clip(row.name, most));
      name.append(svg("title", {}, row.name));
      return [name, ...row.draw(scale, y)];
    });
    const height = bottom + 40;
    return svg(
      "svg",
      { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", class: "rb-chart" },
      svg("title", {}, title), axis.flat(), extra(scale, bottom), lines.flat(),
      svg("text", { x: isAbove ? 0 : left, y: bottom + 34, class: "rb-axis" }, label),
    );
  }

  // A dot per fit and a line at the mean, by loss.
  function scores(report, scorer, width) {
    const table = report.scores[scorer];
    const found = report.losses
      .map((row) => ({
        loss: row.loss,
        values: table[report.labels.indexOf(row.loss)].flat().filter(isKnown),
      }))
      .filter((row) => row.values.length);
    if (!found.length) return null;
    const values = found.flatMap((row) => row.values);
    const baseline = near(report.baseline[scorer], values);
    const all = [...values, ...(isKnown(baseline) ? [baseline] : [])];
    const rows = found.map(({ loss, values }) => {
      const mean = values.reduce((sum, each) => sum + each, 0) / values.length;
      const draw = (scale, y) => [
        ...values.map((value) =>
          svg("circle", { cx: scale(value), cy: y, r: 4.5, fill: color(report, loss), class: "rb-dot" })),
        svg("line", { x1: scale(mean), x2: scale(mean), y1: y - 10, y2: y + 10, class: "rb-mean" }),
      ];
      return { name: loss, draw };
    });
    const extra = (scale, bottom) => (isKnown(baseline)
      ? [svg("line", {
        x1: scale(baseline), x2: scale(baseline), y1: 0, y2: bottom, class: "rb-baseline",
      })]
      : []);
    const dashed = isKnown(baseline) ? "; dashed: a constant answer" : "";
    const metric = scorer === report.scorers[0] ? report.metric : scorer;
    const label = `${metric}: a dot per fit, a line at the mean${width < 500 ? "" : dashed}`;
    return strips({
      rows, width, values: all, label, extra, title: `${metric} of each fit; as a table in the tab Losses`,
    });
  }

  // The score of a constant answer, null if it would squeeze the others together.
  function near(baseline, values) {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const reach = 1.5 * (high - low);
    return isKnown(baseline) && baseline > low - reach && baseline < high + reach ? baseline : null;
  }

  // The difference of each pair with its interval; pairs: those to show.
  function differences(report, pairs, width) {
    const known = pairs.filter((pair) => isKnown(pair.difference));
    if (!known.length) return null;
    const values = [0, report.rope, -report.rope,
      ...known.flatMap((pair) => [pair.low, pair.high, pair.difference]).filter(isKnown)];
    const rows = known.map((pair) => ({
      name: `${pair.a} \u2212 ${pair.b}`,
      draw: (scale, y) => [
        ...(isKnown(pair.low) && isKnown(pair.high)
          ? [svg("line", {
            x1: scale(pair.low), x2: scale(pair.high), y1: y, y2: y,
            class: `rb-interval rb-${outcome(pair.outcome)}`,
          })]
          : []),
        svg("circle", { cx: scale(pair.difference), cy: y, r: 5, class: `rb-point rb-${outcome(pair.outcome)}` },
          svg("title", {}, `${signed(pair.difference)} ${interval(pair.low, pair.high)}`)),
      ],
    }));
    const extra = (scale, bottom) => [
      svg("rect", {
        x: scale(-report.rope), width: scale(report.rope) - scale(-report.rope), y: 0, height: bottom,
        class: "rb-rope",
      }),
      svg("line", { x1: scale(0), x2: scale(0), y1: 0, y2: bottom, class: "rb-zero" }),
    ];
    const with95 = width < 500 ? "" : " with its 95 % interval";
    const label = `difference of ${report.metric}${with95}; green: does not matter`;
    return strips({ rows, width, values, label, extra, title: "Differences of pairs; in words below" });
  }

  // Only words that the style sheet knows become names of classes.
  function outcome(word) {
    return ["better", "worse", "equivalent", "failed"].includes(word) ? word : "undecided";
  }

  // A line per loss over epochs. curves: in the order of labels; hidden: losses not to draw.
  function lines(report, curves, { width, title, relative, hidden }) {
    const drawn = report.losses
      .map((row) => ({ loss: row.loss, curve: curves[report.labels.indexOf(row.loss)] }))
      .map(({ loss, curve }) => ({ loss, points: cleaned(curve, relative) }))
      .filter(({ loss, points }) => points.length && !hidden.has(loss));
    if (!drawn.length) return null;
    const height = Math.min(320, Math.max(220, width * 0.6));
    const [left, right, top, bottom] = [46, width - 12, 10, height - 44];
    const [x0, x1] = range(drawn.flatMap(({ points }) => points.map(([x]) => x)), 0.02);
    const [y0, y1] = range(drawn.flatMap(({ points }) => points.map(([, y]) => y)));
    const x = (value) => left + ((value - x0) / (x1 - x0)) * (right - left);
    const y = (value) => bottom - ((value - y0) / (y1 - y0)) * (bottom - top);
    const across = ticks(y0, y1, 7).map((value) => [
      svg("line", { x1: left, x2: right, y1: y(value), y2: y(value), class: "rb-grid" }),
      svg("text", { x: left - 6, y: y(value) + 4, class: "rb-name" }, tick(value)),
    ]);
    const down = ticks(x0, x1, 6).filter(Number.isInteger).map((value) =>
      svg("text", { x: x(value), y: bottom + 17, class: "rb-tick" }, String(value)));
    const dashes = ["", "7 4", "2 4", "9 3 2 3"];
    const paths = drawn.map(({ loss, points }) => {
      const place = report.losses.findIndex((row) => row.loss === loss);
      const path = points.map(([a, b], k) => `${k ? "L" : "M"}${x(a).toFixed(1)} ${y(b).toFixed(1)}`);
      return svg("path", {
        d: path.join(""), class: "rb-line", style: `stroke: ${color(report, loss)}`,
        "stroke-dasharray": dashes[place % dashes.length] || undefined,
      }, svg("title", {}, loss));
    });
    return svg(
      "svg",
      { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", class: "rb-chart" },
      svg("title", {}, `${title}; as a table below`), across.flat(), down, paths,
      svg("text", { x: left, y: height - 6, class: "rb-axis" }, "epoch"),
    );
  }

  // The known points of a curve; relative: as a share of the first value.
  function cleaned(curve, relative) {
    const points = curve.filter(([epoch, value]) => isKnown(epoch) && isKnown(value));
    if (!relative || !points.length) return points;
    return points.map(([epoch, value]) => [epoch, value / points[0][1]]);
  }

  root.ReportCharts = { cleaned, differences, lines, outcome, scores };
})(window);
