// The page: opens the files beside it, shows the scene, and classifies it.

import { best, Classifier, percentile, windowSide } from "./classifier.js";
import { Cube, PageError } from "./cube.js";
import { checkBands, openDropped } from "./dropped.js";
import { hasWebGpu, load, Model } from "./engine.js";
import { replay, verdict } from "./golden.js";
import { palette, saveEnvi, savePicture } from "./map_files.js";
import { line } from "./plot.js";

const at = (id) => document.getElementById(id);
const TEST = 3;
const UNLABELLED = 0;
const opened = performance.now();
const asked = new URLSearchParams(location.search);
const state = { running: false, goOn: true, pixel: undefined, own: undefined };
/** What tests and scripts read: filled as the page goes on. */
export const results = { ready: false };
globalThis.hsitf = results;

async function fetched(name, manifest) {
  const response = await fetch(name);
  if (!response.ok) throw new PageError(`${name} is missing`, response.status, "export it again");
  const buffer = await response.arrayBuffer();
  const wanted = manifest?.sha256[name];
  // Browsers compute digests on pages of this device or of https alone.
  if (wanted && crypto.subtle) {
    const digest = await crypto.subtle.digest("SHA-256", buffer);
    const found = [...new Uint8Array(digest)].map((b) => b.toString(16).padStart(2, "0")).join("");
    if (found !== wanted) {
      throw new PageError(`${name} is damaged`, `SHA-256 ${found.slice(0, 12)}…`, "export it again");
    }
  }
  return buffer;
}

const text = (buffer) => JSON.parse(new TextDecoder().decode(buffer));

function fail(error) {
  const message = error instanceof PageError ? error.message : `${error.name}: ${error.message}`;
  at("error").hidden = false;
  at("error").textContent = message;
  say("");
  results.error = message;
  if (!(error instanceof PageError)) console.error(error);
}

const say = (message) => {
  at("status").textContent = message;
};

