/** XML as a tree that is read strictly and written as the Collector writes it. Any thread. */

import { OttlError } from '../values.ts';

export interface XmlAttribute {
  readonly prefix: string;
  readonly name: string;
  readonly value: string;
}

/** `data` is the name of an element, the inside of everything else. */
export interface XmlNode {
  type: 'document' | 'element' | 'text' | 'cdata' | 'comment' | 'directive' | 'instruction';
  data: string;
  prefix: string;
  attributes: XmlAttribute[];
  children: XmlNode[];
  parent: XmlNode | undefined;
}

export function xmlNode(type: XmlNode['type'], data = '', prefix = ''): XmlNode {
  return { type, data, prefix, attributes: [], children: [], parent: undefined };
}

export function addChild(parent: XmlNode, child: XmlNode): void {
  child.parent = parent;
  parent.children.push(child);
}

export function removeFromTree(node: XmlNode): void {
  const siblings = node.parent?.children;
  if (siblings !== undefined) siblings.splice(siblings.indexOf(node), 1);
  node.parent = undefined;
}

export function innerText(node: XmlNode): string {
  if (node.type === 'text' || node.type === 'cdata') return node.data;
  return node.type === 'comment' ? '' : node.children.map(innerText).join('');
}

/** Elements within elements. Keeps the stack; the Collector's own bound is 10,000. */
const depthMax = 1000;
const entities: Record<string, string> = { lt: '<', gt: '>', amp: '&', apos: "'", quot: '"' };
const namePattern = /[\p{L}_:][\p{L}\p{M}\p{N}_:.\-·]*/uy;

class XmlFault {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

class Reader {
  readonly text: string;
  at = 0;
  /** Whether a start tag has been read. */
  opened = false;
  constructor(text: string) {
    this.text = text;
  }

  fault(reason: string): XmlFault {
    return new XmlFault(`XML syntax error on line ${this.text.slice(0, this.at).split('\n').length}: ${reason}`);
  }

  name(what: string): string {
    namePattern.lastIndex = this.at;
    const match = namePattern.exec(this.text);
    if (match === null) throw this.fault(`expected ${what}`);
    this.at += match[0].length;
    return match[0];
  }

  blanks(): void {
    while (/[ \t\r\n]/.test(this.text[this.at] ?? '')) this.at++;
  }

  /** Text up to `end`, which is skipped. */
  until(end: string, what: string): string {
    const to = this.text.indexOf(end, this.at);
    if (to < 0) {
      this.at = this.text.length;
      throw this.fault(what);
    }
    const inside = this.text.slice(this.at, to);
    this.at = to + end.length;
    return inside;
  }

