/**
 * Parses tokens by a grammar that is data: ordered choice with full backtracking, and of all failures the deepest is told. Any thread, at compile time.
 *
 * The choice of the failure to tell follows github.com/alecthomas/participle v2 (MIT) step by step, because the Collector's texts come from there.
 */

import { OttlSyntaxFault, type Token, type TokenType } from './lexer.ts';

/** What a capture makes of token texts; a string result is a failure's text. */
export type Convert = (texts: readonly string[]) => { readonly value: unknown } | string;

export type Node =
  | { readonly t: 'token'; readonly type: TokenType }
  | { readonly t: 'literal'; readonly text: string }
  | { readonly t: 'rule'; readonly name: string }
  | { readonly t: 'capture'; readonly field: string; readonly many: boolean; readonly node: Node; readonly convert?: Convert }
  | { readonly t: 'sequence'; readonly nodes: readonly Node[] }
  | { readonly t: 'choice'; readonly nodes: readonly Node[] }
  | { readonly t: 'group'; readonly mode: '' | '?' | '*'; readonly node: Node }
  | { readonly t: 'not'; readonly node: Node };

export type Grammar = Readonly<Record<string, Node>>;
type Struct = Record<string, unknown>;

/** A failure at a token; `rest` are the nodes that were expected from there. */
interface Failure {
  readonly token: Token;
  readonly rest?: readonly Node[];
  readonly message?: string;
}
type Result = unknown[] | null | { readonly failure: Failure };

interface Pending {
  readonly token: Token;
  readonly into: Struct;
  readonly capture: Node & { t: 'capture' };
  readonly values: unknown[];
}

interface Branch {
  cursor: number;
  deepest: Failure | undefined;
  deepestAt: number;
  pending: Pending[];
}

/** Rules within rules; about a third of it in parentheses. Keeps the stack of any thread. */
const ruleDepthMax = 300;
/** Steps that a failing text may cost before its failure is told less exactly; without it nested calls would cost exponential time. */
const exactStepsMax = 200_000;

class Exhausted {}
class TooDeep {
  readonly token: Token;
  constructor(token: Token) {
    this.token = token;
  }
}

class Engine {
  readonly #grammar: Grammar;
  readonly #tokens: readonly Token[];
  readonly #memo: Map<string, { result: Result; cursor: number }>[] | undefined;
  #steps: number;
  #depth = 0;

  constructor(grammar: Grammar, tokens: readonly Token[], exact: boolean) {
    this.#grammar = grammar;
    this.#tokens = tokens;
    this.#memo = exact ? undefined : tokens.map(() => new Map());
    this.#steps = exact ? exactStepsMax : Number.POSITIVE_INFINITY;
  }

  parse(root: string): Struct | Failure {
    const branch: Branch = { cursor: 0, deepest: undefined, deepestAt: 0, pending: [] };
    const result = this.#rule(branch, root);
    if (result !== null && !Array.isArray(result)) return result.failure;
    const token = this.#tokens[branch.cursor]!;
    if (result !== null && token.type === 'EOF') return result[0] as Struct;
    if (branch.cursor >= branch.deepestAt || branch.deepest === undefined) return { token };
    return branch.deepest;
  }

