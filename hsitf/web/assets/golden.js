// Replays the golden vectors: inputs whose outputs every runtime has to reproduce.

/** Stored numbers of a record's tensor as the page's file has them: unsigned where they are int8. */
export function stored(buffer, tensor) {
  if (tensor.dtype === "float32") return new Float32Array(buffer);
  const signed = new Int8Array(buffer);
  return Uint8Array.from(signed, (value) => value + 128);
}

/**
 * @param model opened by engine.js
 * @param record its record
 * @param inputs ArrayBuffer of the golden inputs, as the record stores them
 * @param outputs likewise
 * @returns runs, outputs, differing, the largest difference, and the largest that the exporter
 *   measured with other kernels
 */
export async function replay(model, record, inputs, outputs) {
  const [given, expected] = [stored(inputs, record.input), stored(outputs, record.output)];
  const size = record.input.shape.reduce((a, b) => a * b, 1);
  const found = { runs: given.length / size, outputs: expected.length, differing: 0, largest: 0 };
  found.tolerance = record.golden?.largest ?? 0;
  found.floats = record.input.dtype === "float32";
  found.most = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  let at = 0;
  for (let run = 0; run < found.runs; run++) {
    const outcome = await model.run(given.slice(run * size, (run + 1) * size));
    for (const value of outcome) {
      const difference = Math.abs(value - expected[at++]);
      if (difference !== 0) found.differing += 1;
      // A number that is none differs, too, and by more than any.
      if (!(difference <= found.largest)) found.largest = difference;
    }
  }
  return found;
}

/** For the user. */
export function verdict(found) {
  if (found.differing === 0) {
    return `bit-equal: all ${found.outputs.toLocaleString("en")} outputs of ${found.runs} inference${found.runs > 1 ? "s" : ""}`;
  }
  if (found.floats && found.largest <= 1e-5 * Math.max(1, found.most)) {
    return `equal to rounding: floats differ by ${found.largest.toPrecision(1)} at most`;
  }
  if (found.largest <= found.tolerance) {
    return `equal within tolerance: ${found.differing.toLocaleString("en")} of ${found.outputs.toLocaleString("en")} outputs differ, by ${found.largest} at most, other kernels by ${found.tolerance}`;
  }
  return `${found.differing.toLocaleString("en")} of ${found.outputs.toLocaleString("en")} outputs differ, by ${found.largest} at most`;
}
