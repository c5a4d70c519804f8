"use strict";
// What each tab shows. A view gets {report, runs, state, set, width} and returns elements;
// set(changes) changes the state and draws the page again.

(function (root) {
  const { el, folded, note, select, table } = root.ReportParts;
  const Rows = root.ReportRows;
  const Charts = root.ReportCharts;
  const { cell, interval, isKnown, number, probability, signed } = Rows;

  const h3 = (text) => el("h3", {}, text);

  function summary({ report, width }) {
    const [first, ...others] = report.advice;
    const scorer = report.scorers[0];
    const worst = Rows.sortRows(Rows.imageRows(report), "mean").filter((row) => isKnown(row.mean));
    const worstText = worst.slice(0, 5).map((row) => `${row.name} (${cell(row.mean)})`).join(", ");
    return [
      el("div", { class: "rb-advice" }, el("p", {}, el("strong", {}, first || "")),
        others.length ? el("ul", {}, others.map((text) => el("li", {}, text))) : null),
      note(`${report.design}, scored by ${report.metric} on held-out images.`),
      report.data.description ? note(`Data: ${report.data.description}`) : null,
      Charts.scores(report, scorer, width),
      note(report.notes.baseline),
      el("h3", {}, "Verdicts"),
      report.pairs.length ? verdictList(report.pairs) : note("There is a single loss."),
      worstText ? note(`Worst predicted images: ${worstText}.`) : null,
    ];
  }

  const verdictList = (pairs) => el("ul", { class: "rb-verdicts" }, pairs.map((pair) =>
    el("li", { class: `rb-verdict rb-${Charts.outcome(pair.outcome)}` }, pair.verdict)));

  function losses(view) {
    const { report, state, set, width } = view;
    const scorer = report.scorers.includes(state.scorer) ? state.scorer : report.scorers[0];
    const choose = report.scorers.length > 1
      ? select({
        label: "Score", id: "scorer", value: scorer, onChange: (value) => set({ scorer: value }),
        options: report.scorers.map((name) => [name, name]),
      })
      : null;
    return [
      lossTable(view),
      note("sd folds: how much the score varies between parts of the data. P(best): the " +
        "probability that this loss has the highest mean score."),
      reasons(report),
      h3("Scores of each fit"), choose, Charts.scores(report, scorer, width),
      foldTable(view, scorer),
      ...classes(view),
    ];
  }

  const has = (report, key) => report.losses.some((row) => isKnown(row[key]));

  function lossTable({ report, state, set }) {
    const numeric = (key, label, text = cell, title) => ({
      key, label, title, numeric: true, text: (row) => text(row[key]),
    });
    const columns = [
      { key: "loss", label: "loss", text: (row) => row.loss },
      numeric("mean", report.metric, cell, "the mean over all fits"),
      numeric("sd_folds", "sd folds"),
      ...(has(report, "sd_seeds") ? [numeric("sd_seeds", "sd seeds")] : []),
      ...(report.losses.length > 1 ? [numeric("p_best", "P(best)", probability)] : []),
      ...report.scorers.slice(1).map((name) => numeric(`mean_${name}`, name)),
      ...(has(report, "tuned_mean")
        ? [numeric("tuned_mean", "best threshold", cell, "the score with the best threshold instead of .5")]
        : []),
      numeric("fit_seconds", "s per fit", Rows.seconds),
      {
        key: "failures", label: "not finished", numeric: true,
        text: (row) => Rows.failures(row) || "-",
      },
      {
        key: "settings", label: "settings", style: "rb-words",
        text: (row) => report.settings[report.labels.indexOf(row.loss)],
      },
    ];
    const valueOf = (row, key) => {
      if (key === "failures") return row.diverged + row.undefined + row.failed;
      return key === "settings" ? report.settings[report.labels.indexOf(row.loss)] : row[key];
    };
    const sort = state.losses || "-mean";
    return table({
      id: "losses", caption: "Losses", columns, sort, onSort: (value) => set({ losses: value }),
      rows: Rows.sortRows(report.losses, sort, valueOf),
      rowClass: (row) => (row.loss === report.best ? "rb-best" : ""),
    });
  }

  function reasons(report) {
    const found = report.losses.flatMap((row) => row.reasons.map((text) => `${row.loss}: ${text}`));
    return found.length ? el("ul", { class: "rb-failures" }, found.map((text) => el("li", {}, text))) : null;
  }

  function foldTable({ report, state, set }, scorer) {
    const rows = Rows.foldRows(report, scorer);
    const valueOf = (row, key) => (key === "fold"
      ? row.split * 1e4 + row.seed
      : row.scores[report.labels.indexOf(key.slice(5))]);
    const shown = (row, k) => (isKnown(row.scores[k]) ? cell(row.scores[k]) : row.status[k] || "-");
    const columns = [
      { key: "fold", label: "fit", text: (row) => Rows.foldName(row, report) },
      ...report.losses.map(({ loss }) => ({
        key: `loss:${loss}`, label: loss, numeric: true,
        text: (row) => shown(row, report.labels.indexOf(loss)),
      })),
    ];
    const sort = state.folds || "fold";
    const content = table({
      id: "folds", caption: `${scorer} of each fit`, columns, sort,
      rows: Rows.sortRows(rows, sort, valueOf), onSort: (value) => set({ folds: value }),
    });
    return folded("The scores of each fit as a table", "folds", content);
  }

  function classes({ report, state, set }) {
    const found = report.classes;
    if (!found) return [];
    const measures = Object.keys(found.scores);
    const measure = measures.includes(state.measure) ? state.measure : measures[0];
    const rows = found.names.map((name, k) => ({
      name, size: found.sizes[k],
      scores: found.scores[measure].map((row) => (row ? row[k] : null)),
    }));
    const total = found.sizes.reduce((sum, each) => sum + each, 0) || 1;
    const size = (row) => (found.unit === "pixels" ? percent(row.size / total) : String(row.size));
    const columns = [
      { key: "name", label: "class", text: (row) => row.name },
      { key: "size", label: found.unit, numeric: true, text: size },
      ...report.losses.map(({ loss }) => ({
        key: `loss:${loss}`, label: loss, numeric: true,
        text: (row) => cell(row.scores[report.labels.indexOf(loss)]),
      })),
    ];
    const valueOf = (row, key) => (key.startsWith("loss:")
      ? row.scores[report.labels.indexOf(key.slice(5))] : row[key]);
    const sort = state.classes || "";
    return [
      h3("Classes"),
      select({
        label: "Score of a class", id: "measure", value: measure,
        options: measures.map((name) => [name, name]), onChange: (value) => set({ measure: value }),
      }),
      table({
        id: "classes", caption: `${measure} of each class, over all held-out ${found.unit}`, columns,
        sort, rows: sort ? Rows.sortRows(rows, sort, valueOf) : rows,
        onSort: (value) => set({ classes: value }),
      }),
      ...confusion({ report, state, set }),
    ];
  }

  function percent(share) {
    if (share > 0 && share < 0.01) return "< 1 %";
    if (share > 0.99 && share < 1) return "> 99 %";
    return `${(100 * share).toFixed(0)} %`;
  }

  // How often each class was taken for each other one, with one loss.
  function confusion({ report, state, set }) {
    const { names, counts, unit } = report.classes;
    const square = (each) => Array.isArray(each) && each.length === names.length &&
      each.every((row) => Array.isArray(row) && row.length === names.length && row.every(isKnown));
    const ranked = report.losses.map((row) => row.loss)
      .filter((loss) => square(counts[report.labels.indexOf(loss)]));
    if (!ranked.length || names.length > 40) return [];
    const loss = ranked.includes(state.confusion) ? state.confusion : ranked[0];
    const matrix = counts[report.labels.indexOf(loss)];
    const rows = names.map((name, k) => ({
      name, counts: matrix[k], total: matrix[k].reduce((sum, each) => sum + each, 0),
    }));
    const share = (row, k) => (row.total ? row.counts[k] / row.total : 0);
    const columns = [
      { label: "true \\ predicted", text: (row) => row.name },
      ...names.map((name, k) => ({
        label: name, numeric: true,
        cell: (row) => el("span", {
          class: "rb-share", style: `--share: ${share(row, k).toFixed(3)}`, title: `${row.counts[k]} ${unit}`,
        }, row.total ? percent(share(row, k)) : "-"),
      })),
    ];
    return [
      select({
        label: "Confusion matrix of", id: "confusion", value: loss,
        options: ranked.map((each) => [each, each]), onChange: (value) => set({ confusion: value }),
      }),
      table({
        id: "confusion", caption: `Rows: what is true. Columns: what ${loss} predicted. Shares of the row's ${unit}`,
        columns, rows,
      }),
    ];
  }

  function pairs(view) {
    const { report, state, set, width } = view;
    if (!report.pairs.length) return [note("There is a single loss, so there are no pairs.")];
    const wanted = state.outcome || "";
    const outcomes = [...new Set(report.pairs.map((pair) => pair.outcome))];
    const chosen = report.pairs.filter((pair) => (!wanted || pair.outcome === wanted) &&
      (!state.with || pair.a === state.with || pair.b === state.with));
    return [
      matrix(report),
      note(report.notes.pairs ? `${report.notes.pairs}.` : ""),
      h3("In words"),
      el("div", { class: "rb-controls" },
        select({
          label: "Pairs with", id: "with", value: state.with || "",
          options: [["", "any loss"], ...report.losses.map(({ loss }) => [loss, loss])],
          onChange: (value) => set({ with: value }),
        }),
        select({
          label: "Outcome", id: "outcome", value: wanted,
          options: [["", "any"], ...outcomes.map((each) => [each, each])],
          onChange: (value) => set({ outcome: value }),
        })),
      chosen.length ? Charts.differences(report, chosen, width) : null,
      chosen.length ? verdictList(chosen) : note("No pair is like that."),
      chosen.length ? pairTable(view, chosen) : null,
    ];
  }

  function matrix(report) {
    const ranked = report.losses.map((row) => row.loss);
    const columns = [
      { label: "row \u2212 column", text: (row) => row.loss },
      ...ranked.map((other) => ({
        label: other, numeric: true, cell: ({ loss }) => matrixCell(report, loss, other),
      })),
    ];
    const caption = `Difference of ${report.metric}: the loss of the row minus that of the column, ` +
      "with its 95 % interval";
    return table({ id: "matrix", caption, columns, rows: ranked.map((loss) => ({ loss })) });
  }

  function matrixCell(report, a, b) {
    const found = a === b ? null : Rows.pairOf(report, a, b);
    if (!found) return "";
    return el("span", { class: `rb-cell rb-${Charts.outcome(found.word)}`, title: found.pair.verdict },
      el("b", {}, signed(found.difference)), el("span", {}, interval(found.low, found.high)),
      el("small", {}, found.word));
  }

  function pairTable({ report, state, set }, chosen) {
    const p = (key, label, title) => ({
      key, label, title, numeric: true, text: (pair) => probability(pair[key]),
    });
    const won = report.pairs.some((pair) => Number.isInteger(pair.image_wins));
    const columns = [
      { key: "a", label: "pair", text: (pair) => `${pair.a} \u2212 ${pair.b}` },
      { key: "difference", label: "difference", numeric: true, text: (pair) => number(pair.difference) },
      { label: "95 % interval", numeric: true, text: (pair) => interval(pair.low, pair.high) },
      p("p", "p"), p("p_holm", "p (Holm)", "adjusted for the number of pairs"),
      p("p_worse", "P(worse)"), p("p_equivalent", "P(equiv.)"), p("p_better", "P(better)"),
      ...(won ? [{
        key: "image_wins", label: "images won : lost", numeric: true,
        text: (pair) => `${pair.image_wins} : ${pair.image_losses}`,
      }] : []),
    ];
    const sort = state.pairs || "";
    const content = table({
      id: "pairs", caption: "Details of the pairs", columns, sort,
      rows: sort ? Rows.sortRows(chosen, sort) : chosen, onSort: (value) => set({ pairs: value }),
    });
    return folded("p-values and probabilities", "pairs", content,
      note("Images won describe; they are no test, since images of a fold share a network."));
  }

  function curves(view) {
    const { report, state, set, width } = view;
    const hidden = new Set((state.hidden || "").split(",").filter(Boolean)
      .map((k) => report.losses[Number(k)] && report.losses[Number(k)].loss));
    const toggle = (k) => {
      const now = new Set((state.hidden || "").split(",").filter(Boolean));
      now[now.has(String(k)) ? "delete" : "add"](String(k));
      set({ hidden: [...now].join(",") });
    };
    const { score, training_loss: training } = report.curves;
    const relative = training.every((curve) => curve.every(([, value]) => value > 0));
    const size = width > 900 ? (width - 24) / 2 : width;
    const options = { width: size, hidden };
    const found = [
      [`${report.metric} after each epoch`, score.some((each) => each.length > 1) &&
        Charts.lines(report, score, { ...options, title: `${report.metric} after each epoch` })],
      [`training loss${relative ? ", first epoch = 1" : ""}`,
        Charts.lines(report, training, { ...options, relative, title: "training loss" })],
    ].filter(([, chart]) => chart);
    const none = score.every((each) => each.length < 2) && training.every((each) => !each.length);
    if (none) return [note("There are no curves: the fits kept none.")];
    return [
      el("div", { class: "rb-toggles", role: "group", "aria-label": "Losses that are drawn" },
        report.losses.map(({ loss }, k) => el("button", {
          type: "button", class: "rb-toggle", "aria-pressed": String(!hidden.has(loss)),
          "data-focus": `toggle-${k}`, onclick: () => toggle(k),
        }, el("i", { style: `background: ${root.ReportParts.color(report, loss)}` }), loss))),
      el("div", { class: "rb-charts" }, found.map(([title, chart]) =>
        el("figure", {}, el("figcaption", {}, title), chart))),
      note("Score: the mean over held-out images of the search's folds, with the best settings of " +
        "each loss; a loss whose fits were all stopped early has a short curve. A curve that still " +
        "rises asks for more epochs. Training loss: the mean over all fits of the comparison; " +
        "values of different losses cannot be compared with each other."),
      curveTable(report, score, "score"), curveTable(report, training, "training loss"),
    ];
  }

  function curveTable(report, curves, what) {
    const epochs = [...new Set(curves.flat().map(([epoch]) => epoch))].sort((a, b) => a - b);
    if (!epochs.length) return null;
    const maps = curves.map((curve) => new Map(curve));
    const columns = [
      { label: "epoch", text: (row) => String(row.epoch) },
      ...report.losses.map(({ loss }) => ({
        label: loss, numeric: true,
        text: (row) => cell(maps[report.labels.indexOf(loss)].get(row.epoch)),
      })),
    ];
    const rows = epochs.map((epoch) => ({ epoch }));
    return folded(`The ${what} as a table`, `curve-${what}`,
      table({ id: `curve-${what}`, caption: `${what} by epoch`, columns, rows }));
  }

  root.ReportViews = { curves, losses, pairs, summary };
})(window);
