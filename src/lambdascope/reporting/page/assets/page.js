// What every chart shares: the data, the look, and how numbers are written.

const data = JSON.parse(document.getElementById("payload").textContent);
const colours = data.colours;
const byId = (id) => document.getElementById(id);

// 592, 48.1, 0.62, 0.026: the precision that a reader can use.
function written(value) {
  if (value === null || value === undefined) return "unknown";
  const size = Math.abs(value);
  if (size >= 100) return value.toLocaleString("en", { maximumFractionDigits: 0 });
  if (size >= 10) return value.toFixed(1);
  return size >= 0.1 || size === 0 ? value.toFixed(2) : String(Number(value.toPrecision(2)));
}
// A value and its error, to the error's two leading digits: 88.0 ± 5.3.
function withError(value, error) {
  if (!error) return written(value);
  const decimals = Math.max(0, 1 - Math.floor(Math.log10(error)));
  const short = (one) => one.toLocaleString("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  return `${short(value)} ± ${short(error)}`;
}
const counted = (value) => value.toLocaleString("en");
// Names for Plotly, which takes tags and %{…} in its texts for its own.
const plain = (name) => String(name).replace(/[&<>]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[sign]).replaceAll("%{", "% {");
const percent = (value) => (value === null ? "unknown" : `${(100 * value).toFixed(1)} %`);

function element(tag, text, attributes = {}) {
  const made = document.createElement(tag);
  if (text) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

const SVG = "http://www.w3.org/2000/svg";
function drawn(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

// A key beside the chart: [colour, kind, words] each; kinds: line, dash, dot, band, bar (or bar-dash …), disc, ring, diamond.
function legend(id, entries) {
  const list = byId(id);
  list.replaceChildren(...entries.map(([colour, kind, words]) => {
    const item = element("li");
    const sample = drawn("svg", { viewBox: "0 0 26 12", "aria-hidden": "true" });
    const dashes = { dash: "6 4", dot: "2 3" }[kind];
    if (kind === "band") {
      sample.append(drawn("rect", { x: 0, y: 1, width: 26, height: 10, fill: colour, opacity: 0.25 }));
    } else if (kind === "bar") {
      sample.append(drawn("rect", { x: 7, y: 0, width: 12, height: 12, fill: colour }));
    } else if (kind.startsWith("bar-")) {
      const dasharray = { dash: "6 3", dot: "2 3", dashdot: "9 2 2 2" }[kind.slice(4)];
      sample.append(drawn("line", { x1: 0, x2: 26, y1: 6, y2: 6, stroke: colour, "stroke-width": 8, "stroke-dasharray": dasharray }));
    } else if (kind === "diamond") {
      sample.append(drawn("path", { d: "M13 1L18 6L13 11L8 6Z", fill: "none", stroke: colour, "stroke-width": 2 }));
    } else if (kind === "disc" || kind === "ring") {
      const fill = kind === "disc" ? colour : "white";
      sample.append(drawn("circle", { cx: 13, cy: 6, r: 4.5, fill, stroke: colour, "stroke-width": 2 }));
    } else {
      sample.append(drawn("line", {
        x1: 0, x2: 26, y1: 6, y2: 6, stroke: colour, "stroke-width": 2.5, ...(dashes && { "stroke-dasharray": dashes }),
      }));
    }
    item.append(sample, words);
    return item;
  }));
}

// After seven circuits colours come again: each round of them has a dash and a hatch of its own.
const ROUNDS = [
  { dash: "solid", border: "solid", pattern: "", key: "bar" },
  { dash: "6px,3px", border: "dashed", pattern: "/", key: "bar-dash" },
  { dash: "2px,3px", border: "dotted", pattern: "x", key: "bar-dot" },
  { dash: "9px,2px,2px,2px", border: "double", pattern: ".", key: "bar-dashdot" },
];

const LEFT = 62;
const RIGHT = 14;
const AXIS = {
  gridcolor: "#e6e8ea", zeroline: false, linecolor: "#8a9096", tickcolor: "#8a9096", ticks: "outside",
  ticklen: 4, tickfont: { size: 12 }, fixedrange: true,
};

// Ticks of a logarithmic axis: powers of ten, and 2 and 5 between them where there are few of these.
function logTicks(values) {
  const known = values.filter((value) => value > 0);
  const [low, high] = [Math.min(...known), Math.max(...known)].map(Math.log10);
  const powers = [];
  for (let power = Math.floor(low); power <= Math.ceil(high); power += 1) powers.push(power);
  const tickvals = powers.flatMap((power) => (high - low > 2.6 ? [1] : [1, 2, 5]).map((digit) => digit * 10 ** power));
  const room = 0.06 * (high - low || 1);
  const isPlain = (value) => value >= 1e-3 && value < 1e4;
  return {
    type: "log", range: [low - room, high + room], tickvals,
    ticktext: tickvals.map((value) => (isPlain(value) ? String(Number(value.toPrecision(1))) : value.toExponential(0))),
  };
}

function layout(height, extra) {
  return {
    height, autosize: true, dragmode: false, showlegend: false, hovermode: "x unified", hoverdistance: -1,
    margin: { l: LEFT, r: RIGHT, t: 8, b: 40 }, paper_bgcolor: "white", plot_bgcolor: "white",
    font: { family: "system-ui, 'Liberation Sans', 'DejaVu Sans', sans-serif", size: 12, color: "#1d1f21" },
    hoverlabel: { font: { size: 12 } },
    ...extra,
    xaxis: { ...AXIS, showgrid: false, ...extra.xaxis },
    yaxis: { ...AXIS, ...extra.yaxis },
  };
}

// A chart is a picture to a screen reader: its words are those given, and the tables have the numbers.
function chart(id, traces, look, words) {
  const place = byId(id);
  Plotly.newPlot(place, traces, look, { displayModeBar: false, responsive: true });
  place.setAttribute("role", "img");
  place.setAttribute("aria-label", words);
  return place;
}