  #rule(ctx: Branch, name: string): Result {
    const memo = this.#memo?.[ctx.cursor];
    const known = memo?.get(name);
    if (known !== undefined) {
      ctx.cursor = known.cursor;
      if (known.result !== null && !Array.isArray(known.result)) update(ctx, known.result.failure);
      return known.result;
    }
    if (++this.#depth > ruleDepthMax) throw new TooDeep(this.#tokens[ctx.cursor]!);
    const into: Struct = { rule: name, token: this.#tokens[ctx.cursor]! };
    let result = this.#run(ctx, this.#grammar[name]!, into);
    this.#depth--;
    if (Array.isArray(result)) {
      const failure = apply(ctx);
      result = failure === undefined ? [into] : { failure };
    } else if (result !== null) {
      apply(ctx);
      update(ctx, result.failure);
    }
    memo?.set(name, { result, cursor: ctx.cursor });
    return result;
  }

  #run(ctx: Branch, node: Node, into: Struct): Result {
    if (--this.#steps < 0) throw new Exhausted();
    switch (node.t) {
      case 'token':
      case 'literal': {
        const token = this.#tokens[ctx.cursor]!;
        if (node.t === 'token' ? token.type !== node.type : token.value !== node.text || token.type === 'EOF') return null;
        ctx.cursor++;
        return [token.value];
      }
      case 'rule':
        return this.#rule(ctx, node.name);
      case 'capture': {
        const token = this.#tokens[ctx.cursor]!;
        const result = this.#run(ctx, node.node, into);
        if (Array.isArray(result)) ctx.pending.push({ token, into, capture: node, values: result });
        return Array.isArray(result) ? [into] : result;
      }
      case 'sequence':
        return this.#sequence(ctx, node.nodes, into);
      case 'choice':
        return this.#choice(ctx, node.nodes, into);
      case 'group':
        return node.mode === ''
          ? this.#run(ctx, node.node, into)
          : this.#repeat(ctx, node.node, node.mode === '?' ? 1 : Number.POSITIVE_INFINITY, into);
      case 'not': {
        const result = this.#run({ ...ctx, pending: [] }, node.node, into);
        return Array.isArray(result) ? { failure: { token: this.#tokens[ctx.cursor]! } } : [];
      }
    }
  }

  #sequence(ctx: Branch, nodes: readonly Node[], into: Struct): Result {
    const out: unknown[] = [];
    for (let i = 0; i < nodes.length; i++) {
      const result = this.#run(ctx, nodes[i]!, into);
      if (result === null) return i === 0 ? null : { failure: { token: this.#tokens[ctx.cursor]!, rest: nodes.slice(i) } };
      if (!Array.isArray(result)) return result;
      out.push(...result);
    }
    return out;
  }

  #choice(ctx: Branch, nodes: readonly Node[], into: Struct): Result {
    let failed: { failure: Failure } | undefined;
    let failedAt = 0;
    for (const node of nodes) {
      const branch: Branch = { ...ctx, pending: [] };
      const result = this.#run(branch, node, into);
      if (Array.isArray(result)) {
        accept(ctx, branch);
        return result;
      }
      if (result === null) continue;
      give(ctx, branch, result.failure);
      if (branch.cursor >= failedAt) {
        failed = result;
        failedAt = branch.cursor;
      }
    }
    if (failed === undefined) return null;
    update(ctx, failed.failure);
    return failed;
  }

  #repeat(ctx: Branch, node: Node, max: number, into: Struct): Result {
    const out: unknown[] = [];
    for (let matches = 0; matches < max; matches++) {
      const branch: Branch = { ...ctx, pending: [] };
      const result = this.#run(branch, node, into);
      if (result !== null && !Array.isArray(result)) {
        update(ctx, result.failure);
        give(ctx, branch, result.failure);
        break;
      }
      accept(ctx, branch);
      if (result === null) break;
      out.push(...result);
    }
    return out;
  }
}

function update(ctx: Branch, failure: Failure): void {
  if (ctx.cursor < ctx.deepestAt) return;
  ctx.deepest = failure;
  ctx.deepestAt = ctx.cursor;
}

/** A failed branch hands its deepest failure to the context it came from. */
function give(ctx: Branch, branch: Branch, failure: Failure): void {
  if (branch.deepestAt > ctx.deepestAt) {
    ctx.deepest = branch.deepest;
    ctx.deepestAt = branch.deepestAt;
  } else if (branch.cursor >= ctx.deepestAt) {
    ctx.deepest = failure;
    ctx.deepestAt = Math.max(branch.cursor, branch.deepestAt);
  }
}

function accept(ctx: Branch, branch: Branch): void {
  for (const pending of branch.pending) ctx.pending.push(pending);
  ctx.cursor = branch.cursor;
  if (branch.deepestAt < ctx.deepestAt) return;
  ctx.deepest = branch.deepest;
  ctx.deepestAt = branch.deepestAt;
}

/** Writes what was captured; the first that cannot be converted is a failure. */
function apply(ctx: Branch): Failure | undefined {
  for (const { token, into, capture, values } of ctx.pending) {
    let value: unknown = values[0];
    if (capture.convert !== undefined) {
      const converted = capture.convert(values as string[]);
      if (typeof converted === 'string') return { token, message: converted };
      value = converted.value;
    }
    if (capture.many) {
      const list = (into[capture.field] ??= []) as unknown[];
      list.push(...(capture.convert === undefined ? values : [value]));
    } else into[capture.field] = value;
  }
  ctx.pending = [];
  return undefined;
}

/** The nodes in EBNF, as the Collector prints what it expected. */
function ebnf(node: Node, root: boolean): string {
  switch (node.t) {
    case 'token':
      return `<${node.type.toLowerCase()}>`;
    case 'literal':
      return `"${node.text}"`;
    case 'rule':
      return node.name[0]!.toUpperCase() + node.name.slice(1);
    case 'capture':
      return ebnf(node.node, false);
    case 'sequence':
    case 'choice': {
      const inside = node.nodes.map((child) => ebnf(child, false)).join(node.t === 'sequence' ? ' ' : ' | ');
      return root ? inside : `(${inside})`;
    }
    case 'group': {
      const child = node.node.t === 'capture' ? node.node.node : node.node;
      return (child.t === 'group' && child.mode === '' ? ebnf(child.node, false) : ebnf(node.node, false)) + node.mode;
    }
    case 'not':
      return `(?! ${ebnf(node.node, true)})`;
  }
}

/** Ten bytes of the text at the failure, cut characters left out. */
function near(text: string, at: number): string {
  const bytes = Buffer.from(text.slice(at, at + 11), 'utf8').subarray(0, 10);
  return new TextDecoder().decode(bytes).replaceAll('�', '').trim();
}

function describe(text: string, failure: Failure): OttlSyntaxFault {
  const { line, column, at } = failure.token;
  if (failure.message !== undefined) return new OttlSyntaxFault(`condition has invalid syntax: ${line}:${column}: ${failure.message}`);
  const expected = failure.rest === undefined ? '' : ` (expected ${failure.rest.map((node) => ebnf(node, false)).join(' ')})`;
  const snippet = near(text, at);
  return new OttlSyntaxFault(
    `condition has invalid syntax at ${line}:${column}${snippet === '' ? '' : ` near \`${snippet}\``}:${expected}`,
  );
}

function attempt(grammar: Grammar, root: string, tokens: readonly Token[], exact: boolean): Struct | Failure | undefined {
  try {
    return new Engine(grammar, tokens, exact).parse(root);
  } catch (reason) {
    if (reason instanceof TooDeep) return { token: reason.token, message: 'nested too deeply' };
    if (reason instanceof Exhausted) return undefined;
    throw reason;
  }
}

/**
 * The tree of `tokens` by the rule `root`: per rule an object with the captured fields, `rule` (its name) and `token` (its first token).
 *
 * Bounds: linear in the number of tokens for texts that follow the grammar; at most `exactStepsMax` steps more for those that do not.
 */
export function parseByGrammar(grammar: Grammar, root: string, text: string, tokens: readonly Token[]): Struct | OttlSyntaxFault {
  const tree = attempt(grammar, root, tokens, false)!;
  if ('rule' in tree) return tree as Struct;
  const exact = attempt(grammar, root, tokens, true);
  return describe(text, (exact === undefined || 'rule' in exact ? tree : exact) as Failure);
}
