// One checkpoint for the whole page: slider, buttons, arrow keys, clicks on curves and on rows.

const steps = data.steps;
const last = steps.length - 1;
const panels = [];
let shown = -1;
let playing = null;

// A panel draws a checkpoint, by its index; its figure says which one it shows. A chart that was made
// with a checkpoint in it need not be drawn again at once.
function panel(name, draw, drawn = -1) {
  const figure = document.querySelector(`[data-panel="${name}"]`);
  const drawAndSay = (index) => { draw(index); figure.dataset.checkpoint = index; };
  panels.push(drawAndSay);
  if (drawn === shown) figure.dataset.checkpoint = shown;
  else drawAndSay(shown);
}

function show(index) {
  const wanted = Math.min(last, Math.max(0, index));
  if (wanted === shown) return;
  shown = wanted;
  for (const draw of panels) draw(wanted);
  const slider = byId("slider");
  slider.value = wanted;
  slider.setAttribute("aria-valuetext", `checkpoint ${wanted}, step ${counted(steps[wanted])}`);
  for (const place of document.querySelectorAll("h2 .at")) {
    place.textContent = `at checkpoint ${wanted}, step ${counted(steps[wanted])}`;
  }
  for (const row of document.querySelectorAll("tr[data-checkpoint]")) {
    if (Number(row.dataset.checkpoint) === wanted) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  }
  readings(wanted);
}

function showStep(step) {
  let nearest = 0;
  steps.forEach((one, index) => {
    if (Math.abs(one - step) < Math.abs(steps[nearest] - step)) nearest = index;
  });
  show(nearest);
}

function readings(index) {
  const parts = [["checkpoint", `${index} of ${last}`], ["step", counted(steps[index])]];
  const place = data.curve ? data.curve.checkpoint.indexOf(index) : -1;
  if (place >= 0) {
    const doubt = data.curve.status[place] === "converged" ? "" : `, ${data.curve.status[place]}`;
    parts.push(["λ̂", withError(data.curve.llc[place], data.curve.half[place]) + doubt]);
  }
  if (data.training) {
    parts.push(["train loss", written(data.training.train_loss[index])]);
    if (data.training.test_loss[index] !== null) {
      parts.push(["test loss", written(data.training.test_loss[index])]);
      parts.push(["test accuracy", percent(data.training.test_accuracy[index])]);
    }
  }
  byId("readings").replaceChildren(...parts.map(([name, value]) => {
    const pair = element("div");
    pair.append(element("dt", name), element("dd", value));
    return pair;
  }));
  // Only where it stops: a film would flood a screen reader.
  if (!playing) byId("said").textContent = parts.map((pair) => pair.join(" ")).join(", ");
}

function play() {
  if (playing) return stop();
  if (shown === last) show(0);
  playing = setInterval(() => (shown < last ? show(shown + 1) : stop()), 450);
  byId("play").textContent = "Pause";
  byId("play").setAttribute("aria-pressed", "true");
}

function stop() {
  clearInterval(playing);
  playing = null;
  byId("play").textContent = "Play";
  byId("play").setAttribute("aria-pressed", "false");
}

function startSlider() {
  const byHand = (move) => () => { stop(); move(); };
  byId("slider").addEventListener("input", byHand(() => show(Number(byId("slider").value))));
  byId("previous").addEventListener("click", byHand(() => show(shown - 1)));
  byId("next").addEventListener("click", byHand(() => show(shown + 1)));
  byId("play").addEventListener("click", play);
  document.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    // The slider, lists of choices and scrolled tables have uses of their own for these keys.
    const own = event.target.closest("input, select, .scroll");
    if (!move || own || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    stop();
    show(shown + move);
  });
  for (const button of document.querySelectorAll(".jump")) {
    const row = button.closest("tr");
    row.addEventListener("click", byHand(() => show(Number(row.dataset.checkpoint))));
  }
}
