"use strict";
// Draws the charts and sorts the tables of one report. The figures wait in script elements, with
// colours named like CSS variables; drawing puts the colours of the light or dark page in.
(() => {
  const narrow = matchMedia("(max-width: 820px)"); // as in page.css
  const PAPER_PX = 640; // what A4 and Letter leave inside a card
  const root = document.documentElement;
  const charts = [...document.querySelectorAll("figure")].map((figure) => ({
    box: figure.querySelector(".chart"),
    spec: figure.querySelector(".figure").textContent,
  }));

  function draw({ box, spec }) {
    const style = getComputedStyle(root);
    const { data, layout } = JSON.parse(spec, (_, value) =>
      typeof value === "string"
        ? value.replace(/var\((--[\w-]+)\)/g, (_, name) => style.getPropertyValue(name).trim())
        : value
    );
    const paper = root.classList.contains("paper");
    const width = paper ? PAPER_PX : box.clientWidth;
    const meta = { ...layout.meta };
    if (narrow.matches && !paper) Object.assign(meta, meta.narrow);
    if (meta.left !== undefined) layout.margin.l = meta.left;
    if (meta.height) layout.height = meta.height;
    for (const [at, [offset, width]] of Object.entries(meta.bars || [])) {
      if (data[at]?.type === "bar") Object.assign(data[at], { offset, width });
    }
    if (meta.annotations) layout.annotations = meta.annotations;
    if (meta.labels) layout.yaxis.ticktext = meta.labels;
    if (meta.largest !== undefined) {
      // The longest bar ends where its label still fits beside it.
      const room = width - layout.margin.l - layout.margin.r;
      const bar = Math.max(room - (meta.label_px || 0), 40);
      layout.xaxis.range = [0, (meta.largest || 1) * (room / bar)];
    }
    Object.assign(layout, { width, autosize: false });
    Plotly.react(box, data, layout, { displayModeBar: false, responsive: false });
  }

  const drawAll = () => charts.forEach(draw);
  let drawnWidth = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === drawnWidth) return;
    drawnWidth = innerWidth;
    requestAnimationFrame(drawAll);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  // Paper is white, whatever the screen is.
  addEventListener("beforeprint", () => {
    root.classList.add("paper");
    drawAll();
  });
  addEventListener("afterprint", () => {
    root.classList.remove("paper");
    drawAll();
  });
  drawAll();

  function sortBy(heading) {
    const table = heading.closest("table");
    const column = heading.cellIndex;
    const figures = heading.classList.contains("figures");
    // Figures start with the largest, words with A; the place in the network with the first.
    const first = figures && column > 0 ? "descending" : "ascending";
    const other = first === "descending" ? "ascending" : "descending";
    const order = heading.getAttribute("aria-sort") === first ? other : first;
    for (const each of table.tHead.rows[0].cells) each.setAttribute("aria-sort", "none");
    heading.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const body = table.tBodies[0];
    const keyed = [...body.rows].map((row) => {
      const cell = row.cells[column];
      return { row, key: figures ? cell.dataset.v : cell.textContent };
    });
    const missing = ({ key }) => figures && key === "";
    keyed.sort((a, b) => {
      // What is not known stays last in both orders.
      if (missing(a) || missing(b)) return missing(a) - missing(b);
      return sign * (figures ? a.key - b.key : a.key.localeCompare(b.key, "en", { numeric: true }));
    });
    body.append(...keyed.map(({ row }) => row));
  }

  for (const button of document.querySelectorAll(".sortable th button")) {
    button.addEventListener("click", () => sortBy(button.parentElement));
  }
})();
