/** OTTL conditions from text to something that is evaluated on spans and span events. Compiled on the main thread to check, on a worker to run. */

import type { Clock } from '../../shared/clock.ts';
import { type Prng, systemPrng } from '../../shared/prng.ts';
import { Compiler, keyText } from './compiler.ts';
import { isRootSpan, standardConverters } from './converters/standard-converters.ts';
import { CompileFault, type Getter } from './getter.ts';
import { goQuote } from './go-text.ts';
import type * as ast from './grammar.ts';
import { type BooleanExpression, parseSyntax } from './grammar.ts';
import { OttlSyntaxFault } from './lexer.ts';
import { contextNames, type OttlContext } from './paths.ts';
import type { SpanView } from './span-view.ts';
import { OttlError } from './values.ts';

export type { OttlContext };

export interface CompileOptions {
  /** Names of enabled feature gates; `ottl.functions.enableLambda` is the one that counts. */
  readonly featureGates: ReadonlySet<string>;
  readonly clock: Clock;
  /** For UUID and UUIDv7; the machine's own randomness unless given. */
  readonly prng?: Prng;
}

/** One condition. `text` is as the user wrote it, `rewritten` with every path's context name before it. */
export interface CompiledCondition {
  readonly text: string;
  readonly rewritten: string;
  /**
   * Whether the span (or event) under `view` meets the condition.
   *
   * Errors: an OttlError when the data does not allow an answer; `error_mode` is the caller's to apply.
   */
  evaluate(view: SpanView): boolean | OttlError;
}

export interface CompiledConditions {
  readonly conditions: readonly CompiledCondition[];
}

/** Why a list of conditions cannot be compiled; `message` is the Collector's, with a line for each condition at fault. */
export class OttlFault {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

const contextTypes: Record<OttlContext, string> = {
  span: '*github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottlspan.TransformContext',
  spanevent: '*github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottlspanevent.TransformContext',
};

type Tree = { rule?: string; Editor?: unknown; Keys?: unknown; Value?: unknown; [field: string]: unknown };

/** Calls `visit` for every rule of the tree, with the lambda parameters in scope there. */
function walk(tree: unknown, scope: ReadonlySet<string>, visit: (rule: Tree, scope: ReadonlySet<string>) => void): void {
  if (Array.isArray(tree)) {
    for (const item of tree) walk(item, scope, visit);
    return;
  }
  if (typeof tree !== 'object' || tree === null || (tree as Tree).rule === undefined) return;
  const rule = tree as Tree;
  visit(rule, scope);
  const params = rule.rule === 'lambdaExpr' ? ((rule as unknown as ast.LambdaExpr).Params ?? []) : [];
  const inner = params.length === 0 ? scope : new Set([...scope, ...params.filter((name) => name !== '_')]);
  for (const field in rule) if (field !== 'token') walk(rule[field], inner, visit);
}

/** Faults of trees that follow the grammar and still mean nothing. */
function customFaults(tree: BooleanExpression): string {
  const faults: string[] = [];
  walk(tree, new Set(), (rule) => {
    if (rule.rule === 'mathExprLiteral' && rule.Editor !== undefined) {
      faults.push(`converter names must start with an uppercase letter but got '${(rule.Editor as ast.Converter).Function}'`);
    } else if (rule.rule === 'editor' && rule.Keys !== undefined) {
      const editor = rule as unknown as ast.Converter;
      const keys = editor.Keys!.map((key) => `[${keyText(key)}]`).join('');
      faults.push(`only paths and converters may be indexed, not editors, but got ${editor.Function}${keys}`);
    } else if (rule.rule === 'lambdaBody' && (rule.Value as ast.Value | undefined)?.Lambda !== undefined) {
      faults.push('lambda body cannot result into another lambda expression');
    }
  });
  return faults.join('; ');
}

/** Puts the list's own context name before every path that has none; the tree and the text both. */
function addContextNames(tree: BooleanExpression, text: string, context: OttlContext): string {
  const names = contextNames[context];
  const positions: number[] = [];
  walk(tree, new Set(), (rule, scope) => {
    if (rule.rule !== 'path') return;
    const path = rule as { Context?: string; Fields: ast.Field[]; token: { at: number } };
    if (scope.has(path.Context ?? path.Fields[0]!.Name)) return;
    if (path.Context !== undefined && names.includes(path.Context)) return;
    if (path.Context !== undefined) path.Fields.unshift({ Name: path.Context, token: path.token } as ast.Field);
    path.Context = context;
    positions.push(path.token.at);
  });
  let rewritten = '';
  let from = 0;
  for (const at of positions.sort((a, b) => a - b)) {
    rewritten += `${text.slice(from, at)}${context}.`;
    from = at;
  }
  return rewritten + text.slice(from);
}

/**
 * Compiles a list of conditions of one context.
 *
 * Shape:  conditions in the order of `texts`; the caller asks them one after the other until one is true.
 * Errors: an OttlFault; of a text that breaks the grammar the first alone is told, of names and arguments every one.
 * Source: filterottl of the Collector v0.161, as the tail_sampling processor calls it.
 */
export function compileConditions(texts: readonly string[], context: OttlContext, options: CompileOptions): CompiledConditions | OttlFault {
  const parsed: { text: string; rewritten: string; tree: BooleanExpression }[] = [];
  for (const text of texts) {
    const tree = parseSyntax(text);
    if (tree instanceof OttlSyntaxFault) return new OttlFault(tree.message);
    const faults = customFaults(tree);
    if (faults !== '') return new OttlFault(faults);
    parsed.push({ text, rewritten: addContextNames(tree, text, context), tree });
  }
  const settings = {
    context,
    contextType: contextTypes[context],
    lambdasEnabled: options.featureGates.has('ottl.functions.enableLambda'),
    converters: context === 'span' ? new Map([...standardConverters, [isRootSpan.name, isRootSpan]]) : standardConverters,
    clock: options.clock,
    prng: options.prng ?? systemPrng,
  };
  const conditions: CompiledCondition[] = [];
  const faults: string[] = [];
  for (const { text, rewritten, tree } of parsed) {
    try {
      const getter: Getter<boolean> = new Compiler(settings).booleanExpression(tree);
      conditions.push({ text, rewritten, evaluate: (view) => getter.get(view) });
    } catch (fault) {
      if (!(fault instanceof CompileFault)) throw fault;
      faults.push(`unable to parse OTTL condition ${goQuote(rewritten)}: ${fault.message}`);
    }
  }
  return faults.length === 0 ? { conditions } : new OttlFault(faults.join('\n'));
}

export { OttlError };
