// The inference engine: LiteRT.js.

import { PageError } from "./cube.js";
import { isWebGPUSupported, loadAndCompile, loadLiteRt, Tensor } from "./runtime/litert.js";

// A function that returns a vector: valid where WebAssembly has SIMD.
const SIMD = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15,
  253, 98, 11,
]);

let runtime;

/** Loads the runtime once. */
export function load() {
  if (!WebAssembly.validate(SIMD)) {
    throw new PageError(
      "this browser cannot run the model",
      "WebAssembly without SIMD",
      "open the page in a browser of 2023 or later",
    );
  }
  runtime ??= loadLiteRt(new URL("./runtime/wasm/", import.meta.url).href);
  return runtime;
}

/** Whether WebGPU has an adapter, of a GPU or in software; a browser may know it and have none. */
export async function hasWebGpu() {
  if (!isWebGPUSupported()) return false;
  return Boolean(await navigator.gpu.requestAdapter().catch(() => null));
}

export class Model {
  constructor(compiled, shape) {
    Object.assign(this, { compiled, shape });
  }

  /**
   * Opens a file.
   *
   * @param bytes Uint8Array of the .tflite file
   * @param shape of its input
   * @param accelerator "wasm" or "webgpu"
   */
  static async open(bytes, shape, accelerator = "wasm") {
    await load();
    try {
      return new Model(await loadAndCompile(bytes, { accelerator }), shape);
    } catch (error) {
      throw new PageError("the model cannot be opened", error.message, "export it again");
    }
  }

  /** Outputs of one inference as they are stored. */
  async run(input) {
    const tensor = new Tensor(input, this.shape);
    const results = await this.compiled.run(tensor);
    tensor.delete();
    const outputs = (await results[0].data?.()) ?? results[0].toTypedArray();
    const copy = outputs.slice();
    for (const result of results) result.delete();
    return copy;
  }

  close() {
    this.compiled.delete();
  }
}
