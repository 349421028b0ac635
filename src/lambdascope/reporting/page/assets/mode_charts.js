// The embedding's Fourier modes at one checkpoint: pictures, magnitudes, and what each is worth.

const modes = data.modes;

function buildPictures() {
  if (!modes) return;
  byId("ring").style.background = `linear-gradient(to right, ${modes.ring.join(",")})`;
  const limit = modes.limit;
  const colourOf = (place) => modes.ring[Math.round((place / modes.p) * (modes.ring.length - 1))];
  const boxes = modes.shown.map((k) => {
    const box = element("div");
    const isKey = modes.keys.includes(k);
    const title = element("p", "", isKey ? { class: "key" } : {});
    const name = element("span", `k = ${k}`);
    if (modes.keyColours[k]) name.style.borderBottom = `3px ${ROUNDS[modes.keyRounds[k]].border} ${modes.keyColours[k]}`;
    const size = element("span");
    title.append(name, size);
    const picture = drawn("svg", { viewBox: "-1 -1 2 2", role: "img" });
    picture.append(
      drawn("path", { d: "M-1 0H1M0 -1V1", stroke: "#dcdfe2", "stroke-width": 0.008 }),
    );
    const dots = Array.from({ length: modes.p }, (_, token) => {
      const dot = drawn("circle", { r: 0.045, fill: colourOf((k * token) % modes.p) });
      const tip = drawn("title", {});
      tip.textContent = `token ${token}: place ${(k * token) % modes.p} on the circle`;
      dot.append(tip);
      return dot;
    });
    picture.append(...dots);
    box.append(title, picture);
    return { k, box, size, picture, dots };
  });
  byId("pictures").replaceChildren(...boxes.map((one) => one.box));
  panel("pictures", (index) => {
    boxes.forEach(({ k, size, picture, dots }, number) => {
      const [cosine, sine] = modes.positions[index][number];
      dots.forEach((dot, token) => {
        dot.setAttribute("cx", cosine[token] / limit);
        dot.setAttribute("cy", -sine[token] / limit);
      });
      const magnitude = written(modes.magnitudes[index][k - 1]);
      size.textContent = magnitude;
      picture.setAttribute("aria-label", `Tokens in mode ${k}, magnitude ${magnitude}`);
    });
  });
}

const modeAxis = () => ({ title: { text: "Mode k", standoff: 6 }, range: [0.3, modes.magnitudes[0].length + 0.7] });

function buildMagnitudes() {
  if (!modes) return;
  const x = modes.magnitudes[0].map((_, place) => place + 1);
  const largest = Math.max(...modes.magnitudes.flat());
  const fill = x.map((k) => modes.keyColours[k] || "#b4b9be");
  const shape = x.map((k) => ROUNDS[modes.keyRounds[k] || 0].pattern);
  const place = chart("chart-magnitudes", [{
    type: "bar", x, y: modes.magnitudes[last], marker: {
      color: fill, pattern: { shape, fillmode: "replace", bgcolor: fill, fgcolor: "white", size: 6, solidity: 0.35 },
    },
    hovertemplate: "magnitude %{y:.4~g}<extra></extra>",
  }], layout(270, {
    bargap: 0.2,
    xaxis: { ...modeAxis(), unifiedhovertitle: { text: "mode %{x}" } },
    yaxis: { range: [0, 1.06 * largest], title: { text: "units of weights", standoff: 4 } },
  }), "Magnitude of each Fourier mode of the embedding");
  panel("magnitudes", (index) => Plotly.restyle(place, { y: [modes.magnitudes[index]] }), last);
}

function buildLosses() {
  const losses = data.losses;
  if (!losses) return;
  const x = losses.kept[0].map((_, place) => place + 1);
  const fill = x.map((k) => modes.keyColours[k] || "#8a9096");
  // A few early checkpoints are far above guessing: the axis leaves them out rather than the rest.
  // The highest of the last has room above it, or its mark would be cut.
  const top = 1.06 * Math.max(1.5 * losses.chance, ...losses.kept[last], ...losses.removed[last]);
  const [kept, removed] = [
    { symbol: "circle", size: 9, color: fill },
    { symbol: "diamond-open", size: 9, color: fill, line: { width: 2 } },
  ];
  const place = chart("chart-losses", [
    { x, y: losses.kept[last], mode: "markers", marker: kept, hovertemplate: "only this mode: %{y:.3~g}<extra></extra>" },
    { x, y: losses.removed[last], mode: "markers", marker: removed, hovertemplate: "without it: %{y:.3~g}<extra></extra>" },
  ], layout(270, {
    shapes: [horizontal(losses.whole[last], { color: "#1d1f21", width: 1.5 }), horizontal(losses.chance, { color: colours.grey, width: 1.5, dash: "dot" })],
    xaxis: { ...modeAxis(), unifiedhovertitle: { text: "mode %{x}" } },
    yaxis: { range: [-0.04 * top, top], title: { text: `${losses.what} loss (nats)`, standoff: 4 } },
  }), `The ${losses.what} loss with one mode kept or removed`);
  panel("losses", (index) => {
    const whole = losses.whole[index];
    Plotly.update(place, { y: [losses.kept[index], losses.removed[index]] }, { "shapes[0].y0": whole, "shapes[0].y1": whole });
    legend("legend-losses", [
      [colours.grey, "disc", "only mode k kept"], [colours.grey, "diamond", "mode k removed"],
      ["#1d1f21", "line", `whole network, ${written(losses.whole[index])}`],
      [colours.grey, "dot", `guessing, ${written(losses.chance)}`],
    ]);
  });
}

const horizontal = (y, line) => ({
  type: "line", xref: "paper", yref: "y", x0: 0, x1: 1, y0: y, y1: y, layer: "below", line,
});
