// Bars made of plain elements: they wrap on a phone, print, and are read as the lists they are.
import {h, sourceTag} from '../dom.js';
import {columnStep, digits} from '../units.js';

// A count is of something: `noun` says of what.
function named(step, noun) {
  return noun ? {factor: 1, name: noun} : step;
}

// rows: {name, value, text}; the longest fills the width. `path` names the unit.
export function bars(rows, {path, source, title, noun}) {
  const largest = Math.max(...rows.map((row) => Math.abs(row.value)), 1e-300);
  const step = named(
    columnStep(
      path,
      rows.map((row) => row.value),
    ),
    noun,
  );
  return h(
    'div',
    {class: 'bars', role: 'list', 'aria-label': title},
    h('div', {class: 'about'}, step.name, ' ', sourceTag(source)),
    rows.map((row) =>
      h(
        'div',
        {class: 'row', role: 'listitem'},
        h('span', {class: 'name', title: row.name}, row.name),
        h(
          'span',
          {class: 'track', 'aria-hidden': 'true'},
          h('span', {
            class: `fill ${row.state ?? ''}`,
            style: {width: `${(Math.abs(row.value) / largest) * 100}%`},
          }),
        ),
        h(
          'span',
          {class: 'figure'},
          `${digits(row.value * step.factor)} ${step.name}`,
          row.text && h('span', {class: 'more'}, row.text),
        ),
      ),
    ),
  );
}

// rows: {name, parts: [{name, value}], text}; all on one scale, with one legend.
export function stacks(rows, {path, source, title, noun}) {
  const names = [...new Set(rows.flatMap((row) => row.parts.map((part) => part.name)))];
  const totals = rows.map((row) =>
    row.parts.reduce((sum, part) => sum + Math.max(0, part.value), 0),
  );
  const largest = Math.max(...totals, 1e-300);
  const step = named(columnStep(path, totals), noun);
  const colour = (name) => `var(--series-${(names.indexOf(name) % 8) + 1})`;
  const text = (value) => `${digits(value * step.factor)} ${step.name}`;
  const part = (p) =>
    h('span', {
      class: 'part',
      title: `${p.name}: ${text(p.value)}`,
      'aria-label': `${p.name}: ${text(p.value)}`,
      role: 'img',
      style: {width: `${(p.value / largest) * 100}%`, background: colour(p.name)},
    });
  return h(
    'div',
    {class: 'bars', role: 'list', 'aria-label': title},
    h(
      'div',
      {class: 'legend'},
      names.map((name) => h('span', {}, h('i', {style: {background: colour(name)}}), name)),
      sourceTag(source),
    ),
    rows.map((row, i) =>
      h(
        'div',
        {class: 'row', role: 'listitem'},
        h('span', {class: 'name', title: row.name}, row.name),
        h('span', {class: 'track'}, row.parts.filter((p) => p.value > 0).map(part)),
        h(
          'span',
          {class: 'figure'},
          text(totals[i]),
          row.text && h('span', {class: 'more'}, row.text),
        ),
      ),
    ),
  );
}
