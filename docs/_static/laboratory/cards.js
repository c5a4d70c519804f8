/* The controls of each loss: its terms, parameters, weights, and the line of Python. */
"use strict";

(function (root) {
  const { LossLab } = root;
  const LETTERS = ["A", "B", "C"];

  // make("button", { class: "x", onclick: f }, "text", child, ...)
  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value === true) element.setAttribute(name, "");
      else if (value !== false && value !== undefined) element.setAttribute(name, value);
    }
    element.append(...children.filter(Boolean));
    return element;
  }

  /* A labeled slider for a value with a range, on a logarithmic scale if the range has one.
   * `path` identifies it, so that tests and the focus find it again. */
  function slider(range, value, path, label, change, spoken) {
    // A screen reader says the value with the slider.
    const output = make("output", { for: path, "aria-hidden": "true" }, LossLab.format(value));
    const input = make("input", {
      type: "range",
      id: path,
      min: 0,
      max: 1000,
      step: range.whole ? 1000 / (range.high - range.low) : 1,
      "aria-label": spoken,
      "aria-valuetext": LossLab.format(value),
      oninput: () => {
        const now = LossLab.fromPosition(range, Number(input.value));
        output.textContent = LossLab.format(now);
        input.setAttribute("aria-valuetext", LossLab.format(now));
        change(now);
      },
      // A logarithmic scale needs larger steps than one thousandth.
      onkeydown: (event) => {
        const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
        if (!step || range.whole) return;
        event.preventDefault();
        input.value = Number(input.value) + 20 * step;
        input.dispatchEvent(new Event("input"));
      },
    });
    input.value = LossLab.toPosition(range, value);
    return make(
      "div",
      { class: "lab-slider" },
      make("label", { for: path }, label),
      input,
      output,
    );
  }

  function menu(options, value, path, label, change, spoken) {
    const select = make("select", {
      id: path,
      "aria-label": spoken,
      onchange: () => change(options[select.selectedIndex]),
    });
    for (const option of options) select.append(make("option", {}, String(option)));
    select.selectedIndex = options.indexOf(value);
    return make("div", { class: "lab-slider" }, make("label", { for: path }, label), select);
  }

  // The menu of losses in groups; those that the other terms exclude are disabled.
  function lossMenu(terms, index, path, label, change) {
    const select = make("select", {
      id: path,
      "aria-label": label,
      class: "lab-name",
      onchange: () => change(select.value),
    });
    const groups = new Map();
    for (const [name, { group }] of Object.entries(LossLab.catalog)) {
      if (!groups.has(group)) groups.set(group, make("optgroup", { label: group }));
      const other = terms.map((term, k) => (k === index ? { name } : term));
      const excluded = name !== terms[index].name && LossLab.conflicts(other);
      groups.get(group).append(make("option", { value: name, disabled: excluded }, name));
    }
    select.append(...groups.values());
    select.value = terms[index].name;
    return select;
  }

  /* Build the card of loss number `index`. `page.changeLoss(index, terms, rebuild)` is called
   * with each change, `page.removeLoss(index)` and `page.say(text)` by buttons. */
  function makeCard(index, terms, canRemove, page) {
    const letter = LETTERS[index];
    const code = make("code", {});
    // What the loss does, beside its controls: on a phone the pictures are out of sight.
    const thumbnail = make("canvas", { class: "lab-thumbnail", "aria-hidden": "true" });
    const numbers = make("span", { class: "lab-sum" });
    const update = (rebuild, focus) => page.changeLoss(index, terms, rebuild, focus);
    const card = make("section", {
      class: `lab-card lab-border-${index}`,
      "aria-label": `Loss ${letter}`,
    });
    card.append(
      make(
        "div",
        { class: "lab-card-head" },
        make("span", { class: `lab-letter lab-back-${index}` }, letter),
        thumbnail,
        numbers,
        canRemove &&
          make(
            "button",
            {
              type: "button",
              class: "lab-small",
              "aria-label": `Remove loss ${letter}`,
              onclick: () => page.removeLoss(index),
            },
            "Remove",
          ),
      ),
    );
    terms.forEach((term, k) => card.append(...termControls(terms, k, index, update)));
    card.append(
      make(
        "button",
        {
          type: "button",
          class: "lab-small",
          id: `lab-add-${index}`,
          disabled: terms.length >= LossLab.MAX_TERMS,
          "aria-label": `Add a term to loss ${letter}`,
          onclick: () => {
            const names = ["dice", "bce", "cross_entropy", "focal", "tversky"];
            const fits = (name) =>
              !LossLab.conflicts([...terms, { name }]) && !terms.some((t) => t.name === name);
            terms.push(LossLab.newTerm(names.find(fits)));
            update(true, `lab-${index}-${terms.length - 1}-name`);
          },
        },
        "+ Add a term",
      ),
      make("pre", { class: "lab-python" }, code),
      copyButton(`Copy the Python lines of loss ${letter}`, () => code.textContent, page),
    );
    card.showPython = () => (code.textContent = LossLab.python(terms).join("\n"));
    card.showPython();
    card.showResult = (picture, text) => {
      thumbnail.width = thumbnail.height = picture.width;
      thumbnail.getContext("2d").drawImage(picture, 0, 0);
      numbers.textContent = text;
    };
    return card;
  }

  function termControls(terms, k, index, update) {
    const term = terms[k];
    const path = `lab-${index}-${k}`;
    const letter = LETTERS[index];
    const inSum = terms.length > 1;
    const spoken = (name) => `${name} of ${term.name}, loss ${letter}`;
    const row = make(
      "div",
      { class: "lab-term" },
      lossMenu(terms, k, `${path}-name`, `Loss ${letter}, term ${k + 1}`, (name) => {
        terms[k] = LossLab.newTerm(name, {}, term.weight);
        update(true, `${path}-name`);
      }),
      inSum &&
        make(
          "button",
          {
            type: "button",
            class: "lab-small",
            "aria-label": `Remove ${term.name} from loss ${letter}`,
            onclick: () => {
              terms.splice(k, 1);
              if (terms.length === 1) terms[0].weight = 1;
              update(true, `lab-${index}-0-name`);
            },
          },
          "\u00d7",
        ),
    );
    const controls = [row];
    if (inSum) {
      const change = (value) => ((term.weight = value), update(false));
      const id = `${path}-weight`;
      controls.push(slider(LossLab.WEIGHT, term.weight, id, "weight", change, spoken("weight")));
    }
    for (const param of LossLab.catalog[term.name].params) {
      const build = param.choices ? menu : slider;
      const change = (value) => ((term.params[param.name] = value), update(false));
      const id = `${path}-${param.name === "weight" ? "own-weight" : param.name}`;
      const [options, value] = [param.choices || param, term.params[param.name]];
      controls.push(build(options, value, id, param.name, change, spoken(param.name)));
    }
    return controls;
  }

  function copyButton(label, text, page) {
    return make(
      "button",
      {
        type: "button",
        class: "lab-small",
        "aria-label": label,
        onclick: async () => page.say((await copy(text())) ? "Copied" : "Copying was refused"),
      },
      "Copy",
    );
  }

  // Copy text; without a clipboard, as from file://, through a hidden field.
  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const focused = document.activeElement;
      const field = make("textarea", { class: "lab-hidden", "aria-hidden": "true" });
      field.value = text;
      document.body.append(field);
      field.select();
      const done = document.execCommand("copy");
      field.remove();
      focused?.focus();
      return done;
    }
  }

  Object.assign(LossLab, { LETTERS, copy, make, makeCard, slider });
})(globalThis);
