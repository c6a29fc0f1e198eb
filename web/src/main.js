// Fills the page from the document that stands in it, or from a file that the reader opens.
import {append, h} from './dom.js';
import {commands} from './commands/table.js';
import {Page, capital, tiles, warnings} from './page.js';
import {redrawAll} from './plot.js';

const UNKNOWN = {
  subject: () => '',
  verdict: (doc) => (doc.passed === false ? 'A check failed.' : 'Done.'),
  fill() {},
};
const isDocument = (value) =>
  value !== null && typeof value === 'object' && typeof value.schema === 'string';

// The sections of a document and of those that stand in its `parts`, in one list.
function pageOf(doc, prefix) {
  const page = new Page(doc, prefix);
  const command = commands.get(page.command) ?? UNKNOWN;
  const parts = Object.entries(doc.parts ?? {}).filter(([, part]) => isDocument(part));
  if (parts.length) page.use('parts');
  command.fill(page);
  page.rest();
  return {page, command, parts};
}

// A document inside another: a heading, its verdict, its sections.
function nested(name, doc) {
  const {page, command} = pageOf(doc, `${name}-`);
  const id = `part-${name}`;
  const element = h(
    'section',
    {id, class: 'part'},
    h('h2', {class: 'title'}, capital(name.replaceAll('_', ' '))),
    h('p', {class: `verdict ${doc.passed === false ? 'bad' : 'good'}`}, command.verdict(doc)),
    warnings(doc.warnings),
    tiles(page.figures),
    page.sections.map((section) => section.element),
  );
  return {id, title: capital(name.replaceAll('_', ' ')), element};
}

function header(doc, page, command) {
  const failed = doc.passed === false;
  const subject = command.subject(doc);
  return h(
    'header',
    {},
    h(
      'p',
      {class: 'kicker'},
      'edgewright ',
      page.command.replace('-', ' '),
      h('span', {}, ` · version ${doc.version ?? '?'}`),
    ),
    h('h1', {}, subject || capital(page.command.replace('-', ' '))),
    h(
      'p',
      {class: `verdict ${failed ? 'bad' : 'good'}`, role: 'status'},
      h('b', {}, failed ? '✗ Failed ' : command.checks ? '✓ Passed ' : ''),
      command.verdict(doc),
    ),
    doc.command_line && h('p', {class: 'command'}, h('code', {}, doc.command_line)),
    warnings(doc.warnings),
  );
}

function download(text, name) {
  const link = h('a', {
    href: URL.createObjectURL(new Blob([text], {type: 'application/json'})),
    download: name,
  });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function toolbar(doc) {
  const picker = h('input', {
    type: 'file',
    accept: '.json',
    class: 'hidden',
    tabindex: -1,
    'aria-label': 'A document of --json',
    onchange: async () => {
      if (picker.files[0]) open(await picker.files[0].text());
    },
  });
  return h(
    'div',
    {class: 'toolbar'},
    h('button', {type: 'button', onclick: switchTheme}, 'Dark / light'),
    h(
      'button',
      {type: 'button', onclick: () => download(JSON.stringify(doc, null, 2), 'report.json')},
      'Save JSON',
    ),
    h('button', {type: 'button', onclick: () => picker.click()}, 'Open another…'),
    picker,
  );
}

function switchTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme
    ? root.dataset.theme === 'dark'
    : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = dark ? 'light' : 'dark';
  redrawAll();
}

function show(doc) {
  const {page, command, parts} = pageOf(doc, '');
  const below = parts.map(([name, part]) => nested(name, part));
  const links = [...page.sections, ...below].map((section) =>
    h('a', {href: `#${section.id}`}, section.title),
  );
  document.title = `${capital(page.command.replace('-', ' '))}: ${command.subject(doc)}`;
  append((document.body.replaceChildren(), document.body), [
    h('a', {class: 'skip', href: '#content'}, 'Skip to the figures'),
    h('div', {class: 'top'}, header(doc, page, command), toolbar(doc)),
    links.length > 1 && h('nav', {'aria-label': 'Sections'}, links),
    h(
      'main',
      {id: 'content', tabindex: -1},
      tiles(page.figures),
      page.sections.map((section) => section.element),
      below.map((section) => section.element),
    ),
    h(
      'footer',
      {},
      h(
        'p',
        {},
        'measured: timed on the machine that ran the command · ' +
          'modelled: computed from a model of the hardware · ' +
          'counted: exact, from the model or a file · stated: given by a file or an option. ' +
          '1 MAC is 2 FLOP; kB, MB and GB are powers of 1000.',
      ),
    ),
  ]);
}

function open(text) {
  let doc = null;
  try {
    doc = JSON.parse(text);
  } catch (error) {
    append((document.body.replaceChildren(), document.body), [
      h('p', {class: 'verdict bad'}, `This is no JSON document: ${error.message}`),
    ]);
    return;
  }
  if (!isDocument(doc)) {
    append((document.body.replaceChildren(), document.body), [
      h('p', {class: 'verdict bad'}, 'This is no document of edgewright: it has no "schema".'),
    ]);
    return;
  }
  show(doc);
}

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redrawAll);
open(document.getElementById('document').textContent);
