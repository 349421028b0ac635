// Curves over training, one above the other on one axis of steps, and the line of the checkpoint.

// Checkpoints spaced by ratios crowd at the left of an even axis. Step 0 then stands at ½.
const isLog = last > 3 && steps[Math.floor(last / 2)] < steps[last] / 8;
const at = (step) => (isLog ? Math.max(step, 0.5) : step);

function stepAxis(title) {
  const ends = [at(steps[0]), at(steps[last])];
  const room = isLog ? 0 : 0.015 * (ends[1] - ends[0] || 1);
  const common = {
    title: title ? { text: "Training step", standoff: 6 } : undefined, showticklabels: title, hoverformat: ",d",
    unifiedhovertitle: { text: "step %{x}" },
  };
  if (!isLog) return { ...common, range: [ends[0] - room, ends[1] + room], tickformat: ",d" };
  const powers = [];
  for (let power = 1; power <= ends[1]; power *= 10) powers.push(power);
  return {
    ...common, type: "log", range: [Math.log10(ends[0]) - 0.05, Math.log10(ends[1]) + 0.05],
    tickvals: [0.5, ...powers], ticktext: ["0", ...powers.map(counted)],
  };
}

const vertical = (x, line) => ({ type: "line", xref: "x", yref: "paper", x0: x, x1: x, y0: 0, y1: 1, line });

// A chart over training: `last` has the axis's numbers; the first shape is the checkpoint's line.
function overTraining(name, id, traces, height, extra, words, isLast) {
  const cursor = vertical(at(steps[last]), { color: "#1d1f21", width: 1.5 });
  const look = layout(height, {
    ...extra,
    margin: { l: LEFT, r: RIGHT, t: 8, b: isLast ? 44 : 14 },
    xaxis: stepAxis(isLast),
    shapes: [cursor, ...(extra.shapes || [])],
  });
  const place = chart(id, traces, look, words);
  place.on("plotly_click", (event) => { stop(); showStep(event.points[0].x); });
  panel(name, (index) => {
    Plotly.relayout(place, { "shapes[0].x0": at(steps[index]), "shapes[0].x1": at(steps[index]) });
  }, last);
}

function formationLines() {
  const formed = data.circuits.map((circuit) => circuit.formed).filter((step) => step !== null);
  return [...new Set(formed)].map((step) => vertical(at(step), { color: colours.grey, width: 1.2, dash: "dot" }));
}

function buildCircuits() {
  if (!data.circuits.length) return;
  const rising = [...data.circuits].sort((a, b) => (a.formed ?? Infinity) - (b.formed ?? Infinity));
  const largest = Math.max(...rising.map((circuit) => circuit.cost), 1e-9);
  const traces = rising.flatMap((circuit, row) => {
    const known = circuit.formed !== null;
    const found = circuit.found === null ? "" : `, first found at step ${counted(circuit.found)}`;
    const words = known
      ? `k = ${circuit.k} (${circuit.kind})${found}, formed between steps ${counted(circuit.before)} and ${counted(circuit.formed)}`
      : `k = ${circuit.k}${found}: no rise beyond chance`;
    const color = circuit.colour;
    const { dash } = ROUNDS[circuit.round];
    const bar = (from, to, width) => ({
      x: known ? [at(from), at(to)] : [], y: [row, row], mode: "lines", line: { color, width, dash },
      hovertemplate: `${words}<extra></extra>`,
    });
    return [
      bar(circuit.before, circuit.formed, 1.5),
      bar(circuit.formed, steps[last], 2 + 9 * Math.sqrt(circuit.cost / largest)),
      {
        x: circuit.found === null ? [] : [at(circuit.found)], y: [row], mode: "markers", cliponaxis: false,
        marker: { symbol: "diamond", size: 10, color, line: { color: "white", width: 1.5 } },
        hovertemplate: `${words}<extra></extra>`,
      },
    ];
  });
  legend("legend-circuits", rising.map((circuit) => [
    circuit.colour, ROUNDS[circuit.round].key, `k = ${circuit.k} · ${circuit.kind}`,
  ]));
  overTraining("formation", "chart-circuits", traces, 30 + 24 * rising.length, {
    hovermode: "closest", hoverdistance: 20,
    yaxis: {
      tickvals: rising.map((_, row) => row), ticktext: rising.map((circuit) => `k = ${circuit.k}`), ticks: "",
      range: [rising.length - 0.4, -0.6],
    },
  }, `When each of ${rising.length} circuits formed`, false);
}

