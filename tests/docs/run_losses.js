/* Read losses and cases as JSON from the standard input, and write values and gradients.
 * The first argument is the folder of the laboratory's scripts. */
"use strict";

const fs = require("fs");
const path = require("path");

for (const script of ["neighbors", "pixel_losses", "losses", "catalog", "model", "link"]) {
  require(path.join(process.argv[2], `${script}.js`));
}
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
        return { mask, scores: Array.from(scores), ...Lab.compare(scores, mask) };
      });
    }),
  links: (hashes) =>
    hashes.map((hash) => {
      const state = Lab.readLink(hash);
      return state && { link: Lab.writeLink(state), mask: state.mask, problems: state.problems };
    }),
};

const { command, cases } = JSON.parse(fs.readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(commands[command](cases)));
