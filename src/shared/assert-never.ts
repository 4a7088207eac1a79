/** Closes a `switch` over a union: a new member that nobody handles is a type error, and at run time a broken invariant. Both threads. */
export function assertNever(value: never): never {
  throw new Error(`unreachable: unexpected ${JSON.stringify(value)}`);
}
