"use strict";
// Numbers in the words of the report, and the rows of the tables: sorting and filtering. It uses
// nothing of a browser, so Node can test it.

(function (root) {
  const short = (text) => text.replace(/^(-?)0\./, "$1.");
  const isKnown = (value) => typeof value === "number" && Number.isFinite(value);

  // Three decimals, or two significant digits if smaller, as in the report.
  function number(value) {
    if (!isKnown(value)) return "-";
    if (value === 0) return "0";
    const size = Math.abs(value);
    if (size >= 0.00995) return short(value.toFixed(3));
    const decimals = Math.min(1 - Math.floor(Math.log10(size)), 8);
    const text = value.toFixed(decimals).replace(/0+$/, "");
    return Number(text) ? short(text) : "0";
  }

  // For a table: three decimals, more if it is tiny.
  function cell(value) {
    if (!isKnown(value)) return "-";
    return value !== 0 && Math.abs(value) < 0.0005 ? number(value) : short(value.toFixed(3));
  }

  function signed(value) {
    return isKnown(value) && value > 0 ? `+${number(value)}` : number(value);
  }

  function interval(low, high) {
    return isKnown(low) && isKnown(high) ? `[${number(low)}, ${number(high)}]` : "-";
  }

  function probability(value) {
    if (!isKnown(value)) return "-";
    if (value >= 0.9995) return "> .999";
    if (value < 0.0005) return "< .001";
    return short(value.toFixed(value >= 0.01 && value < 0.99 ? 2 : 3));
  }

  function seconds(value) {
    if (!isKnown(value)) return "-";
    return value < 99.5 ? String(Number(value.toPrecision(2))) : value.toFixed(0);
  }

  function failures(row) {
    return ["diverged", "undefined", "failed"]
      .filter((kind) => row[kind] > 0)
      .map((kind) => `${kind} in ${row[kind]} of ${row.fits}`)
      .join(" and ");
  }

  // Sorts by "key" or "-key" (descending); what is missing comes last, equals keep their order.
  function sortRows(rows, sort, valueOf = (row, key) => row[key]) {
    const descending = sort.startsWith("-");
    const key = descending ? sort.slice(1) : sort;
    const known = (value) => value !== null && value !== undefined && !Number.isNaN(value);
    const order = (one, two) => {
      const [a, b] = [valueOf(one, key), valueOf(two, key)];
      if (!known(a) || !known(b)) return Number(known(b)) - Number(known(a));
      const texts = typeof a === "string" || typeof b === "string";
      const compared = texts ? natural.compare(String(a), String(b)) : a - b;
      return descending ? -compared : compared;
    };
    return [...rows].sort(order);
  }
  const natural = new Intl.Collator("en", { numeric: true });

  // The rows in which every word of the query is part of some text; case does not matter.
  function filterRows(rows, query, textOf) {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    return rows.filter((row) => {
      const text = textOf(row).toLowerCase();
      return words.every((word) => text.includes(word));
    });
  }

  // A row per image: its scores with each loss, their mean, and the gap between best and worst.
  function imageRows(report) {
    if (!report.images) return [];
    const { names, scores } = report.images;
    return names.map((name, image) => {
      const own = scores.map((row) => row[image]);
      const known = own.filter(isKnown);
      const mean = known.length ? known.reduce((sum, each) => sum + each, 0) / known.length : null;
      const gap = known.length > 1 ? Math.max(...known) - Math.min(...known) : null;
      return { image, name, mean, gap, scores: own };
    });
  }

  // What is known of a against b, seen from a: null if they were not compared.
  function pairOf(report, a, b) {
    const pair = report.pairs.find(
      (each) => (each.a === a && each.b === b) || (each.a === b && each.b === a),
    );
    if (!pair) return null;
    const turned = pair.a !== a;
    const word = pair.outcome === "better" && turned ? "worse" : pair.outcome;
    const minus = (value) => (isKnown(value) ? -value || 0 : value);
    const [low, high] = turned ? [minus(pair.high), minus(pair.low)] : [pair.low, pair.high];
    const difference = turned ? minus(pair.difference) : pair.difference;
    return { pair, word, difference, low, high };
  }

  // A row per fold and seed: the score of each loss.
  function foldRows(report, scorer) {
    const table = report.scores[scorer];
    const [nSplits, nSeeds] = [table[0].length, table[0].length ? table[0][0].length : 0];
    const rows = [];
    for (let split = 0; split < nSplits; split++) {
      for (let seed = 0; seed < nSeeds; seed++) {
        const scores = table.map((each) => (each[split] || [])[seed]);
        const status = report.fits.status.map((each) => (each[split] || [])[seed]);
        rows.push({ split, seed, scores, status });
      }
    }
    return rows;
  }

  // The name of a fold, such as "repeat 2, fold 1, seed 1".
  function foldName(row, report) {
    const nFolds = report.fits.folds || 1;
    const all = report.scores[report.scorers[0]][0];
    const parts = [];
    if (nFolds > 1 && all.length > nFolds) parts.push(`repeat ${Math.floor(row.split / nFolds) + 1}`);
    parts.push(nFolds > 1 ? `fold ${(row.split % nFolds) + 1}` : `split ${row.split + 1}`);
    if (all[0].length > 1) parts.push(`seed ${row.seed + 1}`);
    return parts.join(", ");
  }

  // Several runs side by side: a row per loss, with its row of each run's table or null.
  function runRows(runs) {
    const labels = [...new Set(runs.flatMap((run) => run.report.losses.map((row) => row.loss)))];
    return labels.map((loss) => ({
      loss,
      runs: runs.map((run) => run.report.losses.find((row) => row.loss === loss) || null),
    }));
  }

  const exported = {
    cell, failures, filterRows, foldName, foldRows, imageRows, interval, isKnown, number, pairOf,
    probability, runRows, seconds, signed, sortRows,
  };
  root.ReportRows = exported;
  if (typeof module !== "undefined") module.exports = exported;
})(typeof globalThis === "undefined" ? window : globalThis);
