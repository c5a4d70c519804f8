/* Read losses and cases as JSON from the standard input, and write values and gradients.
 * The first argument is the folder of the laboratory's scripts. */
"use strict";

const fs = require("fs");
const path = require("path");

for (const script of ["neighbors.js", "losses.js", "catalog.js", "model.js", "link.js"]) {
  require(path.join(process.argv[2], script));
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
  links: (hashes) =>
    hashes.map((hash) => {
      const state = Lab.readLink(hash);
      return state && { link: Lab.writeLink(state), mask: state.mask, problems: state.problems };
    }),
};

const { command, cases } = JSON.parse(fs.readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(commands[command](cases)));
