// The chains around one checkpoint: their losses, and where they went.

function traceLines(trace) {
  return trace.loss.map((loss, chain) => {
    const coarse = trace.factors[chain] !== 1;
    return {
      x: trace.steps, y: loss, mode: "lines", opacity: coarse ? 0.7 : 0.85,
      line: { width: 1.2, color: colours.series[chain % colours.series.length], dash: coarse ? "dot" : "solid" },
      hovertemplate: `chain ${chain}: %{y:.4~g} nats at step %{x:,.0f}<extra></extra>`,
    };
  });
}

// Room for all but the few highest blocks, so that one wild chain does not flatten the others.
function traceRange(trace) {
  const all = trace.loss.flat().filter((value) => value !== null).sort((a, b) => a - b);
  if (!all.length) return [0, 1];
  const low = Math.min(all[0], trace.initial);
  const high = all[Math.floor(0.998 * (all.length - 1))];
  const room = 0.06 * (high - low || 1);
  return [low - room, high + room];
}

function traceShapes(trace, mean) {
  const shapes = [
    { type: "rect", xref: "x", yref: "paper", x0: 0, x1: trace.burnin, y0: 0, y1: 1, fillcolor: "#dadce0", opacity: 0.6, line: { width: 0 }, layer: "below" },
    { ...horizontal(trace.initial, { color: colours.start, width: 2, dash: "dot" }), layer: "above" },
  ];
  if (mean !== null) {
    shapes.push({ ...horizontal(mean, { color: "#1d1f21", width: 2, dash: "dash" }), xref: "x", x0: trace.burnin, x1: trace.numSteps, layer: "above" });
  }
  return shapes;
}

function traceEquation(trace, curve, place, mean) {
  if (mean === null) return "Every chain diverged: there is no estimate here.";
  const [high, low] = [mean, trace.initial].map((value) => Number(value.toPrecision(4)));
  const subtracted = curve.uncorrected && curve.uncorrected[place] !== curve.llc[place];
  const plain = subtracted ? curve.uncorrected[place] : curve.llc[place];
  const words = `(${high} − ${low}) nats × nβ ${written(trace.nbeta)} = ${written(plain)}`;
  return subtracted ? `${words}; less the measured bias: λ̂ = ${written(curve.llc[place])}` : `λ̂ = ${words}`;
}

function buildTraces() {
  if (!Object.keys(data.traces).length) return;
  const any = Object.values(data.traces)[0];
  const place = chart("chart-traces", [], layout(330, {
    hovermode: "closest", hoverdistance: 20,
    xaxis: { title: { text: "Sampling step", standoff: 6 }, tickformat: ",d" },
    yaxis: { title: { text: "loss (nats)", standoff: 4 } },
  }), "Loss along the chains");
  legend("legend-traces", [
    [colours.grey, "line", any.block === 1 ? "each chain in a colour of its own" : `each chain in a colour of its own (means over ${any.block} steps)`],
    ...(Object.values(data.traces).some((one) => one.factors.some((factor) => factor !== 1))
      ? [[colours.grey, "dot", "one of twice the step"]] : []),
    [colours.grey, "band", "burn-in, left out"], ["#1d1f21", "dash", "mean after it"], [colours.start, "dot", "loss at w*"],
  ]);
  panel("traces", (index) => {
    const trace = data.traces[index];
    const row = trace ? data.curve.checkpoint.indexOf(index) : -1;
    if (row < 0) {
      Plotly.react(place, [], { ...place.layout, shapes: [] });
      byId("equation").textContent = "λ̂ was not estimated at this checkpoint.";
      return;
    }
    const plain = (data.curve.uncorrected || data.curve.llc)[row];
    const mean = plain === null ? null : trace.initial + plain / trace.nbeta;
    Plotly.react(place, traceLines(trace), {
      ...place.layout, shapes: traceShapes(trace, mean),
      xaxis: { ...place.layout.xaxis, range: [0, trace.numSteps] },
      yaxis: { ...place.layout.yaxis, range: traceRange(trace) },
    });
    byId("equation").textContent = traceEquation(trace, data.curve, row, mean);
  });
}

function pointLines(points, colouring) {
  const all = points[colouring].flat().sort((a, b) => a - b);
  const bounds = [all[Math.floor(0.01 * all.length)], all[Math.floor(0.99 * (all.length - 1))]];
  const lines = points.chain.map((chain, number) => ({
    x: points.pc1[number], y: points.pc2[number], mode: "lines+markers", line: { color: "#c4c8cc", width: 0.7 },
    marker: {
      size: 5, symbol: number % 8, color: points[colouring][number], cmin: bounds[0], cmax: bounds[1],
      colorscale: "Viridis", showscale: number === 0,
      colorbar: { thickness: 10, outlinewidth: 0, title: { text: colouring === "step" ? "step" : "nats", font: { size: 12 } } },
    },
    customdata: points.step[number].map((step, i) => [step, points.loss[number][i]]),
    hovertemplate: `chain ${chain}, step %{customdata[0]:,d}: loss %{customdata[1]:.4~g}<extra></extra>`,
  }));
  const start = {
    x: [points.pc1[0][0]], y: [points.pc2[0][0]], mode: "markers+text", text: ["w*"], textposition: "top center",
    textfont: { size: 14 }, marker: { symbol: "star", size: 16, color: colours.start, line: { color: "white", width: 1 } },
    hovertemplate: "w*, where the chains start<extra></extra>",
  };
  return [...lines, start];
}

// A panel whose data stand for some checkpoints only says where, and takes the reader there.
function elsewhere(box, indices, what, line) {
  const buttons = indices.map((index) => {
    const button = element("button", `checkpoint ${index}`, { type: "button" });
    button.addEventListener("click", () => show(index));
    return button;
  });
  const text = element("p", `${what} stand for `);
  buttons.forEach((button) => text.append(button, " "));
  const way = element("p", "This command adds the present one: ");
  way.append(element("code", line));
  box.replaceChildren(text, way);
}

function buildPoints() {
  const indices = Object.keys(data.pca).map(Number);
  if (!indices.length) return;
  const place = chart("chart-pca", [], layout(330, {
    hovermode: "closest", hoverdistance: 20, xaxis: { showgrid: true }, yaxis: {},
  }), "Points along the chains in their first two principal components");
  const draw = (index) => {
    const points = data.pca[index];
    place.hidden = !points;
    byId("pca-elsewhere").hidden = Boolean(points);
    if (!points) {
      elsewhere(byId("pca-elsewhere"), indices, "Points along chains", `${data.suggestions.chains} --checkpoints ${[...indices, index].sort((a, b) => a - b)} --overwrite`);
      return;
    }
    const share = (i) => `component ${i + 1} (${Math.round(100 * points.explained[i])} % of variance)`;
    // While it was hidden, the window may have changed.
    Plotly.Plots.resize(place);
    Plotly.react(place, pointLines(points, byId("pca-colour").value), {
      ...place.layout,
      xaxis: { ...place.layout.xaxis, title: { text: share(0), standoff: 6 } },
      yaxis: { ...place.layout.yaxis, title: { text: share(1), standoff: 4 } },
    });
  };
  byId("pca-colour").addEventListener("change", () => draw(shown));
  panel("pca", draw);
}
