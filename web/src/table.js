// Tables that sort by a click (or Enter) on a heading and filter by typing; long ones show their
// first rows until asked.
import {append, h, sourceTag} from './dom.js';
import {columnStep, digits, label} from './units.js';

const ROWS_SHOWN = 25;
const ITEMS_SHOWN = 6; // of a list in a cell

// Nested objects become dotted columns; lists of numbers stay one cell.
function flatten(row, prefix = '', out = {}) {
  for (const [key, value] of Object.entries(row)) {
    const path = prefix ? `${prefix}.${key}` : key;
    const nested = value !== null && typeof value === 'object' && !Array.isArray(value);
    if (nested) flatten(value, path, out);
    else
      out[path] =
        Array.isArray(value) && value.length === 1 && typeof value[0] === 'number'
          ? value[0]
          : value;
  }
  return out;
}

function isNumeric(rows, column) {
  return rows.some((row) => typeof row[column] === 'number');
}

function listText(values) {
  if (values.every((v) => v !== null && typeof v === 'object')) {
    return values
      .map((v) =>
        Object.values(v)
          .filter((x) => typeof x !== 'object')
          .slice(0, 3)
          .map((x) => (typeof x === 'number' ? digits(x) : x))
          .join(' '),
      )
      .join('; ');
  }
  const shown = values.slice(0, ITEMS_SHOWN).map((v) => (typeof v === 'number' ? digits(v) : v));
  return shown.join(', ') + (values.length > ITEMS_SHOWN ? `, … ${values.length} in all` : '');
}

function cellText(value, step) {
  if (value === undefined || value === null || value === '') return '–';
  if (typeof value === 'number') return digits(step ? value * step.factor : value);
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (Array.isArray(value)) return value.length ? listText(value) : '–';
  return String(value);
}

function compare(a, b) {
  const missing = (v) => v === undefined || v === null || v === '';
  if (missing(a) || missing(b)) return missing(a) - missing(b);
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return String(a).localeCompare(String(b), 'en', {numeric: true});
}

class Table {
  constructor(rows, options) {
    this.rows = rows.map((row) => flatten(row));
    this.options = options;
    const found = new Set(this.rows.flatMap((row) => Object.keys(row)));
    const first = (options.first ?? []).filter((column) => found.has(column));
    const rest = [...found].filter((column) => !first.includes(column));
    this.every = [...first, ...rest];
    this.columns = options.first && rest.length > 2 ? first : this.every;
    this.steps = Object.fromEntries(
      this.every
        .filter((c) => isNumeric(this.rows, c))
        .map((c) => [
          c,
          columnStep(
            c,
            this.rows.map((row) => row[c]),
          ),
        ]),
    );
    this.sort = null;
    this.filter = '';
    this.whole = false;
    this.element = this.build();
    this.draw();
  }

  build() {
    this.head = h('thead');
    this.body = h('tbody');
    this.status = h('span', {class: 'count', 'aria-live': 'polite'});
    this.more = h('button', {type: 'button', onclick: () => this.showAll()});
    const wide = h(
      'button',
      {type: 'button', onclick: () => this.showColumns(wide)},
      'All columns',
    );
    const search = h('input', {
      type: 'search',
      placeholder: 'Filter rows…',
      'aria-label': `Filter ${this.options.title}`,
      oninput: () => {
        this.filter = search.value.toLowerCase();
        this.draw();
      },
    });
    const controls = h(
      'div',
      {class: 'controls'},
      this.rows.length > 5 && search,
      this.columns.length < this.every.length && wide,
      this.status,
    );
    const table = h(
      'table',
      {},
      h('caption', {class: 'hidden'}, this.options.title),
      this.head,
      this.body,
    );
    return h(
      'div',
      {class: 'tablebox'},
      controls,
      h(
        'div',
        {class: 'wide', tabindex: 0, role: 'region', 'aria-label': this.options.title},
        table,
      ),
      this.more,
    );
  }

