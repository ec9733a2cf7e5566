// From a sensor's numbers to what a model stores, in 32-bit floats and in the order in which the
// exporter computes, so that both give the same bits.

const f = Math.fround;

const RANGE = { int8: [-128, 127], uint8: [0, 255] };

/** Rounds to the nearest integer, halves to even. */
export function rint(x) {
  const low = Math.floor(x);
  const rest = x - low;
  if (rest !== 0.5) return rest < 0.5 ? low : low + 1;
  return low % 2 === 0 ? low : low + 1;
}

export class Quantizer {
  /**
   * @param record the model's record, with `normalizer` and `input`
   * @param gain of a count, `value = count * gain + offset`
   * @param offset likewise
   */
  constructor(record, gain = 1, offset = 0) {
    this.gain = f(gain);
    this.offset = f(offset);
    this.offsets = Float32Array.from(record.normalizer.offset);
    this.scales = Float32Array.from(record.normalizer.scale);
    this.floats = record.input.dtype === "float32";
    if (!this.floats) {
      // The page's file has unsigned borders: 128 more than the record says.
      const shift = record.input.dtype === "int8" ? 128 : 0;
      this.scale = f(record.input.scale);
      this.zero = record.input.zero_point + shift;
      [this.least, this.most] = RANGE.uint8;
    }
  }

  /** An array for `length` stored numbers. */
  array(length) {
    return this.floats ? new Float32Array(length) : new Uint8Array(length);
  }

  /** What a count or value of a band becomes. */
  store(count, band) {
    const value = f(f(count * this.gain) + this.offset);
    return this.stored(f(f(value - this.offsets[band]) / this.scales[band]));
  }

  /** What a normalized number becomes; 0 is the mean spectrum in each band. */
  stored(normalized) {
    if (this.floats) return normalized;
    const steps = f(rint(f(normalized / this.scale)) + this.zero);
    return Math.max(this.least, Math.min(this.most, steps));
  }
}
