/** WebAssembly, as far as it is used: Node's types leave it out. */

/** Part of the global. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: object };
  readonly RuntimeError: new () => Error;
};

export interface WasmMemory {
  /** Replaced when the memory grows; views over the old one are empty then. */
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

export const WASM_PAGE_BYTES = 65_536;

/** A module, compiled when its first instance is made. */
export class WasmModule<Exports> {
  readonly #bytes: () => Uint8Array;
  #compiled: object | undefined;

  constructor(bytes: () => Uint8Array) {
    this.#bytes = bytes;
  }

  instantiate(): Exports {
    this.#compiled ??= new WebAssembly.Module(this.#bytes());
    return new WebAssembly.Instance(this.#compiled).exports as Exports;
  }
}

/** Whether `error` is what WebAssembly throws where it cannot go on. */
export function isWasmTrap(error: unknown): boolean {
  return error instanceof WebAssembly.RuntimeError;
}
