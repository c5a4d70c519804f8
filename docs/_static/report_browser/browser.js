"use strict";
// The page: takes files, keeps the runs and the state, and draws the current tab.

(function (root) {
  const { button, el, select } = root.ReportParts;
  const { choose, read, readHash, runName, writeHash } = root.ReportReading;
  const Views = { ...root.ReportViews, ...root.ReportImages, ...root.ReportSettings };
  const EXAMPLE = "_static/report_browser/example.json";
  const MOST_FILES = 5000, MOST_RUNS = 20;
  const TABS = [["summary", "Summary"], ["losses", "Losses"], ["pairs", "Pairs"],
    ["images", "Images"], ["curves", "Curves"], ["about", "Data and settings"],
    ["sideBySide", "Side by side"]];

  const page = {
    runs: [], state: readHash(location.hash), folds: new Set(),
    app: document.getElementById("report-app"),
  };
  if (!page.app) return;
  const place = (name) => page.app.querySelector(`[data-place="${name}"]`);

  // -- state -------------------------------------------------------------------------

  function set(changes) {
    Object.assign(page.state, changes);
    const hash = writeHash(page.state);
    history.replaceState(null, "", hash || location.pathname + location.search);
    draw();
  }

  const current = () => page.runs[Number(page.state.run)] || page.runs[0];
  const tabs = () => TABS.filter(([name]) => name !== "sideBySide" || page.runs.length > 1);
  function tab() {
    const found = tabs().find(([name]) => name === page.state.tab);
    return found ? found[0] : "summary";
  }

  window.addEventListener("hashchange", () => {
    page.state = readHash(location.hash);
    draw();
  });

  let resized;
  let lastWidth = page.app.clientWidth;
  window.addEventListener("resize", () => {
    clearTimeout(resized);
    resized = setTimeout(() => {
      if (page.app.clientWidth === lastWidth) return;
      lastWidth = page.app.clientWidth;
      draw();
    }, 150);
  });

  // -- files -------------------------------------------------------------------------

  // files: [{path, file}]; says what is wrong with those that cannot be read.
  async function open(files) {
    say([`Reading ${files.length} files \u2026`]);
    const sized = files.map((each) => ({ ...each, size: each.file.size }));
    const { reports, problems } = choose(sized);
    if (!files.length) problems.push("There are no files in it.");
    const before = page.runs.length;
    for (const { path, file } of reports) {
      if (page.runs.length >= MOST_RUNS) {
        problems.push(`This page shows up to ${MOST_RUNS} runs. Remove some to see ${path}.`);
        break;
      }
      problems.push(...(await add(path, file)));
    }
    const added = page.runs.length - before;
    if (added) {
      const tabNow = before ? "sideBySide" : page.state.tab || "";
      set({ run: before ? String(before) : "", tab: tabNow });
    }
    say(problems, added ? `Opened ${page.runs.slice(before).map((run) => run.name).join(", ")}.` : "");
  }

  async function add(path, file) {
    let text;
    try {
      text = await file.text();
    } catch (error) {
      return [`${path} cannot be read by the browser. Was it moved or changed?`];
    }
    const { report, problem } = read(text, path);
    if (problem) return [problem];
    page.runs.push({ name: runName(path, page.runs.map((run) => run.name)), report });
    return [];
  }

  async function openExample() {
    say(["Reading the example \u2026"]);
    try {
      const answer = await fetch(EXAMPLE);
      if (!answer.ok) throw new Error(String(answer.status));
      const blob = await answer.blob();
      await open([{ path: "example/report.json", file: blob }]);
    } catch (error) {
      say(["The example cannot be loaded. A page that is opened from a disk may not read it: open " +
        "the documentation by its web address, or drop a file of your own."]);
    }
  }

  // All files below what was dropped; a folder that is too large is read in part.
  async function dropped(transfer) {
    const entries = [...transfer.items].map((item) =>
      (item.webkitGetAsEntry ? item.webkitGetAsEntry() : null));
    if (!entries.some(Boolean)) {
      return [...transfer.files].map((file) => ({ path: file.name, file }));
    }
    const found = [];
    for (const entry of entries.filter(Boolean)) await walk(entry, "", found);
    return found;
  }

  async function walk(entry, above, found) {
    if (found.length >= MOST_FILES) return;
    const path = above ? `${above}/${entry.name}` : entry.name;
    if (entry.isFile) {
      try {
        found.push({ path, file: await new Promise((done, fail) => entry.file(done, fail)) });
      } catch (error) {
        say([`${path} cannot be read by the browser.`]);
      }
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const part = await new Promise((done) => reader.readEntries(done, () => done([])));
      if (!part.length) return;
      for (const child of part) await walk(child, path, found);
    }
  }

  function say(problems, done = "") {
    const lines = [...problems, ...(done ? [done] : [])];
    place("messages").replaceChildren(...lines.map((text) => el("p", {}, text)));
  }

  // -- drawing -----------------------------------------------------------------------

  function draw() {
    const focus = document.activeElement && document.activeElement.dataset.focus;
    const caret = focus && document.activeElement.selectionStart;
    const scrolled = [...page.app.querySelectorAll(".rb-scroll")]
      .map((box) => [box.getAttribute("aria-label"), box.scrollLeft]);
    const panel = place("report");
    place("welcome").hidden = page.runs.length > 0;
    panel.hidden = !page.runs.length;
    if (!page.runs.length) {
      panel.replaceChildren();
      return;
    }
    try {
      panel.replaceChildren(bar(), tabList(), body());
    } catch (error) {
      console.error(error);
      panel.replaceChildren(bar(), el("p", { class: "rb-warning" },
        "This part of the report cannot be shown: the file is not as expected. Run the command " +
        "again to write it anew."));
    }
    keepFolds(panel);
    for (const box of panel.querySelectorAll(".rb-scroll")) {
      const old = scrolled.find(([name]) => name === box.getAttribute("aria-label"));
      if (old) box.scrollLeft = old[1];
    }
    restoreFocus(panel, focus, caret);
  }

  function restoreFocus(panel, focus, caret) {
    const next = focus && [...panel.querySelectorAll("[data-focus]")]
      .find((each) => each.dataset.focus === focus);
    if (!next) return;
    next.focus({ preventScroll: true });
    if (typeof caret === "number" && next.type === "search") next.setSelectionRange(caret, caret);
  }

  // Parts that were unfolded stay so.
  function keepFolds(panel) {
    for (const part of panel.querySelectorAll("[data-fold]")) {
      part.open = page.folds.has(part.dataset.fold);
      part.addEventListener("toggle", () => {
        page.folds[part.open ? "add" : "delete"](part.dataset.fold);
      });
    }
  }

  // Which run is shown, and a button that removes it.
  function bar() {
    const run = current();
    const remove = button(page.runs.length > 1 ? "Remove this run" : "Close", () => {
      page.runs = page.runs.filter((each) => each !== run);
      say([]);
      set({ run: "", image: "" });
      if (!page.runs.length) place("files").focus();
    }, "remove");
    const chosen = select({
      label: "Run", id: "run", value: String(page.runs.indexOf(run)),
      options: page.runs.map((each, k) => [String(k), each.name]),
      onChange: (value) => set({ run: value, image: "" }),
    });
    const name = el("p", { class: "rb-run" }, el("strong", {}, run.name),
      ` sklearnloss ${run.report.sklearnloss}`);
    return el("div", { class: "rb-bar-top" }, page.runs.length > 1 ? chosen : name, remove);
  }

  function tabList() {
    const shown = tabs();
    const move = (event, k) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const to = { Home: 0, End: shown.length - 1 }[event.key] ?? (step && k + step + shown.length);
      if (to === undefined) return;
      event.preventDefault();
      const [name] = shown[to % shown.length];
      set({ tab: name });
      page.app.querySelector(`#rb-tab-${name}`).focus();
    };
    const all = shown.map(([name, label], k) => {
      const isCurrent = name === tab();
      const item = el("button", {
        type: "button", role: "tab", id: `rb-tab-${name}`, "aria-selected": String(isCurrent),
        "aria-controls": "rb-panel", tabindex: isCurrent ? 0 : -1, "data-focus": `tab-${name}`,
        onclick: () => set({ tab: name }),
      }, label);
      item.addEventListener("keydown", (event) => move(event, k));
      return item;
    });
    return el("div", { class: "rb-tabs", role: "tablist", "aria-label": "Parts of the report" }, all);
  }

  function body() {
    const width = Math.max(260, page.app.clientWidth - 2);
    const view = { report: current().report, runs: page.runs, state: page.state, set, width };
    const content = Views[tab()](view).flat(Infinity).filter(Boolean);
    return el("div", {
      role: "tabpanel", id: "rb-panel", "aria-labelledby": `rb-tab-${tab()}`, tabindex: -1,
    }, content);
  }

  // -- events ------------------------------------------------------------------------

  function listen() {
    const pickers = { folder: place("folder-input"), files: place("files-input") };
    for (const [name, input] of Object.entries(pickers)) {
      place(name).addEventListener("click", () => input.click());
      input.addEventListener("change", () => {
        const files = [...input.files].map((file) => ({
          path: file.webkitRelativePath || file.name, file,
        }));
        input.value = "";
        open(files);
      });
    }
    place("example").addEventListener("click", openExample);
    const over = (event, isOver) => {
      if (!event.dataTransfer || ![...event.dataTransfer.types].includes("Files")) return false;
      event.preventDefault();
      page.app.classList.toggle("rb-over", isOver);
      return true;
    };
    // Anywhere on the page: a browser would open a file that misses the field.
    document.addEventListener("dragover", (event) => over(event, true));
    document.addEventListener("dragleave", (event) => over(event, false));
    document.addEventListener("drop", async (event) => {
      if (over(event, false)) open(await dropped(event.dataTransfer));
    });
  }

  listen();
  page.app.dataset.ready = "true";
})(window);