  /** Resolves entities and line ends. */
  decoded(raw: string): string {
    return raw.replace(/\r\n?/g, '\n').replace(/&([^;&<]*);?/g, (whole, name: string) => {
      const code = /^#(?:x([0-9a-fA-F]+)|(\d+))$/.exec(name);
      const point = code === null ? Number.NaN : Number.parseInt(code[1] ?? code[2]!, code[1] === undefined ? 10 : 16);
      const valid =
        point <= 0x10ffff && !(point >= 0xd800 && point < 0xe000) && (point >= 0x20 || point === 9 || point === 10 || point === 13);
      if (whole.endsWith(';') && valid) return String.fromCodePoint(point);
      if (whole.endsWith(';') && Object.hasOwn(entities, name)) return entities[name]!;
      throw this.fault(`invalid character entity ${whole.endsWith(';') ? whole : `&${/^\w*/.exec(name)![0]} (no semicolon)`}`);
    });
  }
}

const split = (name: string): readonly [prefix: string, local: string] => {
  const colon = name.indexOf(':');
  return colon <= 0 || colon === name.length - 1 ? ['', name] : [name.slice(0, colon), name.slice(colon + 1)];
};

function startTag(reader: Reader): { node: XmlNode; closed: boolean } {
  const [prefix, local] = split(reader.name('element name after <'));
  const node = xmlNode('element', local, prefix);
  for (;;) {
    reader.blanks();
    const { text } = reader;
    if (text[reader.at] === '>') {
      reader.at++;
      return { node, closed: false };
    }
    if (text[reader.at] === '/') {
      if (text[++reader.at] !== '>') throw reader.fault('expected /> in element');
      reader.at++;
      return { node, closed: true };
    }
    if (reader.at >= text.length) throw reader.fault('unexpected EOF');
    const [attributePrefix, name] = split(reader.name('attribute name in element'));
    reader.blanks();
    if (text[reader.at] !== '=') throw reader.fault('attribute name without = in element');
    reader.at++;
    reader.blanks();
    const quote = text[reader.at];
    if (quote !== '"' && quote !== "'") throw reader.fault('unquoted or missing attribute value in element');
    reader.at++;
    const raw = reader.until(quote, 'unexpected EOF');
    if (raw.includes('<')) throw reader.fault('unescaped < inside quoted string');
    node.attributes.push({ prefix: attributePrefix, name, value: reader.decoded(raw) });
  }
}

/** What starts with <! or <?; answers undefined for an XML declaration, which is told apart. */
function markup(reader: Reader): XmlNode | undefined {
  const { text } = reader;
  if (text.startsWith('<!--', reader.at)) {
    reader.at += 4;
    const inside = reader.until('-->', 'unexpected EOF');
    if (inside.includes('--')) throw reader.fault('invalid sequence "--" not allowed in comments');
    return xmlNode('comment', inside);
  }
  if (text.startsWith('<![CDATA[', reader.at)) {
    reader.at += 9;
    return xmlNode('cdata', reader.until(']]>', 'unexpected EOF in CDATA section').replace(/\r\n?/g, '\n'));
  }
  if (text.startsWith('<?', reader.at)) {
    reader.at += 2;
    const target = reader.name('target name after <?');
    const inside = reader.until('?>', 'unexpected EOF').trim();
    return target === 'xml' ? undefined : xmlNode('instruction', inside === '' ? target : `${target} ${inside}`);
  }
  reader.at += 2;
  return xmlNode('directive', reader.until('>', 'unexpected EOF'));
}

function characters(reader: Reader): XmlNode {
  const to = reader.text.indexOf('<', reader.at);
  const raw = reader.text.slice(reader.at, to < 0 ? reader.text.length : to);
  if (raw.includes(']]>')) throw reader.fault('unescaped ]]> not in CDATA section');
  const node = xmlNode('text', reader.decoded(raw));
  reader.at += raw.length;
  return node;
}

/** Prefixes that an element may use: its own and its ancestors' declarations. */
function declares(node: XmlNode | undefined, prefix: string): boolean {
  for (let at = node; at !== undefined; at = at.parent) {
    if (at.attributes.some((each) => each.prefix === 'xmlns' && each.name === prefix)) return true;
  }
  return prefix === 'xml';
}

function parse(reader: Reader, rootOnly: boolean, namespaces: boolean): XmlNode {
  const document = xmlNode('document');
  let parent = document;
  let depth = 0;
  while (reader.at < reader.text.length) {
    const { text } = reader;
    if (text[reader.at] !== '<') {
      const node = characters(reader);
      if (!(rootOnly && depth === 0)) addChild(parent, node);
    } else if (text.startsWith('</', reader.at)) {
      reader.at += 2;
      const [prefix, local] = split(reader.name('element name after </'));
      reader.blanks();
      if (text[reader.at] !== '>') throw reader.fault(`invalid characters between </${local} and >`);
      reader.at++;
      if (depth === 0) throw reader.fault(`unexpected end element </${local}>`);
      if (parent.data !== local || parent.prefix !== prefix) throw reader.fault(`element <${parent.data}> closed by </${local}>`);
      parent = parent.parent!;
      if (--depth === 0 && rootOnly) return document;
    } else if (text[reader.at + 1] === '!' || text[reader.at + 1] === '?') {
      const node = markup(reader);
      if (node === undefined) {
        if (!rootOnly)
          addChild(parent, xmlNode('instruction', text.slice(text.lastIndexOf('<?', reader.at - 1) + 2, reader.at - 2).trim()));
      } else addChild(parent, node);
    } else {
      reader.at++;
      const { node, closed } = startTag(reader);
      addChild(parent, node);
      reader.opened = true;
      if (namespaces && node.prefix !== '' && !declares(node, node.prefix)) {
        throw new XmlFault(`xmlquery: invalid XML document, namespace ${node.prefix} is missing`);
      }
      if (closed) {
        if (depth === 0 && rootOnly) return document;
        continue;
      }
      if (++depth > depthMax) throw new XmlFault('exceeded maximum XML nesting depth');
      parent = node;
    }
  }
  if (depth > 0) throw reader.fault('unexpected EOF');
  return document;
}

/** A document, or a fragment of one: any number of elements and text side by side. */
export function parseXmlTree(text: string): XmlNode | OttlError {
  try {
    return parse(new Reader(text), false, true);
  } catch (fault) {
    if (fault instanceof XmlFault) return new OttlError(`parse xml: ${fault.message}`);
    throw fault;
  }
}

/** The root element, behind which nothing may follow. */
export function parseXmlRoot(text: string): XmlNode | OttlError {
  const reader = new Reader(text);
  try {
    const root = parse(reader, true, false).children.find((node) => node.type === 'element');
    if (root === undefined) return new OttlError('unmarshal xml: EOF');
    return reader.at === text.length ? root : new OttlError('trailing bytes after parsing xml');
  } catch (fault) {
    if (fault instanceof XmlFault) return new OttlError(`unmarshal xml: ${reader.opened ? 'decode next token: ' : ''}${fault.message}`);
    throw fault;
  }
}

const htmlEscapes: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&#34;', "'": '&#39;' };
const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (char) => htmlEscapes[char]!);

/** The text of a node; of a document, the text of its children. */
export function writeXml(node: XmlNode): string {
  const inside = () => node.children.map(writeXml).join('');
  switch (node.type) {
    case 'document':
      return inside();
    case 'text':
      return escapeHtml(node.data);
    case 'cdata':
      return `<![CDATA[${node.data}]]>`;
    case 'comment':
      return `<!--${node.data}-->`;
    case 'directive':
      return `<!${node.data}>`;
    case 'instruction':
      return `<?${node.data}?>`;
    case 'element': {
      const name = node.prefix === '' ? node.data : `${node.prefix}:${node.data}`;
      const attributes = node.attributes.map(
        (each) => ` ${each.prefix === '' ? '' : `${each.prefix}:`}${each.name}="${escapeHtml(each.value)}"`,
      );
      return `<${name}${attributes.join('')}>${inside()}</${name}>`;
    }
  }
}
