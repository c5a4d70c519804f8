/* The page: what the reader changes, the training that follows, and what is shown. */
"use strict";

(function (root) {
  const { LossLab } = root;
  const { LETTERS, make } = LossLab;
  const byId = (id) => document.getElementById(id);
  const prefersCalm = matchMedia("(prefers-reduced-motion: reduce)");
  const FRAME_MS = 12; // how long a frame may train

  let state = null;
  let image = null;
  let features = null;
  let runs = []; // per loss: { model, scores, canvas, numbers }
  let cards = [];
  let until = LossLab.LAST_STEP;
  let playing = false;
  let editor = null;

  // -- what is said and remembered ----------------------------------------------------

  const say = (text) => {
    byId("lab-live").textContent = text;
    byId("lab-status").textContent = text;
  };

  let linkTimer = null;
  function remember() {
    clearTimeout(linkTimer);
    linkTimer = setTimeout(() => {
      const link = `#${LossLab.writeLink(state)}`;
      if (location.hash !== link) history.replaceState(null, "", link);
    }, 150);
  }

  const percent = (x) => (Math.round(1000 * x) / 10).toFixed(1);

  function summary() {
    const parts = runs.map(({ model, scores }, i) => {
      const { dice, misses, alarms } = LossLab.compare(scores, state.mask);
      const name = LossLab.shortName(state.losses[i]);
      return `${LETTERS[i]}, ${name}, step ${model.step}: Dice ${percent(dice)} %, ${misses} misses, ${alarms} false alarms.`;
    });
    return parts.join(" ");
  }

  // -- training -----------------------------------------------------------------------

  function show(run, i) {
    run.scores = LossLab.scoresOf(run.model, features);
    LossLab.drawPrediction(run.canvas, run.scores, state.mask, state.view);
    const { dice, misses, alarms } = LossLab.compare(run.scores, state.mask);
    const fields = { dice: `${percent(dice)} %`, misses, alarms, step: run.model.step };
    for (const [name, value] of Object.entries(fields)) run.numbers[name].textContent = value;
    const name = LossLab.shortName(state.losses[i]);
    const parts = name.match(/[^(+]+[(+]?/g).flatMap((part) => [part, make("wbr")]);
    run.title.replaceChildren(...parts); // a long name may break after a bracket or a plus
    cards[i].showResult(
      run.canvas,
      `Dice ${percent(dice)} %, ${misses} misses, ${alarms} false alarms`,
    );
    const what = state.view === "errors" ? "Errors of the predicted mask" : "Probabilities";
    run.canvas.setAttribute("aria-label", `${what}, loss ${LETTERS[i]}, ${name}`);
  }

  function showAll() {
    byId("lab-key-errors").hidden = state.view !== "errors";
    byId("lab-key-probability").hidden = state.view === "errors";
    runs.forEach(show);
  }

  const isDone = () => runs.every(({ model }) => model.step >= until);

  const trainOnce = (run, i) =>
    LossLab.train(run.model, features, state.mask, state.losses[i], state.lr);

  // The same number of steps for each loss, as far as the time allows.
  function trainFor(milliseconds, mostSteps) {
    const end = performance.now() + milliseconds;
    for (let k = 0; k < mostSteps && !isDone() && (k === 0 || performance.now() < end); k++) {
      runs.forEach((run, i) => run.model.step < until && trainOnce(run, i));
    }
  }

  function frame() {
    if (!playing) return;
    // With reduced motion only the result is drawn.
    trainFor(prefersCalm.matches ? 4 * FRAME_MS : FRAME_MS, prefersCalm.matches ? 100 : 3);
    if (isDone()) {
      setPlaying(false);
      showAll();
      drawCurves();
      byId("lab-live").textContent = summary();
      return;
    }
    if (!prefersCalm.matches) showAll();
    requestAnimationFrame(frame);
  }

  function setPlaying(value) {
    const starts = value && !playing;
    playing = value;
    byId("lab-play").textContent = playing ? "Pause" : "Play";
    byId("laboratory").dataset.playing = String(playing);
    if (starts) requestAnimationFrame(frame);
  }

  function restart(which) {
    runs.forEach((run, i) => {
      if (which === undefined || which === i) run.model = LossLab.newModel();
    });
    until = Math.max(LossLab.LAST_STEP, which === undefined ? 0 : until);
    if (!prefersCalm.matches) showAll();
  }

  // -- what the reader changes --------------------------------------------------------

  function dataChanged() {
    image = LossLab.imageOf(state.mask, state.noise);
    features = LossLab.featuresOf(image);
    LossLab.drawImage(byId("lab-image"), image);
    editor.redraw();
    const pixels = LossLab.sum(state.mask);
    byId("lab-size").textContent =
      `${pixels} of ${state.mask.length} pixels (${percent(pixels / state.mask.length)} %)`;
    restart();
    curvesLater();
    setPlaying(true);
    remember();
  }

  const actions = {
    say,
    changeLoss(index, terms, rebuild, focus) {
      state.losses[index] = terms;
      if (rebuild) {
        buildCards();
        byId(focus)?.focus();
      }
      cards[index].showPython();
      restart(index);
      curvesLater();
      setPlaying(true);
      remember();
    },
    removeLoss(index) {
      state.losses.splice(index, 1);
      lossesChanged();
      byId("lab-add-loss").focus();
    },
    mask: () => state.mask,
    brush: () => Number(byId("lab-brush").value),
    changed: dataChanged,
  };

  function lossesChanged() {
    buildCards();
    buildPanels();
    restart();
    curvesLater();
    setPlaying(true);
    remember();
  }

  function buildCards() {
    cards = state.losses.map((terms, i) =>
      LossLab.makeCard(i, terms, state.losses.length > 1, actions),
    );
    byId("lab-cards").replaceChildren(...cards);
    byId("lab-add-loss").hidden = state.losses.length >= LossLab.MAX_LOSSES;
  }

  function buildPanels() {
    document.querySelectorAll(".lab-result").forEach((panel) => panel.remove());
    runs = state.losses.map((_, i) => {
      const numbers = {};
      const number = (name, label) => {
        numbers[name] = make("dd", {});
        return make("div", { class: `lab-${name}` }, make("dt", {}, label), numbers[name]);
      };
      const title = make("code", {});
      const canvas = make("canvas", { role: "img", id: `lab-result-${i}` });
      const panel = make(
        "figure",
        { class: `lab-panel lab-result lab-border-${i}`, "aria-label": `Result of loss ${LETTERS[i]}` },
        make("figcaption", {}, make("span", { class: `lab-letter lab-back-${i}` }, LETTERS[i]), title),
        canvas,
        make(
          "dl",
          {},
          number("dice", "Dice"),
          number("misses", "Misses"),
          number("alarms", "False alarms"),
          number("step", "Step"),
        ),
      );
      byId("lab-panels").append(panel);
      return { model: LossLab.newModel(), scores: null, canvas, numbers, title };
    });
  }

  // -- curves -------------------------------------------------------------------------

  const cache = new Map();
  let curvesTimer = null;

  function cachedCurve(terms, label) {
    const mask = LossLab.writeMask(state.mask);
    const key = [LossLab.writeLoss(terms), mask, label, state.others].join("|");
    if (!cache.has(key)) {
      if (cache.size > 60) cache.clear();
      cache.set(key, LossLab.curveOf(terms, state.mask, label, state.others));
    }
    return cache.get(key);
  }

  function drawCurves() {
    const curves = [0, 1].map((label) => state.losses.map((terms) => cachedCurve(terms, label)));
    const names = state.losses.map((terms, i) => `${LETTERS[i]} ${LossLab.shortName(terms)}`);
    for (const [what, word] of [
      ["values", "Value"],
      ["gradients", "Gradient"],
    ]) {
      for (const [label, pixel] of [
        [1, "a pixel of the object"],
        [0, "a pixel of the background"],
      ]) {
        const table = what === "gradients" ? " The table below has the numbers." : "";
        const title = `${word} of ${names.join(", ")} for ${pixel}.${table}`;
        LossLab.drawPicture(byId(`lab-${what}-${label}`), curves[label], what, state.axis, title);
      }
    }
    const legend = names.map((name, i) => make("li", { class: `lab-color-${i}` }, name));
    byId("lab-legend").replaceChildren(...legend);
    LossLab.fillTable(byId("lab-numbers"), state.losses, curves);
  }

  function curvesLater() {
    clearTimeout(curvesTimer);
    curvesTimer = setTimeout(drawCurves, 60);
  }

  // -- controls -----------------------------------------------------------------------

  function settingSlider(name, label, change) {
    const place = byId(`lab-setting-${name}`);
    const update = (value) => {
      state[name] = value;
      change();
      remember();
    };
    place.replaceChildren(
      LossLab.slider(LossLab.SETTINGS[name], state[name], `lab-${name}`, label, update),
    );
  }

  function showSettings() {
    settingSlider("noise", "Noise of the image", dataChanged);
    settingSlider("lr", "Learning rate", () => (restart(), setPlaying(true)));
    settingSlider("others", "Score of the other pixels", curvesLater);
    for (const name of ["axis", "view"]) {
      for (const input of document.getElementsByName(`lab-${name}`)) {
        input.checked = input.value === state[name];
      }
    }
  }

  function wire() {
    byId("lab-play").addEventListener("click", () => {
      if (isDone()) until += LossLab.LAST_STEP;
      setPlaying(!playing);
      if (playing) return;
      showAll();
      byId("lab-live").textContent = summary();
    });
    byId("lab-step").addEventListener("click", () => {
      setPlaying(false);
      runs.forEach(trainOnce);
      until = Math.max(until, ...runs.map(({ model }) => model.step));
      showAll();
      byId("lab-live").textContent = summary();
    });
    byId("lab-reset").addEventListener("click", () => {
      setPlaying(false);
      until = LossLab.LAST_STEP;
      restart();
      showAll();
      say("Back at step 0");
    });
    byId("lab-copy-link").addEventListener("click", async () => {
      const link = location.href.split("#")[0] + `#${LossLab.writeLink(state)}`;
      say((await LossLab.copy(link)) ? "The link is copied" : `Copy this link: ${link}`);
    });
    byId("lab-add-loss").addEventListener("click", () => {
      const unused = ["dice", "bce", "focal", "tversky"].find(
        (name) => !state.losses.some((terms) => terms.length === 1 && terms[0].name === name),
      );
      state.losses.push([LossLab.newTerm(unused)]);
      lossesChanged();
      byId(`lab-${state.losses.length - 1}-0-name`).focus();
    });
    for (const [name, { label, mask }] of Object.entries(LossLab.presets)) {
      const use = () => {
        state.mask = mask.slice();
        dataChanged();
        say(`${label}: ${LossLab.sum(mask)} pixels`);
      };
      const button = { type: "button", class: "lab-small", id: `lab-preset-${name}`, onclick: use };
      byId("lab-presets").append(make("button", button, label));
    }
    for (const [name, change] of [
      ["axis", drawCurves],
      ["view", showAll],
    ]) {
      for (const input of document.getElementsByName(`lab-${name}`)) {
        input.addEventListener("change", () => {
          state[name] = input.value;
          change();
          remember();
        });
      }
    }
    window.addEventListener("hashchange", () => {
      const linked = LossLab.readLink(location.hash);
      if (linked && LossLab.writeLink(linked) !== LossLab.writeLink(state)) load(linked);
    });
    // The theme switches between light and dark by an attribute.
    new MutationObserver(() => {
      showAll();
      editor.redraw();
    }).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }

  function load(next) {
    state = next;
    buildCards();
    buildPanels();
    showSettings();
    dataChanged();
    const { problems } = state;
    if (problems.length) say(`The link's ${problems.join(" and ")} could not be read.`);
  }

  byId("laboratory").hidden = false;
  editor = LossLab.makeEditor(byId("lab-mask"), actions);
  wire();
  load(LossLab.readLink(location.hash) || LossLab.defaultState());
})(globalThis);
