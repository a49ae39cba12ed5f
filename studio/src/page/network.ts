// A network in ONNX, run in this browser by ONNX Runtime: WebAssembly, one thread, no request.
import { InferenceSession, Tensor, env } from "onnxruntime-web/wasm";
import type { NetworkTold } from "./packed";

export type Values = Record<string, number[] | Float32Array>;

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
  run(count: number, values: Values): Promise<Record<string, Float32Array>> {
    const feeds: Record<string, Tensor> = {};
    for (const [name, { shape, whole }] of Object.entries(this.told.inputs)) {
      const own = values[name] ?? [];
      const dims = [count, ...shape];
      feeds[name] = whole
        ? new Tensor("int64", BigInt64Array.from(own as number[], (each) => BigInt(each)), dims)
        : new Tensor("float32", Float32Array.from(own), dims);
    }
    const result = this.last.then(() => this.session.run(feeds));
    this.last = result.catch(() => undefined);
    return result.then((found) => {
      const named = Object.entries(found).map(([name, tensor]) => {
        return [name, Float32Array.from(tensor.data as Float32Array)] as const;
      });
      return Object.fromEntries(named);
    });
  }
}
