/** XPath 1.0 over XML trees: location paths with all common axes, predicates and the core functions on them. Any thread. */

import { CompileFault } from '../getter.ts';
import { innerText, type XmlNode } from './xml-tree.ts';

/** What a path selects: nodes, and attributes of them. */
export interface XPathAttribute {
  readonly type: 'attribute';
  readonly owner: XmlNode;
  readonly index: number;
}
export type XPathItem = XmlNode | XPathAttribute;
type Value = XPathItem[] | string | number | boolean;
interface Context {
  readonly item: XPathItem;
  readonly position: number;
  readonly size: number;
}
type Expression = (context: Context) => Value;

export function textOfItem(item: XPathItem): string {
  return item.type === 'attribute' ? item.owner.attributes[item.index]!.value : innerText(item);
}

const isNodes = (value: Value): value is XPathItem[] => Array.isArray(value);
const toText = (value: Value): string => (isNodes(value) ? (value.length === 0 ? '' : textOfItem(value[0]!)) : String(value));
const toNumber = (value: Value): number =>
  typeof value === 'boolean' ? Number(value) : typeof value === 'number' ? value : Number.parseFloat(toText(value));
const toBoolean = (value: Value): boolean => (isNodes(value) ? value.length > 0 : Boolean(value));

function compare(left: Value, right: Value, op: string): boolean {
  if (isNodes(left))
    return left.some((item) => compare(typeof right === 'number' ? Number.parseFloat(textOfItem(item)) : textOfItem(item), right, op));
  if (isNodes(right))
    return right.some((item) => compare(left, typeof left === 'number' ? Number.parseFloat(textOfItem(item)) : textOfItem(item), op));
  if (op === '=' || op === '!=') {
    const equal =
      typeof left === 'number' || typeof right === 'number' ? toNumber(left) === toNumber(right) : toText(left) === toText(right);
    return equal === (op === '=');
  }
  const [a, b] = [toNumber(left), toNumber(right)];
  return op === '<' ? a < b : op === '<=' ? a <= b : op === '>' ? a > b : a >= b;
}

function descendants(node: XmlNode, out: XPathItem[] = []): XPathItem[] {
  for (const child of node.children) {
    out.push(child);
    descendants(child, out);
  }
  return out;
}

const parentOf = (item: XPathItem): XmlNode | undefined => (item.type === 'attribute' ? item.owner : item.parent);

function ancestors(item: XPathItem): XmlNode[] {
  const out: XmlNode[] = [];
  for (let at = parentOf(item); at !== undefined; at = at.parent) out.push(at);
  return out;
}

function siblings(item: XPathItem, after: boolean): XPathItem[] {
  if (item.type === 'attribute' || item.parent === undefined) return [];
  const all = item.parent.children;
  const at = all.indexOf(item);
  return after ? all.slice(at + 1) : all.slice(0, at).reverse();
}

const axes: Record<string, (item: XPathItem) => XPathItem[]> = {
  child: (item) => (item.type === 'attribute' ? [] : [...item.children]),
  attribute: (item) =>
    item.type === 'attribute'
      ? []
      : item.attributes
          .map((each, index) => ({ each, index }))
          .filter(({ each }) => each.prefix !== 'xmlns' && each.name !== 'xmlns')
          .map(({ index }) => ({ type: 'attribute', owner: item, index })),
  self: (item) => [item],
  parent: (item) => [parentOf(item)].filter((each) => each !== undefined),
  descendant: (item) => (item.type === 'attribute' ? [] : descendants(item)),
  'descendant-or-self': (item) => [item, ...(item.type === 'attribute' ? [] : descendants(item))],
  ancestor: ancestors,
  'ancestor-or-self': (item) => [item, ...ancestors(item)],
  'following-sibling': (item) => siblings(item, true),
  'preceding-sibling': (item) => siblings(item, false),
};

type Test = (item: XPathItem) => boolean;

