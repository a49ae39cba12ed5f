// A network in ONNX, run in this browser by ONNX Runtime: WebAssembly, one thread, no request.
import { InferenceSession, Tensor, env } from "onnxruntime-web/wasm";
import type { Floats, NetworkTold } from "./packed";

export type Values = Record<string, number[] | Floats>;

export function useEngine(wasm: ArrayBuffer): void {
  env.wasm.numThreads = 1;
  env.wasm.proxy = false;
  env.wasm.wasmBinary = wasm;
  env.logLevel = "error";
}

export class Network {
  /** A session takes one run at a time. */
  private last: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly session: InferenceSession,
    readonly told: NetworkTold,
  ) {}

  static async open(content: Uint8Array, told: NetworkTold): Promise<Network> {
    const session = await InferenceSession.create(content, {
      executionProviders: ["wasm"],
      graphOptimizationLevel: "all",
    });
    return new Network(session, told);
  }

  /**
   * @param count of examples.
   * @param values of all of them, one after the other, by the input's name.
   */
  run(count: number, values: Values): Promise<Record<string, Floats>> {
    const feeds: Record<string, Tensor> = {};
    for (const [name, { shape, type }] of Object.entries(this.told.inputs)) {
      feeds[name] = tensorOf(type, values[name] ?? [], [count, ...shape]);
    }
    const result = this.last.then(() => this.session.run(feeds));
    this.last = result.catch(() => undefined);
    return result.then((found) => {
      const named = Object.entries(found).map(([name, tensor]) => {
        return [name, (tensor.data as Floats).slice()] as const;
      });
      return Object.fromEntries(named);
    });
  }
}

function tensorOf(type: "float32" | "float64" | "int64", own: number[] | Floats, dims: number[]): Tensor {
  switch (type) {
    case "int64":
      return new Tensor(type, BigInt64Array.from(own as number[], (each) => BigInt(each)), dims);
    case "float64":
      return new Tensor(type, Float64Array.from(own), dims);
    case "float32":
      return new Tensor(type, Float32Array.from(own), dims);
  }
}
