"use strict";
// The tab of single images: pictures of predictions, and a table to search and sort.

(function (root) {
  const { button, el, note, search, select, table } = root.ReportParts;
  const { legend, panels } = root.ReportPictures;
  const { pictureOf } = root.ReportReading;
  const Rows = root.ReportRows;
  const { cell, isKnown } = Rows;
  const PAGE = 50;

  function images(view) {
    const { report } = view;
    return [
      ...examples(view),
      ...(report.images ? list(view) : [note("This comparison did not score single images.")]),
    ];
  }

  const nameOf = (report, image) =>
    (report.images && report.images.names[image]) || `image ${image}`;

  function examples({ report, state, set }) {
    const ranked = report.losses.map((row) => row.loss)
      .filter((loss) => report.examples.some((row) => row.loss === loss));
    if (!ranked.length) return [note("There are no pictures of predictions in this report.")];
    const loss = ranked.includes(state.examples) ? state.examples : ranked[0];
    const own = report.examples.filter((row) => row.loss === loss);
    return [
      el("h3", {}, "Predictions"),
      select({
        label: "Loss", id: "examples", value: loss, onChange: (value) => set({ examples: value }),
        options: ranked.map((each) => [each, each]),
      }),
      legend(own),
      el("div", { class: "rb-examples" }, own.map((row) => example(report, row))),
    ];
  }

  // One example: its masks, or the picture with its wrong label.
  function example(report, row) {
    const name = nameOf(report, row.image);
    if (row.kind === "mistake") {
      const uri = pictureOf(report, row.image);
      return el("figure", { class: "rb-mistake" },
        uri ? el("img", { src: uri, alt: name }) : null,
        el("figcaption", {}, `${name}: ${row.prediction} instead of ${row.truth}`));
    }
    const score = isKnown(row.score) ? `, score ${cell(row.score)}` : "";
    return el("div", { class: "rb-example" },
      el("p", {}, `${row.kind[0] ? row.kind[0].toUpperCase() + row.kind.slice(1) : ""}: ${name}${score}`),
      panels(report, row, name) || note("The masks of this example cannot be read."));
  }

  function list({ report, state, set }) {
    const rows = Rows.imageRows(report);
    const query = state.find || "";
    const found = Rows.filterRows(rows, query, (row) => row.name);
    const sort = state.images || "mean";
    const sorted = Rows.sortRows(found, sort, (row, key) =>
      (key.startsWith("loss:") ? row.scores[report.labels.indexOf(key.slice(5))] : row[key]));
    const many = Math.max(PAGE, Number(state.many) || PAGE);
    const shown = sorted.slice(0, many);
    return [
      el("h3", {}, "All images"),
      note(`${report.images.metric[0].toUpperCase()}${report.images.metric.slice(1)} of each ` +
        "image, from fits that did not train on it. Gap: how far the losses are apart."),
      el("div", { class: "rb-controls" },
        search({ label: "Find", id: "find", value: query, onChange: (value) => set({ find: value, many: "" }) }),
        select({
          label: "Order", id: "order", value: sort, onChange: (value) => set({ images: value }),
          options: orders(report, sort),
        })),
      el("p", { class: "rb-note", role: "status" },
        `${found.length} of ${rows.length} images${shown.length < found.length ? `, the first ${shown.length} are shown` : ""}.`),
      shown.length ? imageTable({ report, state, set }, shown, sort) : null,
      shown.length < found.length
        ? button(`Show ${Math.min(PAGE, found.length - shown.length)} more`,
          () => set({ many: String(many + PAGE) }), "more")
        : null,
    ];
  }

  function orders(report, sort) {
    const fixed = [["mean", "worst first"], ["-mean", "best first"],
      ["-gap", "largest disagreement of losses"], ["name", "name"]];
    const own = report.losses.map(({ loss }) => [`loss:${loss}`, `worst with ${loss}`]);
    const all = [...fixed, ...own];
    return all.some(([value]) => value === sort) ? all : [...all, [sort, "as in the table"]];
  }

  function imageTable({ report, state, set }, rows, sort) {
    const open = (row) => state.image === String(row.image);
    const columns = [
      { key: "name", label: "image", cell: (row) => nameCell({ report, set }, row, open(row)) },
      { key: "mean", label: "mean", numeric: true, ascending: true, text: (row) => cell(row.mean) },
      { key: "gap", label: "gap", numeric: true, title: "best minus worst loss", text: (row) => cell(row.gap) },
      ...report.losses.map(({ loss }) => ({
        key: `loss:${loss}`, label: loss, numeric: true, ascending: true,
        cell: (row) => scoreCell(row, report.labels.indexOf(loss)),
      })),
    ];
    return table({
      id: "images", caption: "Scores of images with each loss", columns, rows, sort,
      onSort: (value) => set({ images: value }),
      rowClass: (row) => (open(row) ? "rb-open" : ""),
      below: (row) => (open(row) ? detail(report, row) : null),
    });
  }

  function nameCell({ report, set }, row, isOpen) {
    const uri = pictureOf(report, row.image);
    return el("button", {
      type: "button", class: "rb-image", "aria-expanded": String(isOpen),
      "data-focus": `image-${row.image}`, onclick: () => set({ image: isOpen ? "" : String(row.image) }),
    }, uri ? el("img", { src: uri, alt: "" }) : null, el("span", {}, row.name));
  }

  // A score, bold if no loss is better on this image.
  function scoreCell(row, k) {
    const best = Math.max(...row.scores.filter(isKnown));
    const text = cell(row.scores[k]);
    return isKnown(row.gap) && row.gap > 0 && row.scores[k] === best ? el("b", {}, text) : text;
  }

  // What there is of an image: its picture, a bar per loss, and its predictions.
  function detail(report, row) {
    const uri = pictureOf(report, row.image);
    const own = report.examples.filter((each) => each.image === row.image);
    const bars = report.losses.map(({ loss }) => {
      const score = row.scores[report.labels.indexOf(loss)];
      const share = isKnown(score) ? Math.min(1, Math.max(0, score)) : 0;
      return el("li", {},
        el("span", {}, loss),
        el("span", { class: "rb-bar" }, el("i", {
          style: `width: ${(100 * share).toFixed(1)}%; background: ${root.ReportParts.color(report, loss)}`,
        })),
        el("span", { class: "rb-number" }, cell(score)));
    });
    return [
      el("div", { class: "rb-image-detail" },
        uri ? el("img", { src: uri, alt: `Image ${row.name}` }) : null,
        el("ul", { class: "rb-bars" }, bars)),
      own.length ? legend(own) : note("The report has no pictures of the predictions for this image."),
      own.map((each) => el("div", {},
        el("p", { class: "rb-loss" }, each.loss), example(report, each))),
    ];
  }

  root.ReportImages = { images };
})(window);