function nameTest(prefix: string, name: string, axis: string): Test {
  return (item) => {
    if (item.type === 'attribute') {
      const attribute = item.owner.attributes[item.index]!;
      return (name === '*' || attribute.name === name) && (prefix === '' || attribute.prefix === prefix);
    }
    return (
      axis !== 'attribute' &&
      item.type === 'element' &&
      (name === '*' || item.data === name) &&
      (prefix === '' ? name === '*' || item.prefix === '' : item.prefix === prefix)
    );
  };
}

const typeTests: Record<string, Test> = {
  node: () => true,
  text: (item) => item.type === 'text' || item.type === 'cdata',
  comment: (item) => item.type === 'comment',
  'processing-instruction': (item) => item.type === 'instruction',
};

const functions: Record<string, readonly [min: number, max: number, run: (args: Value[], context: Context) => Value]> = {
  position: [0, 0, (_, context) => context.position],
  last: [0, 0, (_, context) => context.size],
  true: [0, 0, () => true],
  false: [0, 0, () => false],
  not: [1, 1, ([value]) => !toBoolean(value!)],
  boolean: [1, 1, ([value]) => toBoolean(value!)],
  count: [1, 1, ([value]) => (isNodes(value!) ? value.length : 0)],
  number: [0, 1, ([value], context) => toNumber(value ?? [context.item])],
  string: [0, 1, ([value], context) => toText(value ?? [context.item])],
  name: [0, 1, ([value], context) => nameOf(value, context, true)],
  'local-name': [0, 1, ([value], context) => nameOf(value, context, false)],
  concat: [2, 99, (args) => args.map(toText).join('')],
  contains: [2, 2, ([a, b]) => toText(a!).includes(toText(b!))],
  'starts-with': [2, 2, ([a, b]) => toText(a!).startsWith(toText(b!))],
  'ends-with': [2, 2, ([a, b]) => toText(a!).endsWith(toText(b!))],
  'string-length': [0, 1, ([value], context) => Array.from(toText(value ?? [context.item])).length],
  'normalize-space': [
    0,
    1,
    ([value], context) =>
      toText(value ?? [context.item])
        .trim()
        .replace(/\s+/g, ' '),
  ],
  'lower-case': [1, 1, ([value]) => toText(value!).toLowerCase()],
  'upper-case': [1, 1, ([value]) => toText(value!).toUpperCase()],
  substring: [
    2,
    3,
    ([value, from, length]) => {
      const start = Math.round(toNumber(from!));
      const end = length === undefined ? Number.POSITIVE_INFINITY : start + Math.round(toNumber(length));
      return Array.from(toText(value!))
        .filter((_, i) => i + 1 >= start && i + 1 < end)
        .join('');
    },
  ],
  'substring-before': [2, 2, ([a, b]) => (toText(a!).includes(toText(b!)) ? toText(a!).slice(0, toText(a!).indexOf(toText(b!))) : '')],
  'substring-after': [
    2,
    2,
    ([a, b]) => (toText(a!).includes(toText(b!)) ? toText(a!).slice(toText(a!).indexOf(toText(b!)) + toText(b!).length) : ''),
  ],
  sum: [
    1,
    1,
    ([value]) => (isNodes(value!) ? value.reduce((sum, item) => sum + Number.parseFloat(textOfItem(item)), 0) : toNumber(value!)),
  ],
  floor: [1, 1, ([value]) => Math.floor(toNumber(value!))],
  ceiling: [1, 1, ([value]) => Math.ceil(toNumber(value!))],
  round: [1, 1, ([value]) => Math.round(toNumber(value!))],
};

function nameOf(value: Value | undefined, context: Context, prefixed: boolean): string {
  const item = value === undefined ? context.item : isNodes(value) ? value[0] : undefined;
  if (item === undefined) return '';
  const [prefix, name] =
    item.type === 'attribute'
      ? [item.owner.attributes[item.index]!.prefix, item.owner.attributes[item.index]!.name]
      : [item.prefix, item.type === 'element' ? item.data : ''];
  return prefixed && prefix !== '' ? `${prefix}:${name}` : name;
}