function paint(canvas, map, rows, cols, colors) {
  [canvas.height, canvas.width] = [rows, cols];
  const picture = new ImageData(cols, rows);
  for (let pixel = 0; pixel < map.length; pixel++) {
    const [red, green, blue] = colors[map[pixel]] ?? [0, 0, 0];
    picture.data.set([red, green, blue, map[pixel] === UNLABELLED ? 0 : 255], 4 * pixel);
  }
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

async function preview(buffer) {
  const picture = await createImageBitmap(new Blob([buffer], { type: "image/png" }));
  const canvas = at("scene");
  [canvas.height, canvas.width] = [picture.height, picture.width];
  canvas.getContext("2d").drawImage(picture, 0, 0);
}

/** A grey picture of a dropped cube: its middle band. */
async function grey(cube) {
  const canvas = at("scene");
  [canvas.height, canvas.width] = [cube.rows, cube.cols];
  const band = Math.floor(cube.bands / 2);
  const values = new Float64Array(cube.rows * cube.cols);
  for (let row = 0; row < cube.rows; row++) {
    const line = await cube.row(row);
    values.set(line.subarray(band * cube.cols, (band + 1) * cube.cols), row * cube.cols);
  }
  const sorted = values.filter((value) => !Number.isNaN(value)).sort();
  const [low, high] = [sorted[Math.floor(sorted.length * 0.02)], sorted[Math.floor(sorted.length * 0.98)]];
  const picture = new ImageData(cube.cols, cube.rows);
  values.forEach((value, pixel) => {
    const shade = (255 * (value - low)) / (high - low || 1);
    picture.data.set([shade, shade, shade, 255], 4 * pixel);
  });
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

function legend(classes) {
  at("legend").replaceChildren(
    ...classes.map((one) => {
      const [item, swatch] = [document.createElement("li"), document.createElement("i")];
      swatch.className = "swatch";
      swatch.style.background = one.color;
      item.append(swatch, one.name);
      return item;
    }),
  );
}

async function openForm(form) {
  const { manifest } = state;
  const record = text(await fetched(form.record, manifest));
  const input = record.input.shape;
  if (input[1] !== windowSide(record) || input[3] !== state.cube.bands) {
    throw new PageError("the model does not fit the scene", `an input of ${input}`, "export it again");
  }
  const bytes = new Uint8Array(await fetched(form.model, manifest));
  return { form, record, bytes };
}

async function useForm() {
  const chosen = state.forms[at("form").selectedIndex];
  const accelerator = at("engine").value;
  state.model?.close();
  state.model = undefined;
  say("Compiling the model.");
  state.model = await Model.open(chosen.bytes, chosen.record.input.shape, accelerator);
  state.record = chosen.record;
  state.expected = new Uint8Array(await fetched(chosen.form.map, state.manifest));
  if (!state.own) title(state.manifest, state.record);
  at("golden").textContent = "…";
  const [inputs, outputs] = await Promise.all(
    [chosen.form.inputs, chosen.form.outputs].map((name) => fetched(name, state.manifest)),
  );
  const found = await replay(state.model, chosen.record, inputs, outputs);
  results.golden = found;
  const [short] = verdict(found).split(":");
  at("golden").textContent = found.differing && !short.startsWith("equal") ? "not equal" : short;
  const detail = document.createElement("small");
  detail.textContent = verdict(found);
  at("golden").append(detail);
  say(accelerator === "webgpu" && found.differing ? "This GPU computes other bits than WebAssembly." : "");
}

function source() {
  return state.own ?? state.cube;
}

async function classify() {
  if (state.running) return;
  [state.running, state.goOn] = [true, true];
  at("error").hidden = true;
  buttons();
  try {
    const scene = source();
    const { rows, cols } = scene;
    state.map = new Uint8Array(rows * cols);
    const classifier = new Classifier(scene, state.record, state.model);
    const start = performance.now();
    let shown = start;
    at("progress").hidden = false;
    const whole = await classifier.classify(state.map, async (done) => {
      const now = performance.now();
      if (now - shown > 100 || done === rows * cols) {
        shown = now;
        paint(at("map"), state.map, rows, cols, state.colors);
        at("progress").value = done / (rows * cols);
        const left = ((now - start) / done) * (rows * cols - done);
        say(`${Math.round((100 * done) / (rows * cols))} % classified, ${(left / 1000).toFixed(0)} s left.`);
        at("speed").textContent = Math.round((1000 * done) / (now - start)).toLocaleString("en");
        await new Promise((resume) => setTimeout(resume));
      }
      return state.goOn;
    });
    paint(at("map"), state.map, rows, cols, state.colors);
    finish(classifier.times, whole, performance.now() - start);
  } catch (error) {
    fail(error);
  }
  state.running = false;
  at("progress").hidden = true;
  buttons();
}

function finish(times, whole, milliseconds) {
  const shown = [50, 90, 99].map((share) => percentile(times, share).toFixed(2));
  at("times").textContent = `${shown[0]} ms`;
  const detail = document.createElement("small");
  detail.textContent = `median; p90 ${shown[1]}, p99 ${shown[2]} ms, ${times.length} inferences`;
  at("times").append(detail);
  results.map = { whole, milliseconds, inferences: times.length, p50: percentile(times, 50) };
  if (!whole) {
    say("Stopped.");
    return;
  }
  say(`Classified in ${(milliseconds / 1000).toFixed(1)} s.`);
  if (!state.own) score();
}

function score() {
  const { truth, sets, map } = state;
  let [right, all, equal] = [0, 0, 0];
  for (let pixel = 0; pixel < map.length; pixel++) {
    equal += map[pixel] === state.expected[pixel];
    if (sets[pixel] === TEST && truth[pixel] !== UNLABELLED) {
      all += 1;
      right += truth[pixel] === map[pixel];
    }
  }
  results.map.oa = right / all;
  results.map.differing = map.length - equal;
  at("oa").textContent = `${((100 * right) / all).toFixed(2)} %`;
  const detail = document.createElement("small");
  const where = state.manifest.exact ? "hsitf's map" : "hsitf's map of the rounded cube";
  const same = results.map.differing
    ? `${results.map.differing} pixels other than in ${where}`
    : `equal to ${where}`;
  detail.textContent = `${all.toLocaleString("en")} test pixels; ${same}`;
  at("oa").append(detail);
}

async function choose(row, col) {
  const scene = source();
  if (state.running || !state.model) return;
  state.pixel = [row, col];
  const place = row * scene.cols + col;
  const labelled = state.own ? "" : className(state.truth[place], ", labelled ");
  at("pixel").textContent = `Row ${row}, column ${col}${labelled}${className(state.map?.[place], ", on the map ")}.`;
  const values = await scene.spectrum(row, col);
  const known = state.record.wavelengths ?? [];
  const places = known.length === values.length ? known : [...values.keys()];
  at("spectrum").removeAttribute("hidden");
  line(at("spectrum"), places, [...values], known.length === values.length ? "wavelength, nm" : "band");
  const classifier = new Classifier(scene, state.record, state.model);
  const { record } = state;
  const side = record.tile;
  const [top, left] = side
    ? [Math.min(row, Math.max(scene.rows - side, 0)), Math.min(col, Math.max(scene.cols - side, 0))]
    : [row, col];
  const outputs = await classifier.outputs(top, left);
  const first = side ? ((row - top) * side + col - left) * classifier.classes : 0;
  logits(outputs, first, classifier.classes);
  results.pixel = { label: best(outputs, first, classifier.classes), mapped: state.map?.[place] };
}

const className = (label, before) =>
  label ? `${before}${state.manifest.classes[label - 1].name}` : "";

function logits(outputs, first, classes) {
  const { output } = state.record;
  const shift = output.dtype === "int8" ? 128 : 0;
  const real = (value) =>
    output.scale ? output.scale * (value - shift - output.zero_point) : value;
  const chosen = best(outputs, first, classes) - 1;
  const rows = state.manifest.classes.map((one, label) => ({
    name: one.name,
    value: real(outputs[first + label]),
    best: label === chosen,
  }));
  rows.sort((a, b) => b.value - a.value);
  const table = document.createElement("table");
  table.innerHTML = "<thead><tr><th>class</th><th>logit</th></tr></thead>";
  const body = table.createTBody();
  for (const one of rows.slice(0, 6)) {
    const row = body.insertRow();
    row.className = one.best ? "best" : "";
    row.insertCell().textContent = one.name;
    row.insertCell().textContent = one.value.toFixed(2);
  }
  at("logits").replaceChildren(table);
}

function buttons() {
  const ready = Boolean(state.model) && !state.running;
  at("classify").disabled = !ready;
  at("stop").disabled = !state.running;
  at("form").disabled = at("engine").disabled = !ready;
  at("png").disabled = at("envi").disabled = !ready || !state.map;
}

async function takeOwn(files) {
  if (state.running || !state.model || files.length === 0) return;
  at("error").hidden = true;
  try {
    const cube = await openDropped(files, state.record);
    checkBands(cube, state.record);
    await grey(cube);
    state.own = cube;
    state.map = undefined;
    at("back").hidden = false;
    at("truth").parentElement.hidden = true;
    at("oa").textContent = "–";
    at("about").textContent = `${cube.name}: ${cube.rows} x ${cube.cols} pixels, ${cube.bands} bands; no ground truth.`;
    await classify();
  } catch (error) {
    fail(error);
  }
}

function listen() {
  at("classify").onclick = classify;
  at("stop").onclick = () => {
    state.goOn = false;
  };
  const again = () => useForm().then(buttons, fail);
  at("form").onchange = again;
  at("engine").onchange = again;
  const stem = () => `${state.own?.name ?? state.manifest.scene}-${state.record.model}-map`;
  at("png").onclick = () => savePicture(at("map"), stem());
  at("envi").onclick = () =>
    saveEnvi(state.map, source().rows, source().cols, state.manifest.classes, stem());
  for (const id of ["scene", "truth", "map"]) {
    at(id).onclick = (event) => {
      const box = at(id).getBoundingClientRect();
      const [rows, cols] = [source().rows, source().cols];
      const row = Math.floor(((event.clientY - box.top) / box.height) * rows);
      const col = Math.floor(((event.clientX - box.left) / box.width) * cols);
      choose(Math.min(rows - 1, Math.max(0, row)), Math.min(cols - 1, Math.max(0, col))).catch(fail);
    };
  }
  at("scene").onkeydown = (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    const { rows, cols } = source();
    const [row, col] = state.pixel ?? [Math.floor(rows / 2), Math.floor(cols / 2)];
    const inside = (place, size) => Math.min(size - 1, Math.max(0, place));
    choose(inside(row + step[0], rows), inside(col + step[1], cols)).catch(fail);
  };
  at("own").onchange = () => takeOwn(at("own").files);
  const drop = at("drop");
  drop.ondragover = (event) => {
    event.preventDefault();
    drop.classList.add("over");
  };
  drop.ondragleave = () => drop.classList.remove("over");
  drop.ondrop = (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    takeOwn(event.dataTransfer.files);
  };
}

function rounding(manifest, record) {
  const form = manifest.forms.find((one) => (one.kind === "tiles") === record.tile > 0);
  return form?.rounded ? `, which changes ${form.rounded} pixels of the map` : "";
}

function title(manifest, record) {
  at("title").textContent = `${manifest.scene}, classified in this browser`;
  at("synthetic").hidden = !manifest.synthetic;
  const share = (100 * record.oa).toFixed(2);
  at("about").textContent =
    `${manifest.rows} x ${manifest.cols} pixels, ${manifest.bands} bands; ${record.model}, ` +
    `${record.variant}, ${record.bytes.toLocaleString("en")} bytes, OA ${share} % on ` +
    `${record.test_pixels.toLocaleString("en")} test pixels where it was exported.` +
    (manifest.exact ? "" : ` The cube is rounded to 16 bits here${rounding(manifest, record)}.`);
}

async function start() {
  const manifest = text(await fetched("device.json"));
  state.manifest = manifest;
  const [cube, truth, sets, picture] = await Promise.all(
    [manifest.cube, manifest.truth, manifest.sets, manifest.preview].map((name) =>
      fetched(name, manifest),
    ),
    load(),
  );
  state.cube = new Cube(cube, manifest.cube);
  [state.truth, state.sets] = [new Uint8Array(truth), new Uint8Array(sets)];
  state.colors = palette(manifest.classes);
  await preview(picture);
  paint(at("truth"), state.truth, manifest.rows, manifest.cols, state.colors);
  paint(at("map"), new Uint8Array(manifest.rows * manifest.cols), manifest.rows, manifest.cols, state.colors);
  legend(manifest.classes);
  await load();
  state.forms = await Promise.all(manifest.forms.map(openForm));
  // Tiles are the fast form, so they are offered first.
  state.forms.sort((a, b) => b.record.tile - a.record.tile);
  for (const { record } of state.forms) {
    at("form").add(new Option(record.tile ? `tiles of ${record.tile}` : "patches"));
  }
  results.webgpu = await hasWebGpu();
  if (results.webgpu && state.forms[0].record.input.dtype === "float32") {
    at("engine").add(new Option("WebGPU", "webgpu"));
    // A link may ask for it.
    if (asked.get("engine") === "webgpu") at("engine").value = "webgpu";
  }
  await useForm().catch(async (error) => {
    if (at("engine").value !== "webgpu") throw error;
    // A driver may refuse what its WebGPU promises.
    at("engine").value = "wasm";
    await useForm();
    say("WebGPU does not run this model here; WebAssembly does.");
  });
  results.engine = at("engine").value;
  results.loaded = performance.now() - opened;
  listen();
  buttons();
  results.ready = true;
}

/** Classifies without a click, and sends the results to the server of the page, for tests. */
async function unattended(post) {
  try {
    if (results.ready) {
      await classify();
      await choose(Math.floor(state.cube.rows / 2), Math.floor(state.cube.cols / 2));
    }
  } finally {
    await fetch(post, { method: "POST", body: JSON.stringify(results) });
  }
}

await start().catch(fail);
const post = asked.get("post");
// To the server of the page alone, whatever a link says.
if (post && new URL(post, location.href).origin === location.origin) await unattended(post);
