// A cube of the user's own, ENVI or .npy, read by rows from the dropped files.

import { PageError } from "./cube.js";

const ENVI_TYPES = {
  1: [Uint8Array, 1],
  2: [Int16Array, 2],
  3: [Int32Array, 4],
  4: [Float32Array, 4],
  5: [Float64Array, 8],
  12: [Uint16Array, 2],
  13: [Uint32Array, 4],
};
const NPY_TYPES = {
  "|u1": ENVI_TYPES[1],
  "<i2": ENVI_TYPES[2],
  "<i4": ENVI_TYPES[3],
  "<f4": ENVI_TYPES[4],
  "<f8": ENVI_TYPES[5],
  "<u2": ENVI_TYPES[12],
  "<u4": ENVI_TYPES[13],
};
const MOST_HEADER = 1 << 20;
// Classes of the map, and the canvas that shows it, have one entry per pixel.
const MOST_PIXELS = 1 << 24;

/** Opens what was dropped for a model: a .hdr with its data file, or one .npy. */
export async function openDropped(files, record) {
  const list = [...files];
  const npy = list.find((file) => file.name.endsWith(".npy"));
  if (npy) return openNpy(npy);
  const header = list.find((file) => file.name.toLowerCase().endsWith(".hdr"));
  const data = list.find((file) => file !== header);
  if (!header || !data) {
    throw new PageError(
      "this is no cube",
      list.map((file) => file.name).join(", ") || "nothing",
      "drop a .npy file, or an ENVI .hdr together with its data file",
    );
  }
  return openEnvi(header, data, record);
}

/** Checks that a cube has the bands that the model was trained on. */
export function checkBands(cube, record) {
  if (cube.bands !== record.bands) {
    throw new PageError(
      `${cube.name} has other bands than the model`,
      `${cube.bands} bands, the model takes ${record.bands}`,
      "choose a cube of the same sensor, with the same bands left out",
    );
  }
  const known = record.wavelengths ?? [];
  if (cube.wavelengths?.some((one) => !Number.isFinite(one))) {
    throw new PageError(
      `the band centers of ${cube.name} cannot be read`,
      "a center that is no number",
      "correct its header",
    );
  }
  if (known.length === cube.bands && cube.wavelengths?.length === cube.bands) {
    const step = Math.min(...known.slice(1).map((one, at) => Math.abs(one - known[at])));
    const away = Math.max(...known.map((one, at) => Math.abs(one - cube.wavelengths[at])));
    if (away > step / 2) {
      throw new PageError(
        `${cube.name} has other bands than the model`,
        `centers up to ${away.toFixed(1)} nm away`,
        "resample it to the model's bands first: hsitf classify does",
      );
    }
  }
  if (Math.min(cube.rows, cube.cols) < record.patch) {
    throw new PageError(
      `${cube.name} is smaller than a patch`,
      `${cube.rows} x ${cube.cols} pixels`,
      `choose one of ${record.patch} x ${record.patch} or more`,
    );
  }
}

class DroppedCube {
  constructor(facts) {
    Object.assign(this, facts);
    const pixels = this.rows * this.cols;
    const sane = [this.rows, this.cols, this.bands].every((n) => Number.isInteger(n) && n > 0);
    if (!sane || pixels > MOST_PIXELS) {
      throw new PageError(
        `${this.name} cannot be shown whole`,
        `${this.rows} x ${this.cols} x ${this.bands}`,
        `choose a part of it, of ${MOST_PIXELS} pixels at most`,
      );
    }
    const [, size] = this.type;
    const wanted = this.start + pixels * this.bands * size;
    if (this.file.size < wanted) {
      throw new PageError(
        `${this.name} is shorter than its header says`,
        `${this.file.size} of ${wanted} bytes`,
        "copy it again",
      );
    }
  }

  async values(first, count) {
    const [Kind, size] = this.type;
    const at = this.start + first * size;
    const found = new Kind(await this.file.slice(at, at + count * size).arrayBuffer());
    if (this.ignored === undefined) return found;
    return Float64Array.from(found, (value) => (value === this.ignored ? NaN : value));
  }

  /** Values of a row, (bands, cols). */
  async row(row) {
    const { rows, cols, bands } = this;
    if (this.interleave === "bil") return this.values(row * bands * cols, bands * cols);
    const found = new Float64Array(bands * cols);
    if (this.interleave === "bip") {
      const pixels = await this.values(row * cols * bands, cols * bands);
      for (let col = 0; col < cols; col++) {
        for (let band = 0; band < bands; band++) {
          found[band * cols + col] = pixels[col * bands + band];
        }
      }
      return found;
    }
    for (let band = 0; band < bands; band++) {
      found.set(await this.values((band * rows + row) * cols, cols), band * cols);
    }
    return found;
  }

