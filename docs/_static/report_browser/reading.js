"use strict";
// Reads report.json: checks it, and says in a sentence what is wrong with a file. It uses nothing
// of a browser, so Node can test it.

(function (root) {
  const FORMAT = "sklearnloss report";
  const VERSION = 1;
  const MOST_BYTES = 64 * 1024 * 1024;
  const MOST_PIXELS = 1e6;
  const PICTURE = /^data:image\/png;base64,[A-Za-z0-9+/]+=*$/;
  const WRITTEN = new Set([
    "settings.json", "losses.csv", "summary.txt", "comparison.jsonl", "search.journal",
  ]);

  const isText = (value) => typeof value === "string";
  const isNumber = (value) => value === null || typeof value === "number";
  const isObject = (value) =>
    typeof value === "object" && value !== null && !Array.isArray(value);
  const listOf = (check, length) => (value) =>
    Array.isArray(value) && (length === undefined || value.length === length) &&
    value.every((each) => check(each));
  const orNull = (check) => (value) => value === null || check(value);
  const withKeys = (checks) => (value) =>
    isObject(value) && Object.entries(checks).every(([key, check]) => check(value[key]));
  const isCurve = listOf(listOf(isNumber, 2));

  function checksOf(labels) {
    const n = labels.length;
    const isLabel = (value) => labels.includes(value);
    const byLoss = (check) => listOf(check, n);
    return {
      losses: byLoss(withKeys({ loss: isLabel, mean: isNumber, reasons: listOf(isText) })),
      settings: byLoss(isText),
      scorers: (value) => listOf(isText)(value) && value.length > 0,
      scores: isObject,
      fits: withKeys({ folds: isNumber, status: byLoss(listOf(listOf(isText))) }),
      pairs: listOf(withKeys({
        a: isLabel, b: isLabel, verdict: isText, outcome: isText,
        difference: isNumber, low: isNumber, high: isNumber,
      })),
      classes: orNull(withKeys({
        names: listOf(isText), unit: isText, sizes: listOf(isNumber),
        counts: byLoss(orNull(Array.isArray)), scores: isObject,
      })),
      images: orNull(withKeys({
        metric: isText, names: listOf(isText), scores: byLoss(listOf(isNumber)),
      })),
      pictures: isObject,
      examples: listOf(withKeys({ loss: isLabel, kind: isText, image: Number.isInteger })),
      curves: withKeys({ score: byLoss(isCurve), training_loss: byLoss(isCurve) }),
      search: withKeys({
        candidates: listOf(isObject), not_tried: listOf(isText), not_compared: listOf(isText),
      }),
      data: withKeys({ name: isText, description: isText }),
      notes: withKeys({ baseline: isText, pairs: isText }),
      about: isObject, baseline: isObject, advice: listOf(isText), usage: listOf(isText),
      command: isText, design: isText, metric: isText, sklearnloss: isText,
      rope: (value) => typeof value === "number",
      best: orNull(isLabel),
    };
  }

  // The name of the first part that this page cannot read, or null.
  function firstFault(report) {
    const labels = report.labels;
    if (!listOf(isText)(labels) || !labels.length || new Set(labels).size < labels.length) {
      return "labels";
    }
    const checks = checksOf(labels);
    const fault = Object.keys(checks).find((key) => !checks[key](report[key]));
    if (fault) return fault;
    const isTable = listOf(listOf(listOf(isNumber)), labels.length);
    if (!report.scorers.every((name) => isTable(own(report.scores, name)))) return "scores";
    const images = report.images;
    if (images && images.scores.some((row) => row.length !== images.names.length)) return "images";
    const classes = report.classes;
    const perClass = classes && listOf(isNumber, classes.names.length);
    const scored = classes && listOf(orNull(perClass), labels.length);
    if (classes && !(perClass(classes.sizes) && Object.values(classes.scores).every(scored))) {
      return "classes";
    }
    return null;
  }

  function own(object, key) {
    return Object.prototype.hasOwnProperty.call(object, key) ? object[key] : undefined;
  }

  // Returns {report} or {problem}, a sentence; name is that of the file.
  function read(text, name) {
    let report;
    try {
      report = JSON.parse(text);
    } catch (error) {
      return { problem: `${name} cannot be read: ${whyNoJson(text)}` };
    }
    if (!isObject(report) || report.format !== FORMAT) {
      return {
        problem: `${name} is not a report of sklearnloss. Expected the file report.json that ` +
          "sklearnloss compare writes, or the folder that it is in.",
      };
    }
    if (!Number.isInteger(report.version) || report.version < 1) {
      return { problem: `${name} has no version of its format, so it cannot be read.` };
    }
    if (report.version > VERSION) {
      const by = isText(report.sklearnloss) ? ` (${report.sklearnloss})` : "";
      return {
        problem: `${name} was written by a newer sklearnloss${by}: its format is ` +
          `${report.version}, and this page reads ${VERSION}. Use the page of the newer version.`,
      };
    }
    const fault = firstFault(report);
    if (fault) {
      return {
        problem: `${name} is incomplete or was changed: its part "${fault}" is missing or not ` +
          "as expected. Run the command again to write it anew.",
      };
    }
    return { report };
  }

  function whyNoJson(text) {
    const trimmed = text.trim();
    if (!trimmed) return "it is empty.";
    if (trimmed.startsWith("{") && !trimmed.endsWith("}")) {
      return "it ends in the middle. Copy it again, or wait until the command is finished.";
    }
    return "it is not JSON. Expected the file report.json that sklearnloss compare writes.";
  }

  // Chooses the reports among files {path, size}: {reports: [...], problems: [...]}.
  function choose(files) {
    const reports = [];
    const problems = [];
    const folders = new Map();
    for (const file of files) {
      const parts = file.path.split("/");
      const base = parts[parts.length - 1];
      if (parts.length > 1) {
        folders.set(parts[0], [...(folders.get(parts[0]) || []), base]);
        if (base !== "report.json") continue;
      } else if (!base.toLowerCase().endsWith(".json")) {
        problems.push(wrongFile(base));
        continue;
      }
      if (file.size > MOST_BYTES) problems.push(tooLarge(file));
      else reports.push(file);
    }
    for (const [folder, names] of folders) {
      if (!names.includes("report.json")) problems.push(withoutReport(folder, names));
    }
    return { reports, problems };
  }

  function wrongFile(name) {
    if (name === "report.html") {
      return "report.html is the report itself: open it in a browser. This page reads " +
        "report.json, which is in the same folder.";
    }
    return `${name} is not a report. Expected the file report.json, or the folder that it is in.`;
  }

  function tooLarge(file) {
    const size = Math.round(file.size / 1024 / 1024);
    return `${file.path} has ${size} MB. This page reads reports of up to ` +
      `${MOST_BYTES / 1024 / 1024} MB.`;
  }

  function withoutReport(folder, names) {
    if (names.some((name) => WRITTEN.has(name))) {
      return `The folder ${folder} has results but no report.json: the run is not finished, or an ` +
        "older version of sklearnloss wrote it. Delete summary.txt, if it is there, and run the " +
        "same command again: what was searched and compared is not trained again.";
    }
    return `There is no report.json in the folder ${folder}. Expected the folder that ` +
      "sklearnloss compare wrote: --output, or sklearnloss-results.";
  }

  // The name of a run: that of its folder, else of its file.
  function runName(path, taken) {
    const parts = path.split("/");
    const base = parts.length > 1 ? parts[parts.length - 2] : parts[0].replace(/\.json$/i, "");
    let name = base;
    for (let k = 2; taken.includes(name); k++) name = `${base} (${k})`;
    return name;
  }

  // The codes of a mask from its runs: code, length, code, length, ...; null if they are damaged.
  function decodeRuns(runs, shape) {
    if (!listOf(Number.isInteger)(runs) || !listOf(Number.isInteger)(shape)) return null;
    const size = shape.reduce((product, side) => product * side, 1);
    if (!(size > 0 && size <= MOST_PIXELS) || runs.length % 2 || shape.some((n) => n < 1)) {
      return null;
    }
    const codes = new Int16Array(size);
    let at = 0;
    for (let k = 0; k < runs.length; k += 2) {
      if (runs[k + 1] < 1 || at + runs[k + 1] > size) return null;
      codes.fill(runs[k], at, at + runs[k + 1]);
      at += runs[k + 1];
    }
    return at === size ? codes : null;
  }

  // A picture that is safe to show: a PNG inside of the file, never an address.
  function pictureOf(report, image) {
    const uri = own(report.pictures, String(image));
    return isText(uri) && PICTURE.test(uri) ? uri : null;
  }

  // The state of the page in its address: {tab: "images"} is #tab=images.
  function readHash(hash) {
    const text = hash.replace(/^#/, "");
    return text.includes("=") ? Object.fromEntries(new URLSearchParams(text)) : {};
  }

  function writeHash(state) {
    const shown = Object.entries(state).filter(([, value]) => value !== "" && value !== undefined);
    return shown.length ? `#${new URLSearchParams(shown)}` : "";
  }

  const exported = {
    choose, decodeRuns, own, pictureOf, read, readHash, runName, writeHash, FORMAT, VERSION,
    MOST_BYTES,
  };
  root.ReportReading = exported;
  if (typeof module !== "undefined") module.exports = exported;
})(typeof globalThis === "undefined" ? window : globalThis);
