// The map as files: a picture, and an ENVI classification with class names and colors.

function save(name, blob) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Colors 0xrrggbb as [r, g, b], with black for class 0 first. */
export function palette(classes) {
  const rgb = (color) => [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
  return [[0, 0, 0], ...classes.map((one) => rgb(one.color))];
}

export function savePicture(canvas, stem) {
  canvas.toBlob((blob) => save(`${stem}.png`, blob), "image/png");
}

/** Text of the ENVI header of a map. */
export function enviHeader(rows, cols, classes, description) {
  const names = ["unclassified", ...classes.map((one) => one.name)];
  const clean = (name) => name.replace(/[{},\n]/g, " ");
  return [
    "ENVI",
    `description = {${clean(description)}}`,
    `samples = ${cols}`,
    `lines = ${rows}`,
    "bands = 1",
    "header offset = 0",
    "file type = ENVI Classification",
    "data type = 1",
    "interleave = bsq",
    "byte order = 0",
    `classes = ${names.length}`,
    `class names = {${names.map(clean).join(", ")}}`,
    `class lookup = {${palette(classes).flat().join(", ")}}`,
    "",
  ].join("\n");
}

export function saveEnvi(map, rows, cols, classes, stem) {
  const header = enviHeader(rows, cols, classes, `${stem}, made in a browser`);
  save(`${stem}.hdr`, new Blob([header], { type: "text/plain" }));
  save(`${stem}.img`, new Blob([map], { type: "application/octet-stream" }));
}
