"use strict";
// The tabs of the data and settings of a run, and of several runs side by side.

(function (root) {
  const { command, el, note, table } = root.ReportParts;
  const Rows = root.ReportRows;
  const { cell } = Rows;

  const h3 = (text) => el("h3", {}, text);

  function about({ report, state, set }) {
    const texts = Object.entries(report.about).filter(([, value]) => typeof value === "string");
    const { candidates, not_tried: notTried, not_compared: notCompared } = report.search;
    const sort = state.tried || "";
    const text = (key) => (row) => (typeof row[key] === "string" ? row[key] : "");
    const columns = [["loss", "loss"], ["settings", "settings"], ["score", "score"],
      ["epochs", "epochs in all folds"], ["outcome", "outcome"]].map(([key, label]) => ({
      key, label, text: text(key), numeric: key === "score" || key === "epochs",
      style: key === "settings" || key === "outcome" ? "rb-words" : "",
    }));
    const valueOf = (row, key) => {
      if (key !== "score" && key !== "epochs") return text(key)(row);
      const value = parseFloat(text(key)(row));
      return Number.isNaN(value) ? null : value;
    };
    return [
      ...(report.data.description ? [h3("Data"), el("p", {}, `${report.data.name}: ${report.data.description}`)] : []),
      ...(report.command ? [h3("The command"), command(report.command, "copy-command")] : []),
      ...(report.usage.length ? [h3("Use the model"), command(report.usage.join("\n"), "copy-usage")] : []),
      ...(candidates.length ? [
        h3("What was tried"),
        notTried.length ? note(`Not tried: ${notTried.join(", ")}.`) : null,
        notCompared.length ? note(`Not compared: ${notCompared.join(", ")}.`) : null,
        table({
          id: "tried", caption: "Settings that the search tried, the best first", columns, sort,
          rows: sort ? Rows.sortRows(candidates, sort, valueOf) : candidates,
          onSort: (value) => set({ tried: value }),
        }),
      ] : []),
      h3("Settings and versions"),
      table({
        id: "about", caption: "Settings of the comparison",
        columns: [{ label: "setting", text: (row) => row[0] }, { label: "value", text: (row) => row[1], style: "rb-words rb-code" }],
        rows: [...report.labels.map((loss, k) => [loss, report.settings[k]]), ...texts],
      }),
    ];
  }

  function sideBySide({ runs, state, set }) {
    const rows = Rows.runRows(runs);
    const sort = state.runs || "-0";
    const valueOf = (row, key) => (key === "loss" ? row.loss : row.runs[key] && row.runs[key].mean);
    const shown = (row, k) => {
      const own = row.runs[k];
      if (!own) return "-";
      const best = row.loss === runs[k].report.best;
      return el("span", { class: best ? "rb-strong" : "" },
        `${cell(own.mean)} \u00b1 ${cell(own.sd_folds)}${best ? " (best)" : ""}`);
    };
    const columns = [
      { key: "loss", label: "loss", text: (row) => row.loss },
      ...runs.map((run, k) => ({
        key: String(k), label: run.name, numeric: true, cell: (row) => shown(row, k),
      })),
    ];
    const facts = ["metric", "design", "data", "best", "command"];
    const fact = (report, name) => (name === "data" ? `${report.data.name} ${report.data.description}`.trim() : report[name]);
    const different = (name) => new Set(runs.map(({ report }) => fact(report, name))).size > 1;
    const warnings = [
      different("metric") ? "The runs are scored by different metrics: their scores cannot be compared." : "",
      different("data") ? "The runs are on different data: compare losses within a column, not across." : "",
    ];
    return [
      ...warnings.map((text) => (text ? el("p", { class: "rb-warning" }, text) : null)),
      table({
        id: "runs", caption: "Mean score \u00b1 sd between folds of each loss in each run", columns,
        sort, rows: Rows.sortRows(rows, sort, valueOf), onSort: (value) => set({ runs: value }),
      }),
      table({
        id: "run-facts", caption: "The runs",
        columns: [
          { label: "", text: (name) => name },
          ...runs.map((run) => ({
            label: run.name, style: "rb-words", text: (name) => fact(run.report, name) || "-",
          })),
        ],
        rows: facts,
      }),
    ];
  }

  root.ReportSettings = { about, sideBySide };
})(window);
