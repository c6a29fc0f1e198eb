// `profile`: of a run, of an imported trace, and of two runs.
import {bars, stacks} from '../charts/bars.js';
import {curves} from '../charts/curves.js';
import {boundsOf, roofline} from '../charts/roofline.js';
import {timeline} from '../charts/timeline.js';
import {h} from '../dom.js';
import {plot} from '../plot.js';
import {digits, withUnit} from '../units.js';

const OPERATOR_COLUMNS = [
  'name',
  'phase',
  'kind',
  'time_us',
  'share',
  'bound',
  'gop_s',
  'efficiency',
  'intensity',
  'flops',
  'predicted_us',
];

function slicesOf(doc) {
  const lines = (op) => [
    `${digits(op.share * 100)} % of the time, bound by ${op.bound}`,
    op.implementation,
  ];
  // A language model's rows are sums over calls; its tracks tell when each call was.
  if (isLanguage(doc)) return trackSlices(doc);
  const operators = doc.operators.map((op) => ({
    track: 'operators',
    name: op.name,
    group: op.kind,
    start_us: op.start_us,
    time_us: op.time_us,
    lines: lines(op),
  }));
  return [...layerSlices(doc.operators), ...operators, ...trackSlices(doc)];
}

// One slice for each run of operators of the same layer.
function layerSlices(operators) {
  const slices = [];
  for (const op of operators) {
    if (!op.layer) continue;
    const last = slices.at(-1);
    const end_us = op.start_us + op.time_us;
    if (last?.layer === op.layer) last.time_us = end_us - last.start_us;
    else
      slices.push({
        track: 'layers',
        layer: op.layer,
        name: `layer ${op.layer}`,
        group: 'layer',
        start_us: op.start_us,
        time_us: op.time_us,
      });
  }
  return slices;
}

// Rows of a language model belong to a phase.
function isLanguage(doc) {
  return doc.operators.some((op) => op.phase);
}

function aboutThreads(doc) {
  return (doc.tracks ?? []).some((track) => track.name.startsWith('thread'))
    ? ' Threads are those of one run by itself; where one has no slice, it waits.'
    : '';
}

// What each thread did, where the document tells it.
function trackSlices(doc) {
  return (doc.tracks ?? []).flatMap((track) =>
    track.slices.map((slice) => ({
      track: track.name,
      name: slice.name,
      group: slice.kind ?? track.name,
      start_us: slice.start_us,
      time_us: slice.time_us,
    })),
  );
}

function wholeTime(page) {
  const {doc} = page;
  const parts = doc.by_kind.map((row) => ({name: row.name, value: row.time_us}));
  parts.push({name: 'overhead', value: doc.overhead_us});
  if (doc.unattributed_us > 0) parts.push({name: 'unattributed', value: doc.unattributed_us});
  const share = doc.wall_us ? Math.abs(doc.unattributed_us) / doc.wall_us : 0;
  page.use(
    'by_kind',
    'by_role',
    'by_part',
    'phases',
    'operators_us',
    'overhead_us',
    'unattributed_us',
    'profiled_wall_us',
  );
  const source = page.source('operators.time_us');
  page.section(
    'Where the time goes',
    stacks([{name: isLanguage(doc) ? 'one request' : 'one inference', parts}], {
      path: 'time_us',
      source,
      title: 'Wall time by kind of operator',
    }),
    h(
      'p',
      {class: 'note'},
      `Operators take ${withUnit('a_us', doc.operators_us)}, overhead ` +
        `${withUnit('a_us', doc.overhead_us)}; ` +
        `wall time ${withUnit('a_us', doc.wall_us)}; ${digits(share * 100)} % is ` +
        `${doc.unattributed_us < 0 ? 'counted twice' : 'unattributed'} (${source}).`,
    ),
    doc.by_role?.length > 1 && [
      h('h3', {}, 'By role'),
      bars(
        doc.by_role.map((row) => ({
          name: row.name,
          value: row.time_us,
          text: `${digits(row.share * 100)} %, ${row.count} operators`,
        })),
        {path: 'time_us', source, title: 'Time by role'},
      ),
    ],
    doc.by_part?.length > 1 && [
      h('h3', {}, 'By part'),
      h(
        'p',
        {class: 'note'},
        'Kernels that do several things in one go are divided by the operations of each.',
      ),
      bars(
        doc.by_part.map((row) => ({
          name: row.name,
          value: row.time_us,
          text: `${digits(row.share * 100)} %`,
        })),
        {path: 'time_us', source: 'modelled', title: 'Time by part'},
      ),
    ],
    doc.phases?.length > 0 && [
      h('h3', {}, 'Phases'),
      bars(
        doc.phases.map((row) => ({name: row.name, value: row.time_us})),
        {path: 'time_us', source: page.source('phases.time_us'), title: 'Phases'},
      ),
    ],
  );
}

