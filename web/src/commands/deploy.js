// `deploy`: the bundle, with the documents of its parts below.
import {h} from '../dom.js';
import {digits} from '../units.js';

const UNITS = {'latency-ms': 'ms', 'energy-mj': 'mJ', 'size-mb': 'MB', 'accuracy-points': 'points'};

function goals(page) {
  const {doc} = page;
  page.use('goals', 'binding_constraint');
  if (!doc.goals?.length) return;
  const row = (goal) => {
    const unit = UNITS[goal.name] ?? '';
    const share =
      goal.limit > 0 && typeof goal.reached === 'number' ? goal.reached / goal.limit : 0;
    return h(
      'div',
      {class: 'row', role: 'listitem'},
      h('span', {class: 'name'}, goal.name.replace(/-(ms|mj|mb)$/, '').replaceAll('-', ' ')),
      h(
        'span',
        {class: 'track goal', 'aria-hidden': 'true'},
        h('span', {
          class: `fill ${goal.passed ? 'better' : 'worse'}`,
          style: {width: `${Math.min(1, share / 1.25) * 100}%`},
        }),
        h('span', {class: 'limit'}),
      ),
      h(
        'span',
        {class: 'figure'},
        `${digits(goal.reached)} ${unit} `,
        h('b', {class: goal.passed ? 'good' : 'bad'}, goal.passed ? 'met' : 'missed'),
        h('span', {class: 'more'}, `limit ${digits(goal.limit)} ${unit}`),
      ),
    );
  };
  page.section(
    'Goals',
    h('p', {class: 'note'}, 'Modelled for the device; the mark is the limit.'),
    h('div', {class: 'bars', role: 'list'}, doc.goals.map(row)),
  );
}

export const deploy = {
  name: 'deploy',
  checks: true,
  subject: (doc) => `${doc.model ?? doc.main_model} on ${doc.device}`,
  verdict: (doc) =>
    doc.passed
      ? 'Every goal is met and the result is proved against the original.'
      : `Not as wanted: ${doc.binding_constraint || 'see the warnings'}.`,
  fill(page) {
    const {doc} = page;
    page.use('model', 'device', 'main_model');
    page.fact('Device', doc.device, '');
    if (doc.server) page.fact('Server', doc.server, '', doc.link);
    for (const choice of doc.choices ?? []) page.fact(choice.what, choice.chosen, '');
    page.use('server', 'link');
    goals(page);
    page.rows('Choices', 'choices', {note: 'What was chosen, what came second, and why.'});
    page.rows('Stages', 'stages').rows('Files', 'files', {first: ['path', 'size_bytes', 'sha256']});
  },
};
