// What is seen first is drawn first; the rest follows chart by chart, and the page answers between.

const builders = [buildCurve, buildCircuits, buildTraining, buildPictures, buildMagnitudes, buildLosses, buildTraces, buildPoints, buildHessian];

function build() {
  const next = builders.shift();
  if (!next) {
    document.body.dataset.ready = "yes";
    return;
  }
  next();
  setTimeout(build, 0);
}

if (steps.length) {
  startSlider();
  show(last);
}
build();