  showAll() {
    this.whole = true;
    this.draw();
  }

  showColumns(button) {
    const all = this.columns.length === this.every.length;
    this.columns = all ? this.options.first.filter((c) => this.every.includes(c)) : this.every;
    append((button.replaceChildren(), button), [all ? 'All columns' : 'Fewer columns']);
    this.draw();
  }

  heading(column) {
    const step = this.steps[column];
    const active = this.sort?.column === column;
    const direction = active ? (this.sort.down ? 'descending' : 'ascending') : 'none';
    const mark = active ? (this.sort.down ? ' ▼' : ' ▲') : '';
    const unit = step && h('span', {class: 'unit'}, step.name);
    const source = step && sourceTag(this.options.sourceOf?.(column));
    return h(
      'th',
      {'aria-sort': direction, class: step ? 'number' : '', scope: 'col'},
      h(
        'button',
        {type: 'button', onclick: () => this.sortBy(column)},
        this.options.labels?.[column] ?? label(column),
        mark,
      ),
      step && h('div', {class: 'about'}, unit, source),
    );
  }

  sortBy(column) {
    const down = this.sort?.column === column ? !this.sort.down : column in this.steps;
    this.sort = {column, down};
    this.draw();
    [...this.head.querySelectorAll('button')][this.columns.indexOf(column)]?.focus();
  }

  visibleRows() {
    let rows = this.rows;
    if (this.filter) {
      rows = rows.filter((row) =>
        Object.values(row).some((value) => cellText(value).toLowerCase().includes(this.filter)),
      );
    }
    if (this.sort) {
      const {column, down} = this.sort;
      rows = [...rows].sort((a, b) => compare(a[column], b[column]) * (down ? -1 : 1));
    }
    return rows;
  }

  cell(row, column) {
    const value = row[column];
    const text = cellText(value, this.steps[column]);
    const bar = this.options.bars?.includes(column) && typeof value === 'number';
    const state = typeof value === 'boolean' && /passed|confirmed/.test(column);
    const classes = [
      typeof value === 'number' ? 'number' : '',
      state ? (value ? 'good' : 'bad') : '',
      text.length > 40 ? 'long' : text.length < 30 ? 'short' : '',
    ];
    return h(
      'td',
      {class: classes.join(' ').trim() || null},
      bar &&
        h('span', {
          class: 'bar',
          'aria-hidden': 'true',
          style: {width: `${Math.min(100, Math.max(0, value * 100))}%`},
        }),
      text,
    );
  }

  draw() {
    const rows = this.visibleRows();
    const shown = this.whole ? rows : rows.slice(0, ROWS_SHOWN);
    this.head.replaceChildren(
      h(
        'tr',
        {},
        this.columns.map((column) => this.heading(column)),
      ),
    );
    this.body.replaceChildren(
      ...shown.map((row) =>
        h(
          'tr',
          {},
          this.columns.map((column) => this.cell(row, column)),
        ),
      ),
    );
    const total =
      rows.length === this.rows.length
        ? `${rows.length} rows`
        : `${rows.length} of ${this.rows.length} rows`;
    this.status.textContent = total;
    this.more.textContent = `Show all ${rows.length} rows`;
    this.more.hidden = shown.length === rows.length;
  }
}

// options: title, first (columns to show before "All columns"), bars (columns of shares drawn as
// bars), labels (column -> heading), sourceOf(column).
export function table(rows, options) {
  return new Table(rows, options).element;
}

// An object of plain values as rows of name, value and source.
export function figures(entries, title) {
  const row = ([name, text, source]) =>
    h('tr', {}, h('th', {scope: 'row'}, name), h('td', {}, text), h('td', {}, sourceTag(source)));
  return h(
    'div',
    {class: 'wide'},
    h(
      'table',
      {class: 'figures'},
      h('caption', {class: 'hidden'}, title),
      h('tbody', {}, entries.map(row)),
    ),
  );
}
