/** The kernel's exports; src/shared/kernel.ts says what each promises. */

import { runFacts } from "./facts";
import { chainBytes, writeChain } from "./frame";
import { splitRequest, splitUsedBytes } from "./split";
import { isSpanUsable, measuredBytes, measuredUniform, validateRequest } from "./validate";
import { errorAt, errorCode as codeOfError } from "./wire";

/** Start of the bytes that the last call looked at: error positions are told from there. */
let base: u32 = 0;

export function validate(ptr: u32, len: u32): i32 {
  base = ptr;
  return validateRequest(ptr, ptr + len);
}

export function validateSpan(ptr: u32, len: u32): bool {
  base = ptr;
  return isSpanUsable(ptr, ptr + len);
}

export function errorOffset(): u32 {
  return errorAt - base;
}

export function errorCode(): u32 {
  return codeOfError;
}

export function splitBytesMax(): u32 {
  return measuredBytes();
}

export function uniform(): bool {
  return measuredUniform();
}

export function split(ptr: u32, len: u32, outPtr: u32, isUniform: bool): i32 {
  base = ptr;
  return splitRequest(ptr, ptr + len, outPtr, isUniform);
}

export function splitBytes(): u32 {
  return splitUsedBytes();
}

export function facts(runPtr: u32, outPtr: u32): i32 {
  return runFacts(runPtr, outPtr);
}

export function frameBytes(firstRunPtr: u32): u32 {
  return chainBytes(firstRunPtr);
}

export function frame(firstRunPtr: u32, outPtr: u32): u32 {
  return writeChain(firstRunPtr, outPtr);
}