// Values of all checkpoints, with a gap wherever one of the run was not estimated.
const withGaps = (values, stretches) => stretches.flatMap(([from, to]) => [...values.slice(from, to), null]).slice(0, -1);

function buildCurve() {
  const curve = data.curve;
  if (!curve) return;
  const gaps = (values) => withGaps(values, curve.stretches);
  const x = curve.step.map(at);
  const alone = new Set(curve.stretches.filter(([from, to]) => to - from === 1).map(([from]) => from));
  const side = (sign) => curve.llc.map((value, i) => (value === null ? null : value + sign * (curve.half[i] ?? 0)));
  const doubtful = curve.doubtful;
  const traces = curve.stretches.filter(([from, to]) => to - from > 1).flatMap(([from, to]) => {
    const outline = { x: x.slice(from, to), mode: "lines", line: { width: 0, color: colours.llc }, hoverinfo: "skip" };
    return [
      { ...outline, y: side(-1).slice(from, to) },
      { ...outline, y: side(1).slice(from, to), fill: "tonexty", fillcolor: `${colours.llc}40` },
    ];
  });
  if (curve.uncorrected) {
    traces.push({
      x: gaps(x), y: gaps(curve.uncorrected), mode: alone.size ? "lines+markers" : "lines", marker: { size: 5 },
      line: { color: colours.grey, dash: "dash", width: 1.8 },
      hovertemplate: "uncorrected %{y:.4~g}<extra></extra>",
    });
  }
  traces.push({
    x: gaps(x), y: gaps(curve.llc), mode: "lines+markers", line: { color: colours.llc, width: 2.5 },
    marker: { size: 7, color: gaps(doubtful.map((is) => (is ? "white" : colours.llc))), line: { color: colours.llc, width: 1.6 } },
    error_y: {
      visible: alone.size > 0, color: colours.llc, thickness: 1.5, width: 3,
      array: gaps(curve.half.map((half, i) => (alone.has(i) ? half : null))),
    },
    customdata: gaps(curve.half.map((half, i) => [half, curve.status[i]])),
    hovertemplate: "λ̂ %{y:.4~g} ± %{customdata[0]:.2~g}, %{customdata[1]}<extra></extra>",
  });
  const entries = [[colours.llc, alone.size === curve.stretches.length ? "disc" : "line", "λ̂"]];
  if (alone.size < curve.stretches.length) entries.push([colours.llc, "band", "95 % interval"]);
  if (curve.uncorrected) entries.push([colours.grey, "dash", "uncorrected"]);
  if (doubtful.some(Boolean)) entries.push([colours.llc, "ring", "doubtful"]);
  if (formationLines().length) entries.push([colours.grey, "dot", "a circuit forms"]);
  legend("legend-llc", entries);
  overTraining("llc", "chart-llc", traces, 270, {
    shapes: formationLines(), yaxis: { rangemode: "tozero", title: { text: "λ̂", standoff: 4 } },
  }, "Learning coefficient over training", !data.training);
}

function buildTraining() {
  const table = data.training;
  if (!table) return;
  const x = table.step.map(at);
  const curves = (what, suffix) => ["train", "test"].filter((set) => table[`${set}_${what}`].some((y) => y !== null))
    .map((set) => ({
      x, y: table[`${set}_${what}`], mode: "lines+markers", marker: { size: 4 },
      line: { color: colours[set], width: 2.2, dash: set === "test" ? "dash" : "solid" },
      hovertemplate: `${set} %{y:${suffix}}<extra></extra>`,
    }));
  const entries = (what) => curves(what, "").map((curve) =>
    [curve.line.color, curve.line.dash === "dash" ? "dash" : "line", curve.line.dash === "dash" ? "test" : "train"]);
  legend("legend-loss", entries("loss"));
  legend("legend-accuracy", entries("accuracy"));
  overTraining("loss", "chart-loss", curves("loss", ".3~g"), 200, {
    shapes: formationLines(),
    yaxis: { ...logTicks([...table.train_loss, ...table.test_loss]), title: { text: "nats", standoff: 4 } },
  }, "Train and test loss over training", false);
  overTraining("accuracy", "chart-accuracy", curves("accuracy", ".1%"), 170, {
    shapes: formationLines(), yaxis: { range: [-0.04, 1.06], tickformat: ".0%", dtick: 0.5 },
  }, "Train and test accuracy over training", true);
}
