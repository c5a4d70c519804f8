/* The page's state, and the part of a link after # that reproduces it. */
"use strict";

(function (root) {
  const { LossLab } = root;
  const MAX_LOSSES = 3;
  const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const DEFAULT = "losses=bce;dice;tversky(alpha:0.3,beta:0.7)&mask=vessel";

  // Settings with a range, in the order of a link.
  const SETTINGS = {
    noise: { name: "noise", low: 0, high: 1, value: 0.3 },
    lr: { name: "lr", low: 0.005, high: 0.5, value: 0.05, log: true },
    others: { name: "others", low: -2, high: 6, value: 2 },
  };
  const CHOICES = { axis: ["score", "probability"], view: ["errors", "probability"] };

  // Six pixels per letter, the first in the highest bit.
  function writeMask(mask) {
    const preset = Object.keys(LossLab.presets).find((name) =>
      LossLab.presets[name].mask.every((x, i) => x === mask[i]),
    );
    if (preset) return preset;
    let text = "";
    for (let i = 0; i < mask.length; i += 6) {
      let bits = 0;
      for (let k = 0; k < 6; k++) bits = 2 * bits + (mask[i + k] || 0);
      text += LETTERS[bits];
    }
    return text;
  }

  function readMask(text) {
    if (Object.hasOwn(LossLab.presets, text)) return LossLab.presets[text].mask.slice();
    const size = LossLab.SIZE ** 2;
    if (text.length !== Math.ceil(size / 6)) return null;
    const values = Array.from(text, (letter) => LETTERS.indexOf(letter));
    if (values.includes(-1)) return null;
    const bits = values.flatMap((value) => [5, 4, 3, 2, 1, 0].map((k) => (value >> k) & 1));
    return bits.slice(0, size);
  }

  // The mask comes last: a link must not end with a bracket, which mail programs cut off.
  function writeLink(state) {
    const parts = [`losses=${state.losses.map(LossLab.writeLoss).join(";")}`];
    for (const [name, setting] of Object.entries(SETTINGS)) {
      if (state[name] !== setting.value) parts.push(`${name}=${LossLab.format(state[name])}`);
    }
    for (const [name, options] of Object.entries(CHOICES)) {
      if (state[name] !== options[0]) parts.push(`${name}=${state[name]}`);
    }
    return [...parts, `mask=${writeMask(state.mask)}`].join("&");
  }

  function decoded(text) {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  }

  /* Read a link's part after #. Returns null if it is about something else, such as a
   * heading. What cannot be read keeps its default, and is listed in `problems`. */
  function readLink(hash) {
    const text = decoded(hash.replace(/^#/, ""));
    if (!/(^|&)(losses|mask)=/.test(text)) return null;
    const fields = Object.fromEntries(
      text.split("&").map((part) => [part.split("=")[0], part.split("=").slice(1).join("=")]),
    );
    const state = defaultState();
    state.problems = [];
    if (fields.losses) {
      const losses = fields.losses.split(";").map(LossLab.readLoss);
      if (losses.includes(null) || losses.length > MAX_LOSSES) state.problems.push("losses");
      if (losses.some(Boolean)) state.losses = losses.filter(Boolean).slice(0, MAX_LOSSES);
    }
    for (const [name, setting] of Object.entries(SETTINGS)) {
      if (fields[name] === undefined) continue;
      const value = LossLab.readValue(setting, fields[name]);
      if (value === undefined) state.problems.push(name);
      else state[name] = value;
    }
    for (const [name, options] of Object.entries(CHOICES)) {
      if (fields[name] === undefined) continue;
      if (options.includes(fields[name])) state[name] = fields[name];
      else state.problems.push(name);
    }
    if (fields.mask !== undefined) {
      const mask = readMask(fields.mask);
      if (mask) state.mask = mask;
      else state.problems.push("mask");
    }
    return state;
  }

  function defaultState() {
    const [losses, mask] = DEFAULT.split("&").map((part) => part.split("=")[1]);
    return {
      losses: losses.split(";").map(LossLab.readLoss),
      mask: readMask(mask),
      ...Object.fromEntries(Object.values(SETTINGS).map(({ name, value }) => [name, value])),
      ...Object.fromEntries(Object.entries(CHOICES).map(([name, options]) => [name, options[0]])),
      problems: [],
    };
  }

  Object.assign(LossLab, { MAX_LOSSES, SETTINGS, defaultState, readLink, writeLink, writeMask });
})(globalThis);
