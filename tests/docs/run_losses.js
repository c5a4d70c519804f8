/* Read losses and cases as JSON from the standard input, and write values and gradients.
 * The first argument is the folder of the laboratory's scripts. */
"use strict";

const fs = require("fs");
const path = require("path");

const parts = ["neighbors", "pixel_losses", "losses", "catalog", "model", "link", "curves"];
for (const part of parts) require(path.join(process.argv[2], `${part}.js`));
const Lab = globalThis.LossLab;

const commands = {
  losses: (cases) =>
    cases.map(({ name, form, z, t, params, width }) => {
      const { value, gradient } = Lab.losses[name][form](Float64Array.from(z), t, params, width);
      return { value, gradient: Array.from(gradient) };
    }),
  sums: (cases) =>
    cases.map(({ text, z, t, width }) => {
      const terms = Lab.readLoss(text);
      const { value, gradient } = Lab.evaluate(terms, Float64Array.from(z), t, width);
      const texts = { python: Lab.python(terms), again: Lab.writeLoss(terms) };
      return { ...texts, value, gradient: Array.from(gradient) };
    }),
  catalog: () => Lab.catalog,
  // The prediction that each loss of a link ends with.
  train: (links) =>
    links.map((link) => {
      const { losses, mask, noise, lr } = Lab.readLink(link);
      const features = Lab.featuresOf(Lab.imageOf(mask, noise));
      return losses.map((terms) => {
        const model = Lab.newModel();
        while (model.step < Lab.LAST_STEP) Lab.train(model, features, mask, terms, lr);
        const scores = Lab.scoresOf(model, features);
        const { weights } = model;
        return { mask, features, weights, scores, ...Lab.compare(scores, mask) };
      });
    }),
  curves: (cases) =>
    cases.map(({ text, preset, label, others }) =>
      Lab.curveOf(Lab.readLoss(text), Lab.presets[preset].mask, label, others),
    ),
  presets: () => Lab.presets,
  links: (hashes) =>
    hashes.map((hash) => {
      const state = Lab.readLink(hash);
      return state && { link: Lab.writeLink(state), mask: state.mask, problems: state.problems };
    }),
};

const { command, cases } = JSON.parse(fs.readFileSync(0, "utf8"));
const plain = (_, value) => (ArrayBuffer.isView(value) ? Array.from(value) : value);
process.stdout.write(JSON.stringify(commands[command](cases), plain));
