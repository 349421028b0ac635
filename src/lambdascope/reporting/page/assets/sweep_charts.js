// Figures of a sweep: a quantity against an axis, means over runs before each run by itself.

function familyTraces(family, colour, dash, isNumeric, number) {
  // Names have room on either side: curves that share one stand beside each other there.
  const beside = isNumeric ? {} : { offsetgroup: String(number) };
  const bounds = (sign) => family.mean.map((mean, i) => (mean === null ? null : mean + sign * (family.spread[i] ?? 0)));
  const outline = { x: family.x, mode: "lines", line: { width: 0, color: colour }, hoverinfo: "skip" };
  const runs = family.runs.map((run) => ({
    ...beside,
    x: run.x, y: run.y, mode: isNumeric && run.x.length > 1 ? "lines+markers" : "markers", opacity: 0.45,
    marker: { size: 6, color: run.doubtful.map((is) => (is ? "white" : colour)), line: { color: colour, width: 1.2 } },
    line: { width: 1, color: colour }, hovertemplate: `${plain(run.name || "run")}: %{y:.4~g}<extra></extra>`,
  }));
  const mean = {
    ...beside,
    x: family.x, y: family.mean, mode: isNumeric ? "lines+markers" : "markers", line: { color: colour, width: 2.5, dash }, marker: { size: 9, color: colour },
    customdata: family.spread.map((spread, i) => {
      if (spread !== null) return ` ± ${written(spread)}`;
      return family.stderr[i] === null ? "" : ` ± ${written(family.stderr[i])} (a single run’s standard error)`;
    }),
    hovertemplate: `mean ${plain(family.name)} %{y:.4~g}%{customdata}<extra></extra>`,
  };
  const lines = family.lines.map((line) => ({
    x: line.x, y: line.y, mode: "lines", line: { color: colour, width: 1.5, dash: "dot" }, hoverinfo: "skip",
  }));
  const exact = { x: family.exact.x, y: family.exact.y, mode: "lines", line: { color: colour, width: 2, dash: "dashdot" }, hovertemplate: "exact %{y:.4~g}<extra></extra>" };
  const single = family.stderr.some((error) => error !== null); // a band through both would mean two things
  const hasBand = isNumeric && family.x.length > 1 && !single; // of one place it would have no width
  const band = hasBand ? [{ ...outline, y: bounds(-1) }, { ...outline, y: bounds(1), fill: "tonexty", fillcolor: `${colour}2e` }] : [];
  if (!hasBand) mean.error_y = { type: "data", array: family.spread.map((spread) => spread ?? 0), color: colour, thickness: 1.5 };
  const thin = single ? [{
    ...beside, x: family.x, y: family.mean, mode: "markers", marker: { size: 1, color: colour }, hoverinfo: "skip",
    error_y: { type: "data", array: family.stderr.map((error) => error ?? 0), color: colour, thickness: 0.8, width: 0 },
  }] : [];
  return [...band, ...thin, ...runs, ...lines, exact, mean];
}

function sweepChart(figure, number) {
  const place = chart(`chart-${number}`, [], layout(360, {
    hovermode: "closest", hoverdistance: 25, scattermode: figure.numeric ? "overlay" : "group", scattergap: 0.75,
    xaxis: { title: { text: plain(figure.xLabel), standoff: 6 }, type: figure.numeric ? (figure.log[0] ? "log" : "linear") : "category" },
    yaxis: {},
  }), "");
  const draw = (which) => {
    const quantity = figure.quantities[which];
    const look = (i) => [colours.series[i % colours.series.length], i < colours.series.length ? "solid" : "dash"];
    Plotly.react(place, quantity.families.flatMap((family, i) => familyTraces(family, ...look(i), figure.numeric, i)), {
      ...place.layout,
      yaxis: { ...place.layout.yaxis, autorange: true, title: { text: plain(quantity.label), standoff: 4 }, type: figure.log[1] ? "log" : "linear" },
    });
    place.setAttribute("aria-label", `${quantity.label} against ${figure.xLabel}`);
    byId(`what-${number}`).textContent = quantity.label;
    byId(`pooled-${number}`).textContent = `Means are over ${quantity.pooled}.`;
    byId(`pooled-${number}`).hidden = !quantity.pooled;
    legend(`legend-${number}`, quantity.families.flatMap((family, i) => {
      const [colour, dash] = look(i);
      const exact = family.exact.x.length ? [[colour, "dash", `${family.name} ${family.exact.label}`.trim()]] : [];
      return [[colour, dash === "dash" ? "dash" : "line", family.name || "mean of the runs"], ...exact, ...family.lines.map((line) => [colour, "dot", line.label])];
    }));
  };
  const choice = byId(`quantity-${number}`);
  if (choice) choice.addEventListener("change", () => draw(Number(choice.value)));
  draw(0);
}

data.figures.forEach(sweepChart);
document.body.dataset.ready = "yes";