function rooflineSection(page) {
  const {doc} = page;
  if (!doc.roofs?.some((roof) => roof.unit === 'GOP/s') || !boundsOf(doc).length) return;
  const levels = [...new Set(doc.operators.flatMap((op) => op.levels.map((row) => row.level)))];
  const phases = [...new Set(doc.operators.map((op) => op.phase).filter(Boolean))];
  const place = h('div');
  const show = () => {
    const shown = phase.value
      ? {...doc, operators: doc.operators.filter((op) => op.phase === phase.value)}
      : doc;
    place.replaceChildren(plot(roofline(shown, level.value)));
  };
  const level = h(
    'select',
    {id: 'roofline-level', onchange: show},
    h('option', {value: ''}, 'the furthest level reached'),
    levels.map((name) => h('option', {value: name}, name)),
  );
  const phase = h(
    'select',
    {id: 'roofline-phase', onchange: show},
    h('option', {value: ''}, 'all phases'),
    phases.map((name) => h('option', {value: name}, name)),
  );
  show();
  page.section(
    'Roofline',
    h(
      'div',
      {class: 'controls'},
      h('label', {for: 'roofline-level'}, 'Bytes counted at '),
      level,
      phases.length > 1 && [h('label', {for: 'roofline-phase'}, 'of '), phase],
    ),
    place,
  );
}

function batches(page) {
  const {doc} = page;
  page.use('batches', 'best_batch');
  if (!doc.batches?.length) return;
  const best = (row) => row.batch === doc.best_batch;
  const points = (key) =>
    doc.batches.map((row) => ({
      x: row.batch,
      y: row[key],
      label: best(row) ? 'best' : undefined,
      mark: row.source === 'measured' ? 'full' : 'hollow',
      lines: [row.source, `cost ${digits(row.cost)}`],
    }));
  const x = {path: 'batch', label: 'batch', log: true, logBase: 2};
  page.section(
    'Batch size',
    h(
      'p',
      {class: 'note'},
      'Full marks are measured, hollow ones modelled. The best batch for the given ' +
        `costs is ${doc.best_batch}.`,
    ),
    h(
      'div',
      {class: 'pair'},
      plot(
        curves({
          title: 'Latency of a batch',
          x,
          y: {path: 'latency_us', label: 'latency of a batch'},
          series: [{name: 'latency', points: points('latency_us')}],
        }),
      ),
      plot(
        curves({
          title: 'Efficiency of a batch',
          x,
          y: {path: 'efficiency', label: 'throughput of batch 1, each'},
          series: [{name: 'efficiency', points: points('efficiency'), colour: 1}],
        }),
      ),
    ),
  );
  page.rows('Batches measured', 'batches');
}

