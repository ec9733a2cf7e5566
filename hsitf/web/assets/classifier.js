// Classifies a scene, patch by patch or tile by tile as the model takes them.

import { Quantizer } from "./quantizer.js";
import { Windows } from "./windows.js";

/** Pixels along the side of what an inference takes. */
export function windowSide(record) {
  return record.tile > 0 ? record.tile + record.patch - 1 : record.patch;
}

/** The class, from 1, of the largest of some outputs; of several the first. */
export function best(outputs, at, classes) {
  let label = 0;
  for (let other = 1; other < classes; other++) {
    if (outputs[at + other] > outputs[at + label]) label = other;
  }
  return label + 1;
}

export class Classifier {
  /**
   * @param source the scene: rows, cols, bands, gain, offset and `async row(row)`
   * @param record the model's record
   * @param model opened by engine.js
   */
  constructor(source, record, model) {
    Object.assign(this, { source, record, model });
    this.side = windowSide(record);
    this.classes = record.output.shape.at(-1);
    const quantizer = new Quantizer(record, source.gain ?? 1, source.offset ?? 0);
    this.windows = new Windows(source, quantizer, record.patch, this.side);
    this.input = quantizer.array(record.input.shape.reduce((a, b) => a * b, 1));
    /** Milliseconds of each inference. */
    this.times = [];
  }

  /**
   * Classifies all pixels.
   *
   * @param map Uint8Array of rows * cols, gets classes from 1
   * @param goesOn called after each inference with the pixels classified so far; false stops
   * @returns whether all were classified
   */
  async classify(map, goesOn) {
    return this.record.tile > 0 ? this.tiles(map, goesOn) : this.patches(map, goesOn);
  }

  /** Outputs of the window whose pixel, or first pixel of a tile, is at a row and column. */
  async outputs(row, col) {
    await this.windows.cut(row, col, this.input, 0);
    return this.infer();
  }

  async patches(map, goesOn) {
    const { cols } = this.source;
    const { batch } = this.record;
    const length = this.input.length / batch;
    for (let first = 0; first < map.length; first += batch) {
      const count = Math.min(batch, map.length - first);
      for (let place = 0; place < batch; place++) {
        // What fills up the last batch is not looked at.
        const pixel = first + Math.min(place, count - 1);
        const [row, col] = [Math.floor(pixel / cols), pixel % cols];
        await this.windows.cut(row, col, this.input, place * length);
      }
      const outputs = await this.infer();
      for (let place = 0; place < count; place++) {
        map[first + place] = best(outputs, place * this.classes, this.classes);
      }
      if (!(await goesOn(first + count))) return false;
    }
    return true;
  }

  async tiles(map, goesOn) {
    const { rows, cols } = this.source;
    const side = this.record.tile;
    let done = 0;
    for (let top = 0; top < rows; top += side) {
      for (let left = 0; left < cols; left += side) {
        // Where the scene ends inside a tile, the tile begins earlier.
        const first = Math.min(top, Math.max(rows - side, 0));
        const edge = Math.min(left, Math.max(cols - side, 0));
        const outputs = await this.outputs(first, edge);
        const [bottom, right] = [Math.min(top + side, rows), Math.min(left + side, cols)];
        for (let row = top; row < bottom; row++) {
          for (let col = left; col < right; col++) {
            const place = (row - first) * side + col - edge;
            map[row * cols + col] = best(outputs, place * this.classes, this.classes);
          }
        }
        done += (bottom - top) * (right - left);
        if (!(await goesOn(done))) return false;
      }
    }
    return true;
  }

  async infer() {
    const start = performance.now();
    const outputs = await this.model.run(this.input);
    this.times.push(performance.now() - start);
    return outputs;
  }
}

/** A percentile of some times, from 0 to 100. */
export function percentile(times, share) {
  const sorted = [...times].sort((a, b) => a - b);
  if (sorted.length === 0) return 0;
  return sorted[Math.min(sorted.length - 1, Math.ceil((share / 100) * sorted.length) - 1)];
}
