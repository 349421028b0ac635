// The leading eigenvalues at one checkpoint, before those of the others.

// What it has to do with the λ̂ of this page.
function besides(one) {
  const posterior = data.posterior;
  const same = (name) => Math.abs(one[name] - posterior[name]) <= 1e-3 * Math.abs(posterior[name]);
  if (posterior && !(same("localization") && same("nbeta"))) {
    return `not to be compared with λ̂, which is at γ = ${written(posterior.localization)} and nβ = ${written(posterior.nbeta)} here. hessian --overwrite takes these.`;
  }
  return "what λ̂ would be if the loss were its quadratic part. It differs where chains feel more than that, and by λ̂'s own bias.";
}

function buildHessian() {
  const indices = Object.keys(data.hessian).map(Number);
  if (!indices.length) return;
  const ranks = (index) => data.hessian[index].largest.map((_, place) => place + 1);
  const positive = (index) => data.hessian[index].largest.map((value) => (value > 0 ? value : null));
  const curve = (index, isShown) => ({
    x: ranks(index), y: positive(index), mode: isShown ? "lines+markers" : "lines",
    line: { color: isShown ? colours.llc : "#c4c8cc", width: isShown ? 2 : 1.2 }, marker: { size: 4 },
    hovertemplate: isShown ? "eigenvalue %{y:.3~g}<extra></extra>" : undefined, hoverinfo: isShown ? undefined : "skip",
  });
  const place = chart("chart-hessian", [], layout(300, {
    shapes: [horizontal(data.hessian[indices[0]].ratio, { color: "#1d1f21", width: 1.5, dash: "dot" })],
    xaxis: { title: { text: "Rank", standoff: 6 }, unifiedhovertitle: { text: "rank %{x}" } },
    yaxis: { ...logTicks([...indices.flatMap(positive), data.hessian[indices[0]].ratio]), title: { text: "loss / parameter²", standoff: 4 } },
  }), "Leading eigenvalues of the Hessian by rank");
  panel("hessian", (index) => {
    const one = data.hessian[index];
    place.hidden = !one;
    byId("hessian-words").hidden = !one;
    byId("hessian-elsewhere").hidden = Boolean(one);
    if (!one) {
      elsewhere(byId("hessian-elsewhere"), indices, "Spectra", `${data.suggestions.hessian} --checkpoints ${index}`);
      return;
    }
    const others = indices.filter((other) => other !== index).map((other) => curve(other, false));
    Plotly.Plots.resize(place);
    Plotly.react(place, [...others, curve(index, true)], place.layout);
    byId("hessian-words").textContent =
      `Effective dimension ½ Σ h/(h + γ/nβ) over all eigenvalues h = ${written(one.dimension)} at γ = ${written(one.localization)} and nβ = ${written(one.nbeta)}, of ${counted(one.numParameters)} parameters half at most: ${besides(one)}`;
  });
}
