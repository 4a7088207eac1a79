/** The grammar of OTTL conditions and the tree that it yields. Any thread, at compile time. */

import { goQuote } from './go-text.ts';
import { type Convert, type Grammar, type Node, parseByGrammar } from './grammar-engine.ts';
import { lex, OttlSyntaxFault, type Token, type TokenType } from './lexer.ts';

interface Rule {
  readonly token: Token;
}
export interface BooleanExpression extends Rule {
  readonly Left: Term;
  readonly Right?: readonly { readonly Term: Term }[];
}
export interface Term extends Rule {
  readonly Left: BooleanValue;
  readonly Right?: readonly { readonly Value: BooleanValue }[];
}
export interface BooleanValue extends Rule {
  readonly Negation?: string;
  readonly Comparison?: Comparison;
  readonly ConstExpr?: { readonly Boolean?: boolean; readonly Converter?: Converter };
  readonly SubExpr?: BooleanExpression;
}
export type CompareOp = '==' | '!=' | '<' | '<=' | '>' | '>=';
export interface Comparison extends Rule {
  readonly Left: Value;
  readonly Op: CompareOp;
  readonly Right: Value;
}
/** A call; an editor is the same with a lower-case name. */
export interface Converter extends Rule {
  readonly Function: string;
  readonly Arguments?: readonly Argument[];
  readonly Keys?: readonly Key[];
}
export interface Argument extends Rule {
  readonly Name?: string;
  readonly Value?: Value;
  readonly FunctionName?: string;
}
export interface LambdaExpr extends Rule {
  readonly Params?: readonly string[];
  readonly Body: { readonly Value?: Value; readonly Expr?: BooleanExpression };
}
export interface Value extends Rule {
  readonly IsNil?: true;
  readonly Literal?: MathExprLiteral;
  readonly Lambda?: LambdaExpr;
  readonly MathExpression?: MathExpression;
  readonly Bytes?: Uint8Array;
  readonly String?: string;
  readonly Bool?: boolean;
  readonly Enum?: string;
  readonly Map?: { readonly Values?: readonly { readonly Key: string; readonly Value: Value }[] };
  readonly List?: { readonly Values?: readonly Value[] };
}
export interface MathExprLiteral extends Rule {
  readonly Editor?: Converter;
  readonly Converter?: Converter;
  readonly Float?: number;
  readonly Int?: bigint;
  readonly Path?: Path;
}
export type MathOp = '+' | '-' | '*' | '/';
export interface MathExpression extends Rule {
  readonly Left: AddSubTerm;
  readonly Right?: readonly { readonly Operator: MathOp; readonly Term: AddSubTerm }[];
}
export interface AddSubTerm extends Rule {
  readonly Left: MathValue;
  readonly Right?: readonly { readonly Operator: MathOp; readonly Value: MathValue }[];
}
export interface MathValue extends Rule {
  readonly UnaryOp?: MathOp;
  readonly Literal?: MathExprLiteral;
  readonly SubExpression?: MathExpression;
}
export interface Path extends Rule {
  readonly Context?: string;
  readonly Fields: readonly Field[];
}
export interface Field extends Rule {
  readonly Name: string;
  readonly Keys?: readonly Key[];
}
export interface Key extends Rule {
  readonly String?: string;
  readonly Int?: bigint;
  readonly MathExpression?: MathExpression;
  readonly Expression?: MathExprLiteral;
}

const int64Max = 2n ** 63n - 1n;

/** strconv.ParseInt(text, 0, 64) of digits: a leading 0 means octal. */
const toInt: Convert = ([text]) => {
  const fault = (reason: string) => `failed to conform: strconv.ParseInt: parsing ${goQuote(text!)}: ${reason}`;
  const octal = text!.length > 1 && text!.startsWith('0');
  if (octal && /[89]/.test(text!)) return fault('invalid syntax');
  const value = BigInt(octal ? `0o${text!.slice(1)}` : text!);
  return value > int64Max ? fault('value out of range') : { value };
};

const toFloat: Convert = ([text]) => {
  const value = Number(text);
  if (Number.isFinite(value)) return { value };
  return `failed to conform: strconv.ParseFloat: parsing ${goQuote(text!)}: value out of range`;
};

const toBytes: Convert = ([text]) => {
  const digits = text!.slice(2);
  if (digits.length % 2 === 0) return { value: Uint8Array.from(Buffer.from(digits, 'hex')) };
  return `failed to capture: byte literals must have an even number of hexadecimal digits, but got ${text}: encoding/hex: odd length hex string`;
};

const toBoolean: Convert = ([text]) => ({ value: text === 'true' });
const toTrue: Convert = () => ({ value: true });
const joined: Convert = (texts) => ({ value: texts.join('') });

const tok = (type: TokenType): Node => ({ t: 'token', type });
const lit = (text: string): Node => ({ t: 'literal', text });
const seq = (...nodes: Node[]): Node => ({ t: 'sequence', nodes });
const alt = (...nodes: Node[]): Node => ({ t: 'choice', nodes });
const group = (node: Node): Node => ({ t: 'group', mode: '', node });
const opt = (node: Node): Node => ({ t: 'group', mode: '?', node });
const star = (node: Node): Node => ({ t: 'group', mode: '*', node });
const not = (...nodes: Node[]): Node => ({ t: 'not', node: nodes.length === 1 ? nodes[0]! : alt(...nodes) });
const sub = (field: string, name: string): Node => ({ t: 'capture', field, many: false, node: { t: 'rule', name } });
const subs = (field: string, name: string): Node => ({ t: 'capture', field, many: true, node: { t: 'rule', name } });
const take = (field: string, node: Node, convert: Convert = joined): Node => ({ t: 'capture', field, many: false, node, convert });
const takes = (field: string, node: Node): Node => ({ t: 'capture', field, many: true, node, convert: joined });