  async spectrum(row, col) {
    const values = await this.row(row);
    return Float32Array.from({ length: this.bands }, (_, band) => values[band * this.cols + col]);
  }
}

async function openEnvi(header, data, record) {
  if (header.size > MOST_HEADER) {
    throw new PageError(`${header.name} is no ENVI header`, `${header.size} bytes`, "choose another");
  }
  const fields = enviFields(await header.text(), header.name);
  const number = (key, otherwise) => Number(fields.get(key) ?? otherwise);
  const type = ENVI_TYPES[number("data type", NaN)];
  const interleave = (fields.get("interleave") ?? "bsq").toLowerCase();
  if (!type || !["bsq", "bil", "bip"].includes(interleave) || number("byte order", 0) !== 0) {
    throw new PageError(
      `${header.name} is of a kind that the page does not read`,
      `data type ${fields.get("data type")}, ${interleave}, byte order ${fields.get("byte order") ?? 0}`,
      "convert it to little-endian real numbers, bsq, bil or bip",
    );
  }
  const factor = number("reflectance scale factor", 1);
  const wanted = record.scale?.[0];
  if (wanted !== undefined && factor !== 1 && Math.abs(wanted * factor - 1) > 1e-6) {
    throw new PageError(
      `${header.name} is in other units than the model`,
      `a reflectance scale factor of ${factor}`,
      `convert it to numbers of which ${1 / wanted} are 1`,
    );
  }
  const text = (fields.get("wavelength") ?? "").replace(/[{}]/g, "").replace(/,\s*$/, "");
  const list = text.split(",").map((one) => (one.trim() === "" ? NaN : Number(one)));
  const units = (fields.get("wavelength units") ?? "").trim();
  // Without a unit, centers below 100 are micrometers: no sensor sees 100 nm.
  const micrometers = units ? /^(micro|um|µm)/i.test(units) : Math.max(...list) < 100;
  const ignored = fields.has("data ignore value") ? number("data ignore value", NaN) : undefined;
  return new DroppedCube({
    name: data.name,
    file: data,
    rows: number("lines", NaN),
    cols: number("samples", NaN),
    bands: number("bands", NaN),
    start: number("header offset", 0),
    type,
    interleave,
    ignored,
    wavelengths: list.length > 1 ? list.map((one) => (micrometers ? 1000 * one : one)) : undefined,
  });
}

function enviFields(text, name) {
  if (!text.startsWith("ENVI")) {
    throw new PageError(`${name} is no ENVI header`, text.slice(0, 20), "choose another");
  }
  const fields = new Map();
  for (const [, key, value] of text.matchAll(/^([^=\n]+?)\s*=\s*(\{[^}]*\}|[^\n]*)/gm)) {
    fields.set(key.trim().toLowerCase(), value.trim());
  }
  return fields;
}

async function openNpy(file) {
  const head = new DataView(await file.slice(0, 12).arrayBuffer());
  const magic = file.size >= 12 && head.getUint32(0) === 0x934e554d && head.getUint16(4) === 0x5059;
  const long = magic && head.getUint8(6) > 1;
  const length = magic ? (long ? head.getUint32(8, true) : head.getUint16(8, true)) : 0;
  if (!magic || length > MOST_HEADER) {
    throw new PageError(`${file.name} is no .npy file`, `${file.size} bytes`, "choose another");
  }
  const start = (long ? 12 : 10) + length;
  const text = await file.slice(start - length, start).text();
  const type = NPY_TYPES[/'descr':\s*'([^']+)'/.exec(text)?.[1]];
  const shape = /'shape':\s*\(([^)]*)\)/.exec(text)?.[1].split(",").filter((one) => one.trim());
  if (!type || shape?.length !== 3 || /'fortran_order':\s*True/.test(text)) {
    throw new PageError(
      `${file.name} is of a kind that the page does not read`,
      text.trim().slice(0, 100),
      "save it as a C-ordered array (rows, cols, bands) of real numbers",
    );
  }
  const [rows, cols, bands] = shape.map(Number);
  return new DroppedCube({ name: file.name, file, rows, cols, bands, start, type, interleave: "bip" });
}
