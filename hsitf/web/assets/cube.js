// The scene's cube: a header of 64 bytes, then unsigned 16-bit counts, band-interleaved by line,
// little-endian; see docs/android.md.

const MAGIC = "HSICUBE1";
const HEADER = 64;

export class PageError extends Error {
  /** One message: what, received, what to do. */
  constructor(what, received, remedy) {
    super(`${what}; received: ${received}; ${remedy}.`);
  }
}

export class Cube {
  constructor(buffer, name) {
    const view = new DataView(buffer);
    const damaged = (received) => new PageError(`${name} is damaged`, received, "export it again");
    if (buffer.byteLength < HEADER) throw damaged(`${buffer.byteLength} bytes`);
    for (let at = 0; at < MAGIC.length; at++) {
      if (view.getUint8(at) !== MAGIC.charCodeAt(at)) throw damaged("no cube's header");
    }
    [this.rows, this.cols, this.bands] = [12, 16, 20].map((at) => view.getInt32(at, true));
    this.gain = view.getFloat32(24, true);
    this.offset = view.getFloat32(28, true);
    const values = this.rows * this.cols * this.bands;
    const sane = this.rows > 0 && this.cols > 0 && this.bands > 0;
    if (!sane || buffer.byteLength !== HEADER + 2 * values) {
      throw damaged(
        `${buffer.byteLength} bytes for ${this.rows} x ${this.cols} x ${this.bands}`,
      );
    }
    this.counts = new Uint16Array(buffer, HEADER, values);
  }

  /** Counts of a row, (bands, cols). */
  async row(row) {
    const length = this.cols * this.bands;
    return this.counts.subarray(row * length, (row + 1) * length);
  }

  /** Values of a pixel in the units of the scene. */
  async spectrum(row, col) {
    const counts = await this.row(row);
    const at = (band) => counts[band * this.cols + col] * this.gain + this.offset;
    return Float32Array.from({ length: this.bands }, (_, band) => at(band));
  }
}