function profileRun(page) {
  const {doc} = page;
  const timed = page.source('wall_us');
  page.use(
    'model',
    'verdict',
    'wall_us',
    'runs',
    'disturbed_runs',
    'threads',
    'cpu',
    'device',
    'flops',
    'multiply_adds',
    'ridge_flop_per_byte',
    'arena_bytes',
    'live_set_bytes',
    'peak_bytes',
    'wall_samples_us',
    'wall_spread',
    'predicted_us',
    'tracks',
  );
  page.tile(
    'Wall time',
    'wall_us',
    doc.operators.some((op) => op.phase)
      ? `one request, ${doc.runs} measured`
      : `mean of the quieter half of ${doc.runs} runs` +
          (doc.disturbed_runs ? `, ${doc.disturbed_runs} slower ones left out` : ''),
  );
  page.fact('Rate reached', `${digits(doc.flops / doc.wall_us / 1e3)} GOP/s`, timed);
  page.tile('Work', 'flops', `${withUnit('multiply_adds', doc.multiply_adds)}`);
  page
    .tile('Predicted', 'predicted_us')
    .tile('Ridge', 'ridge_flop_per_byte', 'arithmetic bounds above it');
  page.tile('Peak of values', 'peak_bytes', `at ${doc.peak_step}`).use('peak_step');
  page.fact('Ran on', doc.device, '', `${doc.threads} thread${doc.threads > 1 ? 's' : ''}`);
  wholeTime(page);
  if (doc.operators.length) {
    page.chart(
      isLanguage(doc)
        ? timeline(
            slicesOf(doc),
            'Timeline',
            `Phases, layers and parts of one request (${timed}).${aboutThreads(doc)}`,
          )
        : timeline(
            slicesOf(doc),
            'Timeline',
            `Colours are kinds of operators, as in the bar above (${timed}).${aboutThreads(doc)}`,
            doc.by_kind.map((row) => row.name),
          ),
    );
  }
  rooflineSection(page);
  page.rows('What to do first', 'advice', {
    first: [
      'opportunity',
      'why',
      'predicted_us',
      'achieved_us',
      'speedup',
      'share',
      'priority',
      'command',
    ],
    bars: ['share'],
    note:
      "Predicted is the whole after the change, by Amdahl's law; " +
      'priority = share × potential × ease / (risk × complexity).',
  });
  batches(page);
  page.rows('Operators', 'operators', {first: OPERATOR_COLUMNS, bars: ['share', 'efficiency']});
  page.rows('Who holds the peak of memory', 'peak_holders');
  page.rows('Roofs', 'roofs', {
    rows: (doc.roofs ?? []).map((roof) => ({
      ...roof,
      value: `${digits(roof.value)} ${roof.unit}`,
      unit: undefined,
    })),
  });
}

function profileImport(page) {
  const {doc} = page;
  page.use('file', 'source', 'by_op');
  page
    .fact('Recorded by', doc.source, '')
    .tile('Sum of operators', 'total_us')
    .tile('Span', 'span_us')
    .tile('Busy', 'busy_us')
    .tile('Longest gap', 'longest_gap_us')
    .tile('Concurrency', 'average_concurrency', `at most ${doc.largest_concurrency}`);
  if (doc.by_op?.length) {
    page.section(
      'Where the time goes',
      bars(
        doc.by_op.slice(0, 16).map((row) => ({
          name: row.name,
          value: row.time_us,
          text: `${digits(row.share * 100)} %, ${row.count} calls`,
        })),
        {path: 'time_us', source: 'measured', title: 'Time by operator'},
      ),
    );
  }
  page.rows('Operators', 'imported_operators', {bars: ['share']});
}

function profileComparison(page) {
  const {doc} = page;
  page.use('first', 'second', 'total', 'significance');
  page
    .fact('Before', withUnit('first_us', doc.total.first_us), 'measured', doc.first)
    .fact('After', withUnit('second_us', doc.total.second_us), 'measured', doc.second)
    .fact('p', digits(doc.total.p_value), 'modelled', `counts below ${doc.significance}`);
  const rows = doc.differences.filter((row) => row.first_us !== row.second_us).slice(0, 14);
  if (rows.length) {
    page.section(
      'Largest differences',
      bars(
        rows.map((row) => ({
          name: row.name,
          value: row.second_us - row.first_us,
          state: row.second_us > row.first_us ? 'worse' : 'better',
          text: !row.judged ? 'not judged' : row.significant ? 'significant' : 'chance',
        })),
        {path: 'time_us', source: 'measured', title: 'Differences'},
      ),
    );
  }
  page.rows('Operators of both', 'differences');
}

function comparisonVerdict(doc) {
  const ratio = doc.total.first_us / doc.total.second_us;
  if (!doc.total.judged) return 'Too few runs to tell a difference from chance.';
  if (!doc.total.significant) return 'No difference that chance would not make.';
  return ratio >= 1
    ? `The second is ${digits(ratio)} times as quick.`
    : `The second takes ${digits(1 / ratio)} times as long.`;
}

export const profile = {
  name: 'profile',
  subject: (doc) => doc.model ?? doc.file ?? (doc.first ? `${doc.first} and ${doc.second}` : ''),
  verdict: (doc) =>
    doc.verdict ?? (doc.total ? comparisonVerdict(doc) : `${doc.slices} slices of ${doc.source}`),
  fill(page) {
    if (page.doc.operators) profileRun(page);
    else if (page.doc.imported_operators) profileImport(page);
    else if (page.doc.differences) profileComparison(page);
  },
};
