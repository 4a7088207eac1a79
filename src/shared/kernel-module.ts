/** Loads wasm/build/kernel.wasm: compiled once per process, instantiated once per thread over one shared memory. Any thread. */

import { readFileSync } from 'node:fs';
import type { Kernel } from './kernel.ts';

/** What the module exports: u32 results come back as i32, which the binding undoes. */
interface KernelExports {
  validate(ptr: number, len: number): number;
  validateSpan(ptr: number, len: number): number;
  errorOffset(): number;
  errorCode(): number;
  splitBytesMax(): number;
  uniform(): number;
  split(ptr: number, len: number, outPtr: number, uniform: number): number;
  splitBytes(): number;
  facts(runPtr: number, outPtr: number): number;
  frameBytes(firstRunPtr: number): number;
  frame(firstRunPtr: number, outPtr: number): number;
}

export const wasmPageBytes = 65_536;

/** One page below 4 GiB: the kernel's positions are u32, and the position behind the last byte must be one. */
export const memoryBytesMax = 65_535 * wasmPageBytes;

let compiled: WebAssembly.Module | undefined;

/** The compiled kernel. A module may be sent to a worker (`workerData`), which then does not compile it again. */
export function kernelModule(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(readFileSync(new URL('../../wasm/build/kernel.wasm', import.meta.url)));
  return compiled;
}

/**
 * A shared memory at its maximum, never to grow: a view made over it stays whole. Pages cost nothing until touched.
 *
 * Bounds: `bytes` is rounded up to whole pages of 64 KiB, at most `memoryBytesMax`. The first page is the kernel's.
 * Errors: RangeError when the address space is refused.
 */
export function createSharedMemory(bytes: number): WebAssembly.Memory {
  const pages = Math.ceil(bytes / wasmPageBytes);
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
}

/** A kernel over `memory`, for the calling thread. Synchronous. */
export function instantiateKernel(module: WebAssembly.Module, memory: WebAssembly.Memory): Kernel {
  const wasm = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as KernelExports;
  return {
    memory,
    validate: wasm.validate,
    validateSpan: (ptr, len) => wasm.validateSpan(ptr, len) !== 0,
    errorOffset: () => wasm.errorOffset() >>> 0,
    errorCode: wasm.errorCode,
    splitBytesMax: () => wasm.splitBytesMax() >>> 0,
    uniform: () => wasm.uniform() !== 0,
    split: (ptr, len, outPtr, uniform = false) => wasm.split(ptr, len, outPtr, uniform ? 1 : 0),
    splitBytes: () => wasm.splitBytes() >>> 0,
    facts: wasm.facts,
    frameBytes: (firstRunPtr) => wasm.frameBytes(firstRunPtr) >>> 0,
    frame: (firstRunPtr, outPtr) => wasm.frame(firstRunPtr, outPtr) >>> 0,
  };
}

export function loadKernel(memory: WebAssembly.Memory): Kernel {
  return instantiateKernel(kernelModule(), memory);
}
