// Cuts windows, patches or tiles with the pixels around them, out of a scene whose rows are read as
// they are needed. Beyond the borders the scene is mirrored; the border itself is not repeated.

/** A place outside of 0 to size - 1 mirrored into it. */
export function mirrored(place, size) {
  const inside = Math.abs(place);
  return inside >= size ? 2 * (size - 1) - inside : inside;
}

/** Columns of a row, (bands, cols), with a value that is no number in any band. */
export function withoutData(values, cols) {
  const found = new Set();
  if (values instanceof Float32Array || values instanceof Float64Array) {
    for (let at = 0; at < values.length; at++) {
      if (Number.isNaN(values[at])) found.add(at % cols);
    }
  }
  return found;
}

export class Windows {
  /**
   * @param source with rows, cols, bands and `async row(row)`, which returns (bands, cols)
   * @param quantizer what the numbers of the source become
   * @param patch side of a patch in pixels
   * @param side side of a window in pixels
   */
  constructor(source, quantizer, patch, side) {
    Object.assign(this, { source, quantizer, side });
    this.before = Math.floor(patch / 2);
    this.paddedRows = source.rows + patch - 1;
    this.paddedCols = source.cols + patch - 1;
    // Only the rows of one window are kept, each computed once while windows move down.
    this.kept = new Map();
    this.most = Math.min(side, source.rows);
  }

  /**
   * Puts a window into an array.
   *
   * @param top of the window in the padded scene, which is the pixel's own row for a patch
   * @param left likewise; where the scene ends inside, its last pixels are repeated
   * @param into array of stored numbers
   * @param at where the window begins in it
   */
  async cut(top, left, into, at) {
    const { bands } = this.source;
    const there = Math.min(this.side, this.paddedCols - left);
    for (let step = 0; step < this.side; step++) {
      const row = await this.padded(Math.min(top + step, this.paddedRows - 1));
      into.set(row.subarray(left * bands, (left + there) * bands), at);
      at += there * bands;
      const last = row.subarray((this.paddedCols - 1) * bands);
      for (let missing = there; missing < this.side; missing++, at += bands) into.set(last, at);
    }
  }

  /** The row at a place of the padded scene, (padded cols, bands). */
  async padded(place) {
    const row = mirrored(place - this.before, this.source.rows);
    const known = this.kept.get(row);
    if (known !== undefined) return known;
    if (this.kept.size >= this.most) {
      const farthest = [...this.kept.keys()].reduce((a, b) =>
        Math.abs(a - row) > Math.abs(b - row) ? a : b,
      );
      this.kept.delete(farthest);
    }
    const filled = this.filled(await this.source.row(row));
    this.kept.set(row, filled);
    return filled;
  }

  filled(values) {
    const { cols, bands } = this.source;
    const pixels = this.quantizer.array(this.paddedCols * bands);
    for (let band = 0; band < bands; band++) {
      let at = this.before * bands + band;
      for (let col = 0; col < cols; col++, at += bands) {
        pixels[at] = this.quantizer.store(values[band * cols + col], band);
      }
    }
    for (const col of withoutData(values, cols)) {
      const at = (this.before + col) * bands;
      pixels.fill(this.quantizer.stored(0), at, at + bands);
    }
    for (let place = 0; place < this.paddedCols; place++) {
      const inside = this.before + mirrored(place - this.before, cols);
      if (inside !== place) {
        pixels.copyWithin(place * bands, inside * bands, (inside + 1) * bands);
      }
    }
    return pixels;
  }
}
