// The page of one document: verdict first, then key figures, charts, tables; whatever no command
// claims is shown as well, so that nothing of a document is ever hidden.
import {h, sourceTag} from './dom.js';
import {plot} from './plot.js';
import {sourceOf} from './sources.js';
import {figures, table} from './table.js';
import {label, withUnit} from './units.js';

const ALWAYS_USED = ['command_line', 'schema', 'version', 'passed', 'warnings', 'sources'];

export function commandOf(doc) {
  const match = /^edgewright\.([a-z -]+)\//.exec(doc.schema ?? '');
  return match ? match[1].replaceAll(' ', '-') : '';
}

const LONG_TEXT = 22; // of a tile, beyond which its letters are smaller

const isRecord = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);
const isRows = (value) => Array.isArray(value) && value.length > 0 && value.every(isRecord);

export class Page {
  // `prefix` keeps the names of a nested document's sections apart.
  constructor(doc, prefix = '') {
    this.doc = doc;
    this.prefix = prefix;
    this.command = commandOf(doc);
    this.used = new Set(ALWAYS_USED);
    this.sections = [];
    this.figures = [];
  }

  source(path) {
    return sourceOf(this.doc, this.command, path);
  }
  use(...keys) {
    for (const key of keys) this.used.add(key);
    return this;
  }

  // A key figure: `path` into the document, with its unit.
  tile(name, path, more) {
    const value = path.split('.').reduce((at, key) => at?.[key], this.doc);
    if (value === undefined || value === null || value === '') return this;
    this.figures.push({
      name,
      text: withUnit(path, value),
      source: typeof value === 'number' ? this.source(path) : '',
      more,
    });
    return this;
  }
  // The same of a value that the document only implies.
  fact(name, text, source, more) {
    this.figures.push({name, text, source, more});
    return this;
  }

  section(title, ...content) {
    const id = `${this.prefix}${title.toLowerCase().replace(/[^a-z0-9]+/g, '-')}`;
    this.sections.push({
      title,
      id,
      element: h(
        'section',
        {id, 'aria-labelledby': `${id}-title`},
        h('h2', {id: `${id}-title`}, title),
        content,
      ),
    });
    return this;
  }
  chart(chart, ...more) {
    return this.section(chart.title, plot(chart), more);
  }
  // The rows under a key of the document; no section where there are none.
  rows(title, key, options = {}) {
    this.use(key);
    const value = options.rows ?? this.doc[key];
    if (!isRows(value)) return this;
    return this.section(
      title,
      options.note && h('p', {class: 'note'}, options.note),
      table(value, {title, sourceOf: (column) => this.source(`${key}.${column}`), ...options}),
    );
  }

  // What no section has claimed.
  rest() {
    const plain = [];
    for (const [key, value] of Object.entries(this.doc)) {
      if (this.used.has(key)) continue;
      if (isRows(value)) this.rows(capital(label(key)), key);
      else if (isRecord(value)) this.record(key, value);
      else if (Array.isArray(value) ? value.length : value !== null && value !== '')
        plain.push([key, value]);
    }
    if (plain.length) {
      this.section(
        'Details',
        figures(
          plain.map(([key, value]) => this.entry(key, key, value)),
          'Details',
        ),
      );
    }
  }
  entry(name, path, value) {
    const text = Array.isArray(value)
      ? value
          .slice(0, 40)
          .map((v) => (isRecord(v) ? JSON.stringify(v) : withUnit(path, v, true)))
          .join(', ') + (value.length > 40 ? ` … (${value.length})` : '')
      : typeof value === 'boolean'
        ? value
          ? 'yes'
          : 'no'
        : isRecord(value)
          ? JSON.stringify(value)
          : withUnit(path, value);
    const number =
      typeof value === 'number' || (Array.isArray(value) && typeof value[0] === 'number');
    return [capital(label(name)), text, number ? this.source(path) : ''];
  }
  record(key, value) {
    const entries = Object.entries(value);
    if (!entries.length) return;
    this.used.add(key);
    if (entries.every(([, v]) => isRecord(v))) {
      const rows = entries.map(([name, v]) => ({name, ...v}));
      this.rows(capital(label(key)), key, {rows});
    } else {
      this.section(
        capital(label(key)),
        figures(
          entries.map(([name, v]) => this.entry(name, `${key}.${name}`, v)),
          label(key),
        ),
      );
    }
  }
}

export function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

// The number large, its unit small.
function withSmallUnit(text) {
  const [number, ...unit] = text.split('\u00a0');
  return unit.length ? [number, '\u00a0', h('span', {class: 'unit'}, unit.join('\u00a0'))] : text;
}

export function tiles(list) {
  return h(
    'dl',
    {class: 'tiles'},
    list.map((tile) =>
      h(
        'div',
        {class: 'tile'},
        h('dt', {}, tile.name),
        h(
          'dd',
          {class: tile.text.length > LONG_TEXT ? 'long' : null},
          withSmallUnit(tile.text),
          tile.more && h('small', {}, tile.more),
        ),
        sourceTag(tile.source),
      ),
    ),
  );
}

export function warnings(list) {
  if (!list?.length) return null;
  return h(
    'ul',
    {class: 'warnings', 'aria-label': 'Warnings'},
    list.map((text) => h('li', {}, text)),
  );
}