const tokenPattern =
  /\s*(?:(\d+(?:\.\d*)?|\.\d+)|("[^"]*"|'[^']*')|(::|\/\/|\.\.|!=|<=|>=|[/@.[\]()|=<>+\-*,:$])|([\p{L}_][\p{L}\p{N}_.-]*))/uy;

/** Tokens: numbers, strings with their quotes, operators and names; '' ends them. */
function tokensOf(text: string): string[] {
  const tokens: string[] = [];
  tokenPattern.lastIndex = 0;
  while (tokenPattern.lastIndex < text.length) {
    const at = tokenPattern.lastIndex;
    const match = tokenPattern.exec(text);
    if (match === null) {
      if (text.slice(at).trim() === '') break;
      throw new CompileFault(`invalid xpath: ${text} has an invalid token`);
    }
    tokens.push(match[0].trim());
  }
  return tokens;
}

const depthMax = 100;
/** Binary operators by rising strength. */
const levels: readonly (readonly string[])[] = [['or'], ['and'], ['=', '!='], ['<', '<=', '>', '>='], ['+', '-'], ['*', 'div', 'mod']];

class Parser {
  readonly #tokens: readonly string[];
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = tokensOf(text);
  }

  whole(): Expression {
    const expression = this.#binary(0);
    if (this.#at < this.#tokens.length) throw this.#fault();
    return expression;
  }

  #fault(): CompileFault {
    return new CompileFault(`invalid xpath: ${this.#text} has an invalid token`);
  }
  #peek(ahead = 0): string {
    return this.#tokens[this.#at + ahead] ?? '';
  }
  #take(token: string): boolean {
    if (this.#peek() !== token) return false;
    this.#at++;
    return true;
  }
  #expect(token: string): void {
    if (!this.#take(token)) throw this.#fault();
  }

  #binary(level: number): Expression {
    if (level === levels.length) return this.#union();
    let left = this.#binary(level + 1);
    while (levels[level]!.includes(this.#peek())) {
      const op = this.#tokens[this.#at++]!;
      const [a, b] = [left, this.#binary(level + 1)];
      left = binary(op, a, b);
    }
    return left;
  }

  #union(): Expression {
    if (this.#take('-')) {
      const operand = this.#union();
      return (context) => -toNumber(operand(context));
    }
    const parts = [this.#path()];
    while (this.#take('|')) parts.push(this.#path());
    if (parts.length === 1) return parts[0]!;
    return (context) => [...new Set(parts.flatMap((part) => asNodes(part(context))))];
  }

  #path(): Expression {
    if (++this.#depth > depthMax) throw this.#fault();
    const path = this.#locationPath();
    this.#depth--;
    return path;
  }

  #locationPath(): Expression {
    const token = this.#peek();
    const steps: ((items: XPathItem[]) => XPathItem[])[] = [];
    let start: Expression = (context) => [context.item];
    if (token === '/' || token === '//') {
      this.#at++;
      start = (context) => [ancestors(context.item).at(-1) ?? context.item];
      if (token === '//') steps.push(step(axes['descendant-or-self']!, () => true, []));
      else if (!this.#startsStep()) return start;
      steps.push(this.#step());
    } else if (this.#startsPrimary()) {
      start = this.#primary();
      const predicates = this.#predicates();
      if (predicates.length > 0) steps.push((items) => predicates.reduce((kept, predicate) => filtered(kept, predicate), items));
      if (steps.length === 0 && this.#peek() !== '/' && this.#peek() !== '//') return start;
    } else steps.push(this.#step());
    for (;;) {
      if (this.#take('//')) steps.push(step(axes['descendant-or-self']!, () => true, []));
      else if (!this.#take('/')) break;
      steps.push(this.#step());
    }
    return (context) => steps.reduce((items, each) => each(items), asNodes(start(context)));
  }

  #startsStep(): boolean {
    return /^(?:@|\.\.?|\*|[\p{L}_])/u.test(this.#peek());
  }
  #startsPrimary(): boolean {
    const token = this.#peek();
    if (/^(?:["'(]|\d|\.\d)/.test(token)) return true;
    return this.#peek(1) === '(' && /^[\p{L}_]/u.test(token) && !Object.hasOwn(typeTests, token);
  }

  #primary(): Expression {
    const token = this.#tokens[this.#at++]!;
    if (token === '(') {
      const inside = this.#binary(0);
      this.#expect(')');
      return inside;
    }
    if (/^["']/.test(token)) return () => token.slice(1, -1);
    if (/^[\d.]/.test(token)) return () => Number(token);
    const found = Object.hasOwn(functions, token) ? functions[token] : undefined;
    if (found === undefined) throw new CompileFault(`invalid xpath: not yet support this function ${token}()`);
    this.#expect('(');
    const args: Expression[] = [];
    if (!this.#take(')')) {
      do args.push(this.#binary(0));
      while (this.#take(','));
      this.#expect(')');
    }
    const [min, max, run] = found;
    if (args.length < min || args.length > max) throw new CompileFault(`invalid xpath: ${token}() has the wrong number of arguments`);
    return (context) =>
      run(
        args.map((arg) => arg(context)),
        context,
      );
  }

  #predicates(): Expression[] {
    const predicates: Expression[] = [];
    while (this.#take('[')) {
      predicates.push(this.#binary(0));
      this.#expect(']');
    }
    return predicates;
  }

  #step(): (items: XPathItem[]) => XPathItem[] {
    if (this.#take('.')) return step(axes.self!, () => true, this.#predicates());
    if (this.#take('..')) return step(axes.parent!, () => true, this.#predicates());
    let axis = 'child';
    if (this.#take('@')) axis = 'attribute';
    else if (this.#peek(1) === '::') {
      axis = this.#peek();
      if (!Object.hasOwn(axes, axis)) throw this.#fault();
      this.#at += 2;
    }
    const name = this.#tokens[this.#at++] ?? '';
    if (name !== '*' && !/^[\p{L}_]/u.test(name)) throw this.#fault();
    let test: Test;
    if (this.#peek() === '(' && Object.hasOwn(typeTests, name)) {
      this.#at++;
      this.#expect(')');
      test = typeTests[name]!;
    } else if (this.#take(':')) {
      const local = this.#tokens[this.#at++] ?? '';
      test = nameTest(name, local, axis);
    } else test = nameTest('', name, axis);
    return step(axes[axis]!, test, this.#predicates());
  }
}

const asNodes = (value: Value): XPathItem[] => (isNodes(value) ? value : []);

function filtered(items: XPathItem[], predicate: Expression): XPathItem[] {
  return items.filter((item, i) => {
    const value = predicate({ item, position: i + 1, size: items.length });
    return typeof value === 'number' ? value === i + 1 : toBoolean(value);
  });
}

function step(axis: (item: XPathItem) => XPathItem[], test: Test, predicates: readonly Expression[]): (items: XPathItem[]) => XPathItem[] {
  return (items) => {
    const found = new Set<XPathItem>();
    for (const item of items) {
      let kept = axis(item).filter(test);
      for (const predicate of predicates) kept = filtered(kept, predicate);
      for (const each of kept) found.add(each);
    }
    return [...found];
  };
}

function binary(op: string, left: Expression, right: Expression): Expression {
  switch (op) {
    case 'or':
      return (context) => toBoolean(left(context)) || toBoolean(right(context));
    case 'and':
      return (context) => toBoolean(left(context)) && toBoolean(right(context));
    case '+':
      return (context) => toNumber(left(context)) + toNumber(right(context));
    case '-':
      return (context) => toNumber(left(context)) - toNumber(right(context));
    case '*':
      return (context) => toNumber(left(context)) * toNumber(right(context));
    case 'div':
      return (context) => toNumber(left(context)) / toNumber(right(context));
    case 'mod':
      return (context) => toNumber(left(context)) % toNumber(right(context));
    default:
      return (context) => compare(left(context), right(context), op);
  }
}

/** Errors: throws CompileFault for what is no XPath. */
export function compileXPath(text: string): (root: XmlNode) => XPathItem[] {
  const expression = new Parser(text).whole();
  return (root) => asNodes(expression({ item: root, position: 1, size: 1 }));
}