/** `@(First(Uppercase | Lowercase)*)`: a name such as IsMatch is a run of upper-case and lower-case tokens. */
const mixedName = (field: string, first: TokenType): Node =>
  take(field, group(seq(tok(first), star(group(alt(tok('Uppercase'), tok('Lowercase')))))));
const call = (first: TokenType): Node =>
  seq(
    mixedName('Function', first),
    lit('('),
    opt(group(seq(subs('Arguments', 'argument'), star(group(seq(lit(','), subs('Arguments', 'argument'))))))),
    lit(')'),
    star(group(subs('Keys', 'key'))),
  );
const lambdaParam = group(alt(takes('Params', tok('Lowercase')), takes('Params', tok('Underscore'))));

/** Source: grammar.go of the Collector's pkg/ottl v0.161, rule by rule. */
export const conditionGrammar: Grammar = {
  booleanExpression: seq(sub('Left', 'term'), star(subs('Right', 'opOrTerm'))),
  opOrTerm: seq(take('Operator', tok('OpOr')), sub('Term', 'term')),
  term: seq(sub('Left', 'booleanValue'), star(subs('Right', 'opAndBooleanValue'))),
  opAndBooleanValue: seq(take('Operator', tok('OpAnd')), sub('Value', 'booleanValue')),
  booleanValue: seq(
    opt(take('Negation', tok('OpNot'))),
    group(
      alt(sub('Comparison', 'comparison'), sub('ConstExpr', 'constExpr'), seq(lit('('), sub('SubExpr', 'booleanExpression'), lit(')'))),
    ),
  ),
  constExpr: group(alt(take('Boolean', tok('Boolean'), toBoolean), sub('Converter', 'converter'))),
  comparison: seq(sub('Left', 'value'), take('Op', tok('OpComparison')), sub('Right', 'value')),
  editor: call('Lowercase'),
  converter: call('Uppercase'),
  argument: seq(
    opt(group(seq(mixedName('Name', 'Lowercase'), tok('Equal')))),
    group(alt(sub('Value', 'value'), mixedName('FunctionName', 'Uppercase'))),
  ),
  lambdaExpr: seq(
    lit('('),
    opt(group(seq(lambdaParam, star(group(seq(lit(','), lambdaParam)))))),
    lit(')'),
    tok('LambdaArrow'),
    sub('Body', 'lambdaBody'),
  ),
  lambdaBody: group(alt(seq(sub('Value', 'value'), not(tok('OpOr'), tok('OpAnd'), tok('OpComparison'))), sub('Expr', 'booleanExpression'))),
  value: group(
    alt(
      take('IsNil', tok('Nil'), toTrue),
      seq(sub('Literal', 'mathExprLiteral'), not(tok('OpAddSub'), tok('OpMultDiv'))),
      sub('Lambda', 'lambdaExpr'),
      sub('MathExpression', 'mathExpression'),
      take('Bytes', tok('Bytes'), toBytes),
      take('String', tok('String')),
      take('Bool', tok('Boolean'), toBoolean),
      seq(take('Enum', tok('Uppercase')), not(tok('Lowercase'))),
      sub('Map', 'mapValue'),
      sub('List', 'list'),
    ),
  ),
  path: seq(
    opt(group(seq(take('Context', tok('Lowercase')), lit('.')))),
    subs('Fields', 'field'),
    star(group(seq(lit('.'), subs('Fields', 'field')))),
  ),
  field: seq(take('Name', tok('Lowercase')), star(group(subs('Keys', 'key')))),
  key: seq(
    lit('['),
    group(
      alt(
        take('String', tok('String')),
        take('Int', tok('Int'), toInt),
        sub('MathExpression', 'mathExpression'),
        sub('Expression', 'mathExprLiteral'),
      ),
    ),
    lit(']'),
  ),
  list: seq(lit('['), opt(group(seq(subs('Values', 'value'), star(group(seq(lit(','), subs('Values', 'value'))))))), lit(']')),
  mapValue: seq(lit('{'), star(group(seq(subs('Values', 'mapItem'), opt(lit(','))))), lit('}')),
  mapItem: seq(take('Key', tok('String')), lit(':'), sub('Value', 'value')),
  mathExprLiteral: group(
    alt(
      sub('Editor', 'editor'),
      sub('Converter', 'converter'),
      take('Float', tok('Float'), toFloat),
      take('Int', tok('Int'), toInt),
      sub('Path', 'path'),
    ),
  ),
  mathValue: seq(
    opt(take('UnaryOp', tok('OpAddSub'))),
    group(alt(sub('Literal', 'mathExprLiteral'), seq(lit('('), sub('SubExpression', 'mathExpression'), lit(')')))),
  ),
  opMultDivValue: seq(take('Operator', tok('OpMultDiv')), sub('Value', 'mathValue')),
  addSubTerm: seq(sub('Left', 'mathValue'), star(subs('Right', 'opMultDivValue'))),
  opAddSubTerm: seq(take('Operator', tok('OpAddSub')), sub('Term', 'addSubTerm')),
  mathExpression: seq(sub('Left', 'addSubTerm'), star(subs('Right', 'opAddSubTerm'))),
};

/** A condition's tree by grammar alone; names and paths are not checked yet. */
export function parseSyntax(text: string): BooleanExpression | OttlSyntaxFault {
  const tokens = lex(text);
  if (tokens instanceof OttlSyntaxFault) return new OttlSyntaxFault(`condition has invalid syntax: ${tokens.message}`);
  return parseByGrammar(conditionGrammar, 'booleanExpression', text, tokens) as unknown as BooleanExpression | OttlSyntaxFault;
}
