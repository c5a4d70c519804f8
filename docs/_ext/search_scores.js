/* How the site's search ranks its results; Sphinx puts this into language_data.js.
 * Sphinx itself counts one word of the query only, and lists equal results by the alphabet.
 * Here each word in the title counts, and guides come before other pages. */

var Scorer = {
  score: ([page, title, , , score]) => {
    const query = new URLSearchParams(location.search).get("q") || "";
    const words = query.toLowerCase().split(/\W+/).filter((word) => word.length > 2);
    const shared = words.filter((word) => title.toLowerCase().includes(word)).length;
    const guide = /^(faq|how_to|losses|tutorial|which_loss)/.test(page);
    return score + 5 * shared + (guide ? 2 : 0);
  },
  // The values of Sphinx.
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
