"use strict";
// The building blocks of the page. Texts from files only ever become text nodes, so markup in
// names stays text.

(function (root) {
  const SVG = "http://www.w3.org/2000/svg";

  function fill(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === undefined || value === null || value === false) continue;
      if (name === "onclick" || name === "oninput" || name === "onchange") {
        element.addEventListener(name.slice(2), value);
      } else {
        element.setAttribute(name, value === true ? "" : String(value));
      }
    }
    element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
    return element;
  }

  const el = (tag, attributes, ...children) =>
    fill(document.createElement(tag), attributes, children);
  const svg = (tag, attributes, ...children) =>
    fill(document.createElementNS(SVG, tag), attributes, children);

  // A table that scrolls if it is too wide.
  // columns: {key, label, text(row), cell(row), numeric, title}; the first names the row.
  // sort, onSort: the state of sorting; without onSort the table cannot be sorted.
  function table({ caption, columns, rows, sort = "", onSort, id, rowClass, below }) {
    const heads = columns.map((column) => head(column, sort, onSort, id));
    const body = rows.flatMap((row) => {
      const cells = columns.map((column, k) => {
        const content = column.cell ? column.cell(row) : column.text(row);
        const style = [column.numeric ? "rb-number" : "", column.style || ""].join(" ").trim();
        const shown = k === 0 ? { scope: "row", class: style } : { class: style };
        return el(k === 0 ? "th" : "td", shown, content);
      });
      const line = el("tr", { class: rowClass ? rowClass(row) : "" }, cells);
      const more = below ? below(row) : null;
      if (!more) return [line];
      const wide = el("td", { colspan: columns.length }, el("div", { class: "rb-below" }, more));
      return [line, el("tr", { class: "rb-detail" }, wide)];
    });
    return el(
      "div", { class: "rb-scroll", tabindex: 0, role: "region", "aria-label": caption },
      el("table", { class: "rb-table" },
        el("caption", {}, el("span", {}, caption)),
        el("thead", {}, el("tr", {}, heads)),
        el("tbody", {}, body)),
    );
  }

  function head(column, sort, onSort, id) {
    const style = column.numeric ? "rb-number" : "";
    if (!onSort || !column.key) {
      return el("th", { scope: "col", class: style, title: column.title }, column.label);
    }
    const current = sort === column.key ? "ascending" : sort === `-${column.key}` ? "descending" : "";
    const first = column.numeric && !column.ascending ? `-${column.key}` : column.key;
    const opposite = sort.startsWith("-") ? column.key : `-${column.key}`;
    const arrow = { ascending: " \u25B2", descending: " \u25BC", "": "" }[current];
    const button = el(
      "button",
      {
        type: "button", class: "rb-sort", title: column.title,
        "data-focus": `${id}-${column.key}`,
        onclick: () => onSort(current ? opposite : first),
      },
      column.label, el("span", { "aria-hidden": "true" }, arrow),
    );
    return el("th", { scope: "col", class: style, "aria-sort": current || "none" }, button);
  }

  // A labelled choice among [value, text].
  function select({ label, value, options, onChange, id }) {
    const choices = options.map(([each, text]) =>
      el("option", { value: each, selected: each === value }, text));
    const box = el("select", {
      "data-focus": id, onchange: (event) => onChange(event.target.value),
    }, choices);
    return el("label", { class: "rb-field" }, el("span", {}, label), box);
  }

  function search({ label, value, onChange, id }) {
    const box = el("input", {
      type: "search", value, "data-focus": id, autocomplete: "off", spellcheck: "false",
      oninput: (event) => onChange(event.target.value),
    });
    return el("label", { class: "rb-field" }, el("span", {}, label), box);
  }

  const note = (text) => (text ? el("p", { class: "rb-note" }, text) : null);

  function button(label, onClick, id, attributes = {}) {
    return el("button", {
      type: "button", class: "rb-button", "data-focus": id, onclick: onClick, ...attributes,
    }, label);
  }

  function folded(title, id, ...children) {
    return el("details", { class: "rb-fold", "data-fold": id }, el("summary", {}, title), children);
  }

  // A text with a button that copies it.
  function command(text, id) {
    const copy = button("Copy", async () => {
      try {
        await navigator.clipboard.writeText(text);
        copy.textContent = "Copied";
      } catch (error) {
        copy.textContent = "Select and copy it by hand";
      }
    }, id);
    return el("div", { class: "rb-command" }, el("pre", { tabindex: 0 }, text), copy);
  }

  // The color of a loss: by its place in the ranking.
  const color = (report, loss) =>
    `var(--rb-color-${report.losses.findIndex((row) => row.loss === loss) % 7})`;

  root.ReportParts = { button, color, command, el, folded, note, search, select, svg, table };
})(window);
