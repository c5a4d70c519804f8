/* Masks and images on canvases, and the brush. */
"use strict";

(function (root) {
  const { LossLab } = root;
  const CELL = 8; // canvas pixels per pixel of the mask

  const color = (name) =>
    getComputedStyle(document.getElementById("laboratory")).getPropertyValue(name).trim();

  const palette = () => ({
    empty: color("--lab-empty"),
    object: color("--lab-object"),
    hit: color("--lab-hit"),
    miss: color("--lab-miss"),
    alarm: color("--lab-alarm"),
    mark: color("--lab-mark"),
    cursor: color("--lab-cursor"),
  });

  function prepare(canvas) {
    canvas.width = canvas.height = CELL * LossLab.SIZE;
    return canvas.getContext("2d");
  }

  const eachPixel = (f) => {
    for (let i = 0; i < LossLab.SIZE ** 2; i++) {
      f(i, CELL * (i % LossLab.SIZE), CELL * Math.floor(i / LossLab.SIZE));
    }
  };

  function drawMask(canvas, mask, cursor) {
    const context = prepare(canvas);
    const colors = palette();
    eachPixel((i, x, y) => {
      context.fillStyle = mask[i] ? colors.object : colors.empty;
      context.fillRect(x, y, CELL, CELL);
    });
    if (cursor === null) return;
    const [x, y] = [CELL * (cursor % LossLab.SIZE), CELL * Math.floor(cursor / LossLab.SIZE)];
    context.strokeStyle = colors.cursor;
    context.lineWidth = 3;
    context.strokeRect(x - 1.5, y - 1.5, CELL + 3, CELL + 3);
  }

  function drawImage(canvas, image) {
    const context = prepare(canvas);
    eachPixel((i, x, y) => {
      const gray = Math.round(255 * LossLab.clamp(0.2 + 0.7 * image[i], 0, 1));
      context.fillStyle = `rgb(${gray}, ${gray}, ${gray})`;
      context.fillRect(x, y, CELL, CELL);
    });
  }

  /* Draw what a model predicts. Errors also have marks, a ring for a miss and a cross for a
   * false alarm, for those who do not see their colors. */
  function drawPrediction(canvas, scores, mask, view) {
    const context = prepare(canvas);
    const colors = palette();
    context.strokeStyle = colors.mark;
    context.lineWidth = 1.2;
    eachPixel((i, x, y) => {
      if (view === "probability") {
        const gray = Math.round(255 * LossLab.sigmoid(scores[i]));
        context.fillStyle = `rgb(${gray}, ${gray}, ${gray})`;
        context.fillRect(x, y, CELL, CELL);
        return;
      }
      const says = scores[i] > 0;
      const known = mask[i] ? (says ? "hit" : "miss") : says ? "alarm" : "empty";
      context.fillStyle = colors[known];
      context.fillRect(x, y, CELL, CELL);
      context.beginPath();
      if (known === "miss") context.arc(x + CELL / 2, y + CELL / 2, 1.7, 0, 2 * Math.PI);
      if (known === "alarm") {
        context.moveTo(x + 2, y + 2);
        context.lineTo(x + CELL - 2, y + CELL - 2);
        context.moveTo(x + CELL - 2, y + 2);
        context.lineTo(x + 2, y + CELL - 2);
      }
      context.stroke();
    });
  }

  /* Let the reader paint the mask by mouse, finger or keyboard. The first pixel of a stroke
   * decides whether it paints or erases. `page` has mask(), brush(), changed() and say(text). */
  function makeEditor(canvas, page) {
    const size = LossLab.SIZE;
    let cursor = (size / 2) * size + size / 2;
    let stroke = null; // what a stroke in progress paints, 0 or 1
    let last = null;

    const redraw = () => {
      const focused = document.activeElement === canvas && canvas.matches(":focus-visible");
      drawMask(canvas, page.mask(), focused ? cursor : null);
    };

    function paint(center, value) {
      const mask = page.mask();
      const reach = page.brush() - 1;
      const [cx, cy] = [center % size, Math.floor(center / size)];
      for (let y = Math.max(0, cy - reach); y <= Math.min(size - 1, cy + reach); y++) {
        for (let x = Math.max(0, cx - reach); x <= Math.min(size - 1, cx + reach); x++) {
          if (Math.hypot(x - cx, y - cy) <= reach + 0.3) mask[y * size + x] = value;
        }
      }
    }

    function pixelAt(event) {
      const box = canvas.getBoundingClientRect();
      const toIndex = (at, from, length) =>
        LossLab.clamp(Math.floor(((at - from) / length) * size), 0, size - 1);
      const x = toIndex(event.clientX, box.left, box.width);
      return toIndex(event.clientY, box.top, box.height) * size + x;
    }

    // A quick stroke skips pixels: paint the line between two of them.
    function paintLine(from, to, value) {
      const [x0, y0] = [from % size, Math.floor(from / size)];
      const [dx, dy] = [(to % size) - x0, Math.floor(to / size) - y0];
      const steps = Math.max(Math.abs(dx), Math.abs(dy), 1);
      for (let k = 0; k <= steps; k++) {
        const [x, y] = [Math.round(x0 + (k * dx) / steps), Math.round(y0 + (k * dy) / steps)];
        paint(y * size + x, value);
      }
    }

    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      last = pixelAt(event);
      stroke = page.mask()[last] ? 0 : 1;
      paint(last, stroke);
      redraw();
    });
    canvas.addEventListener("pointermove", (event) => {
      if (stroke === null) return;
      const now = pixelAt(event);
      paintLine(last, now, stroke);
      last = now;
      redraw();
    });
    const finish = () => {
      if (stroke === null) return;
      stroke = null;
      page.changed();
    };
    canvas.addEventListener("pointerup", finish);
    canvas.addEventListener("pointercancel", finish);

    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    canvas.addEventListener("keydown", (event) => {
      const move = moves[event.key];
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      if (!move && event.key !== " ") return;
      event.preventDefault();
      const before = page.mask()[cursor];
      if (move) {
        const x = LossLab.clamp((cursor % size) + move[0], 0, size - 1);
        const y = LossLab.clamp(Math.floor(cursor / size) + move[1], 0, size - 1);
        cursor = y * size + x;
      }
      const paints = !move || event.shiftKey;
      if (paints) {
        paint(cursor, move ? before : 1 - before);
        page.changed();
      }
      redraw();
      const where = `Row ${Math.floor(cursor / size) + 1}, column ${(cursor % size) + 1}`;
      page.say(`${where}: ${page.mask()[cursor] ? "object" : "background"}`);
    });
    canvas.addEventListener("focus", redraw);
    canvas.addEventListener("blur", redraw);
    return { redraw };
  }

  Object.assign(LossLab, { drawImage, drawPrediction, makeEditor });
})(globalThis);
