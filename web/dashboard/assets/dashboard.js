// Draws each figure's table as a chart: the table is there without us, and stays there beside it.
/* global uPlot */

const HEIGHT = 220; // CSS pixels, without the legend
const HOUR = 3600; // seconds
const DAY = 86_400;
const DASHES = [[], [6, 4], [2, 3]]; // so that colour is not all that tells lines apart

// Where a line is drawn across a chart of latencies, in milliseconds.
const STEPS = [1, 10, 100, 1_000, 10_000, 60_000, 600_000, 3_600_000, 36_000_000, 360_000_000, 3_600_000_000];

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function columns(figure) {
  const wanted = figure.dataset.series.split(" ");
  const heads = [...figure.querySelectorAll("thead th")].map((cell) => cell.textContent.trim());
  const rows = [...figure.querySelectorAll("tbody tr")].map((row) => [...row.cells]);
  const begins = (text) => Date.parse(text.includes("T") ? text : `${text}T00:00:00Z`) / 1000;
  const days = rows.map((cells) => begins(cells[0].textContent.trim()));
  const values = wanted.map((_, at) =>
    rows.map((cells) => (cells[at + 1].dataset.value === undefined ? null : Number(cells[at + 1].dataset.value))),
  );
  return { data: [days, ...values], names: heads.slice(1, wanted.length + 1) };
}

function readable(value, unit) {
  if (value === null || value === undefined) return "–";
  if (unit !== "ms") return value.toLocaleString("en").replaceAll(",", "\u202f");
  if (value < 1000) return `${Math.round(value)} ms`;
  const [amount, name] = value < 60_000 ? [value / 1000, "s"] : value < 3_600_000 ? [value / 60_000, "min"] : [value / 3_600_000, "h"];
  return `${amount.toLocaleString("en", { maximumFractionDigits: 1 })} ${name}`;
}

function draw(figure) {
  const place = figure.querySelector(".plot");
  const { unit } = figure.dataset;
  const step = figure.dataset.step === "hour" ? HOUR : DAY;
  const { data, names } = columns(figure);
  const log = unit === "ms"; // from milliseconds to hours
  const shown = log ? [data[0], ...data.slice(1).map((line) => line.map((v) => (v === null ? null : Math.max(v, 1))))] : data;
  const axis = {
    stroke: style("--muted"),
    grid: { stroke: style("--grid"), width: 1 },
    ticks: { stroke: style("--grid"), width: 1 },
    font: "12px system-ui, sans-serif",
  };
  return new uPlot(
    {
      width: place.clientWidth,
      height: HEIGHT,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
      scales: { x: { range: (_, first, last) => (first === last ? [first - step, last + step] : [first, last]) }, y: log ? { distr: 3 } : { range: (_, __, most) => [0, Math.max(1, most * 1.05)] } },
      axes: [
        { ...axis, values: step === HOUR ? [[HOUR, "{HH}:{mm}", null, null, null, null, null, null, 1]] : [[DAY, "{MMM} {D}", "\n{YYYY}", null, null, null, null, null, 1]], incrs: (step === HOUR ? [1, 2, 3, 6, 12] : [1, 2, 7, 14, 30, 90]).map((n) => n * step), space: 56 },
        { ...axis, size: 64, ...(log && { splits: (_, __, least, most) => STEPS.filter((v) => v >= least && v <= most), filter: (_, splits) => splits }), values: (_, splits) => splits.map((v) => (v === null ? null : readable(v, unit))) },
      ],
      series: [
        step === HOUR ? { label: "Hour", value: "{HH}:{mm}" } : { label: "Day", value: "{YYYY}-{MM}-{DD}" },
        ...names.map((label, at) => ({
          label,
          stroke: style(`--series-${at + 1}`),
          dash: DASHES[at],
          width: 2,
          points: { show: true, size: 6 },
          value: (_, value) => readable(value, unit),
        })),
      ],
    },
    shown,
    place,
  );
}

const figures = [...document.querySelectorAll("figure[data-chart]")];
let charts = figures.map(draw);
// Without scripts the numbers are open, since there is no chart.
for (const figure of figures) figure.querySelector("details").open = false;

new ResizeObserver(() => {
  for (const [at, chart] of charts.entries()) {
    const width = figures[at].querySelector(".plot").clientWidth;
    if (width && width !== chart.width) chart.setSize({ width, height: HEIGHT });
  }
}).observe(document.body);

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const chart of charts) chart.destroy();
  charts = figures.map(draw);
});
