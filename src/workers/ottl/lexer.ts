/** Cuts the text of an OTTL condition into tokens with exact positions. Any thread, at compile time. */

import { goQuote } from './go-text.ts';

export const tokenTypes = [
  'EOF',
  'Bytes',
  'Float',
  'Int',
  'String',
  'Nil',
  'OpNot',
  'OpOr',
  'OpAnd',
  'OpComparison',
  'LambdaArrow',
  'OpAddSub',
  'OpMultDiv',
  'Boolean',
  'Equal',
  'LParen',
  'RParen',
  'LBrace',
  'RBrace',
  'Colon',
  'Punct',
  'Uppercase',
  'Lowercase',
  'Underscore',
] as const;
export type TokenType = (typeof tokenTypes)[number];

/** Units: `at` UTF-16 index, `line` and `column` count from 1, columns in characters. `value` of a String is unquoted. */
export interface Token {
  readonly type: TokenType;
  readonly value: string;
  readonly at: number;
  readonly line: number;
  readonly column: number;
}

/** A text that is no condition. `message` is the Collector's, complete. */
export class OttlSyntaxFault {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

/** The rules in the order in which they are tried; the first that matches wins, not the longest. */
const rules: readonly (readonly [TokenType | 'whitespace', RegExp])[] = [
  ['Bytes', /0x[a-fA-F0-9]+/y],
  ['Float', /(?:\d+\.\d*|\d*\.\d+)(?:[eE][-+]?\d+)?/y],
  ['Int', /\d+/y],
  ['Nil', /nil\b/y],
  ['OpNot', /not\b/y],
  ['OpOr', /or\b/y],
  ['OpAnd', /and\b/y],
  ['OpComparison', /==|!=|>=|<=|>|</y],
  ['LambdaArrow', /=>/y],
  ['OpAddSub', /[+-]/y],
  ['OpMultDiv', /[/*]/y],
  ['Boolean', /(?:true|false)\b/y],
  ['Equal', /=/y],
  ['LParen', /\(/y],
  ['RParen', /\)/y],
  ['LBrace', /\{/y],
  ['RBrace', /\}/y],
  ['Colon', /:/y],
  ['Punct', /[,.[\]]/y],
  ['Uppercase', /[A-Z][A-Z0-9_]*/y],
  ['Lowercase', /[a-z][a-z0-9_]*/y],
  ['whitespace', /[\t\n\f\r ]+/y],
  ['Underscore', /_\b/y],
];

/** Length of the string literal at `at` with its quotes, 0 if there is none. */
function stringLength(text: string, at: number): number {
  if (text[at] !== '"') return 0;
  for (let i = at + 1; i < text.length; i++) {
    const char = text[i];
    if (char === '"') return i + 1 - at;
    if (char === '\\') {
      i++;
      if (text[i] === '\n' || i >= text.length) return 0;
    }
  }
  return 0;
}

const simpleEscapes: Record<string, string> = { a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', '\\': '\\', '"': '"' };
const hexLengths: Record<string, number> = { x: 2, u: 4, U: 8 };

/** Resolves Go's escapes in the inside of a string literal; undefined where Go says "invalid syntax". */
export function unquote(inside: string): string | undefined {
  if (!inside.includes('\\')) return inside;
  let out = '';
  for (let i = 0; i < inside.length; ) {
    const char = inside[i]!;
    if (char !== '\\') {
      out += char;
      i++;
      continue;
    }
    const kind = inside[i + 1] ?? '';
    const simple = simpleEscapes[kind];
    if (simple !== undefined) {
      out += simple;
      i += 2;
      continue;
    }
    const octal = kind >= '0' && kind <= '7';
    const digits = octal ? inside.slice(i + 1, i + 4) : inside.slice(i + 2, i + 2 + (hexLengths[kind] ?? 0));
    if (!(octal ? /^[0-7]{3}$/ : /^[0-9a-fA-F]+$/).test(digits) || (!octal && digits.length !== hexLengths[kind])) return undefined;
    const code = Number.parseInt(digits, octal ? 8 : 16);
    if ((octal && code > 255) || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return undefined;
    out += String.fromCodePoint(code);
    i += (octal ? 1 : 2) + digits.length;
  }
  return out;
}

/**
 * All tokens of `text`, an EOF last.
 *
 * Errors: the first text that is no token, or a string literal with an escape that Go does not know.
 */
export function lex(text: string): Token[] | OttlSyntaxFault {
  const tokens: Token[] = [];
  let at = 0;
  let line = 1;
  let column = 1;
  while (at < text.length) {
    let type: TokenType | 'whitespace' | undefined;
    let length = stringLength(text, at);
    if (length > 0) type = 'String';
    else {
      for (const [name, pattern] of rules) {
        pattern.lastIndex = at;
        const match = pattern.exec(text);
        if (match === null) continue;
        type = name;
        length = match[0].length;
        break;
      }
    }
    if (type === undefined) {
      const rest = Array.from(text.slice(at, at + 40));
      const sample = rest.length > 16 ? `${rest.slice(0, 16).join('')}...` : rest.join('');
      return new OttlSyntaxFault(`${line}:${column}: lexer: invalid input text ${goQuote(sample)}`);
    }
    const span = text.slice(at, at + length);
    if (type !== 'whitespace') {
      const value = type === 'String' ? unquote(span.slice(1, -1)) : span;
      if (value === undefined) return new OttlSyntaxFault(`${line}:${column}: invalid quoted string ${goQuote(span)}: invalid syntax`);
      tokens.push({ type, value, at, line, column });
    }
    const newline = span.lastIndexOf('\n');
    if (newline < 0) column += charCount(span);
    else {
      line += span.split('\n').length - 1;
      column = charCount(span.slice(newline));
    }
    at += length;
  }
  tokens.push({ type: 'EOF', value: '', at, line, column });
  return tokens;
}

function charCount(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}
