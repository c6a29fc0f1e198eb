// `verify`: are they the same function?
import {curves} from '../charts/curves.js';
import {h} from '../dom.js';
import {plot} from '../plot.js';
import {digits, withUnit} from '../units.js';

const COLUMNS = [
  'name',
  'passed',
  'relative_l2',
  'max_abs',
  'cosine',
  'errors.verdict',
  'errors.bias_share',
];
const SMALLEST_ERROR = 1e-9; // that a logarithmic axis shows

export function layerErrors(rows, first) {
  const real = rows.filter((row) => typeof row.relative_l2 === 'number');
  if (real.length < 2) return null;
  return curves({
    title: 'Error by layer',
    height: 320,
    note: first
      ? `Layers in the order of the model. The first that diverges is ${first}.`
      : 'Layers in the order of the model; none diverges.',
    x: {path: 'number', label: 'layer'},
    y: {path: 'relative_l2', label: 'relative L2 error', source: 'measured', log: true},
    series: [
      {
        name: 'relative L2 error',
        points: real.map((row, i) => ({
          x: i + 1,
          y: Math.max(row.relative_l2, SMALLEST_ERROR),
          name: row.name,
          mark: row.passed === false ? 'bad' : 'full',
          label: row.name === first ? 'first' : undefined,
          lines: [
            row.passed === false ? 'outside the tolerance' : 'within the tolerance',
            `cosine ${digits(row.cosine)}`,
          ],
        })),
      },
    ],
  });
}

export function pareto(points) {
  const real = points.filter((point) => typeof point.error === 'number');
  const front = real.filter((point) => point.on_front).sort((a, b) => a.latency_us - b.latency_us);
  const mark = (point) => ({
    x: point.latency_us,
    y: point.error,
    label: point.knee ? 'knee' : undefined,
    lines: [point.file, withUnit('size_bytes', point.size_bytes)],
  });
  return curves({
    title: 'Time against error',
    note:
      'The line is the front: nothing is both quicker and closer. ' +
      'The knee is where a little more of one costs much of the other.',
    x: {path: 'latency_us', label: 'latency', source: 'measured'},
    y: {
      path: 'error',
      label: 'error',
      source: 'measured',
      log: real.every((point) => point.error > 0),
    },
    series: [
      {name: 'front', points: front.map(mark)},
      {name: 'beaten', scatter: true, points: real.filter((p) => !p.on_front).map(mark)},
    ],
  });
}

// Quantiles of reference and candidate of one output.
function quantiles(row) {
  const d = row.distribution;
  const points = (values) => d.quantiles.map((q, i) => ({x: q * 100, y: values[i]}));
  return curves({
    title: `Distribution of ${row.name}`,
    height: 260,
    x: {path: 'number', label: 'quantile, %'},
    y: {path: 'value', label: 'value'},
    series: [
      {name: 'reference', points: points(d.reference_quantiles)},
      {name: 'candidate', points: points(d.candidate_quantiles), dashed: true},
    ],
  });
}

function histogram(row) {
  const {low, high, counts} = row.errors.histogram;
  const width = (high - low) / counts.length;
  return curves({
    title: `Errors of ${row.name}`,
    height: 260,
    note:
      `${row.errors.verdict}; bias makes up ${digits(row.errors.bias_share * 100)} % ` +
      'of the mean square.',
    x: {path: 'value', label: 'candidate − reference'},
    y: {path: 'count', label: 'values'},
    series: [
      {
        name: 'values',
        points: counts.map((count, i) => ({x: low + (i + 0.5) * width, y: count})),
        colour: 2,
        step: 'middle',
      },
    ],
  });
}

function confusion(page) {
  const {doc} = page;
  page.use('confusion');
  if (!doc.confusion) return;
  const matrix = (rows) => {
    const largest = Math.max(...rows.flat(), 1);
    return h(
      'div',
      {class: 'wide'},
      h(
        'table',
        {class: 'matrix'},
        h(
          'tbody',
          {},
          rows.map((row, r) =>
            h(
              'tr',
              {},
              h('th', {scope: 'row'}, r),
              row.map((count, c) =>
                h(
                  'td',
                  {
                    title: `label ${r}, answered ${c}: ${count}`,
                    style: {
                      background:
                        `color-mix(in srgb, var(--series-${r === c ? 1 : 2}) ` +
                        `${Math.round((count / largest) * 70)}%, transparent)`,
                    },
                  },
                  count,
                ),
              ),
            ),
          ),
        ),
      ),
    );
  };
  page.section(
    'Confusion',
    h('p', {class: 'note'}, 'Rows are labels, columns answers; counts of samples (measured).'),
    h(
      'div',
      {class: 'pair'},
      h('div', {}, h('h3', {}, 'Reference'), matrix(doc.confusion.reference)),
      h('div', {}, h('h3', {}, 'Candidate'), matrix(doc.confusion.candidate)),
    ),
  );
}

export const verify = {
  name: 'verify',
  checks: true,
  subject: (doc) =>
    `Reference and candidate on ${doc.samples} sample${doc.samples === 1 ? '' : 's'}`,
  verdict(doc) {
    const worst = Math.max(
      ...doc.outputs.map((row) =>
        typeof row.relative_l2 === 'number' ? row.relative_l2 : Infinity,
      ),
      0,
    );
    if (doc.passed && doc.decided_by === 'task') {
      return (
        `Good enough by the task's metrics; outputs differ by up to ${digits(worst)} ` +
        '(relative L2).'
      );
    }
    if (doc.passed)
      return (
        `They compute the same: outputs differ by at most ${digits(worst)} (relative ` +
        `L2), decided by ${doc.decided_by}.`
      );
    const first = doc.first_divergence
      ? ` The first layer that diverges is ${doc.first_divergence}.`
      : '';
    return (
      `They do not compute the same: outputs differ by up to ${digits(worst)} ` +
      `(relative L2).${first}`
    );
  },
  fill(page) {
    const {doc} = page;
    page.use('first_divergence', 'decided_by', 'samples', 'layer_samples');
    const worst = doc.outputs.reduce(
      (a, b) => (b.relative_l2 > a.relative_l2 ? b : a),
      doc.outputs[0],
    );
    if (worst)
      page.fact(
        'Largest output error',
        digits(worst.relative_l2),
        'measured',
        `relative L2, ${worst.name}`,
      );
    if (worst) page.fact('Cosine', digits(worst.cosine), 'measured', 'ratio');
    page
      .tile('Same answer', 'agreement', 'of the samples')
      .fact('Samples', String(doc.samples), 'counted', `layers on ${doc.layer_samples}`);
    for (const [name, score] of Object.entries(doc.task ?? {})) {
      page.fact(
        name,
        `${digits(score.candidate)}\u00a0${score.loss_unit === 'points' ? 'points' : ''}`.trim(),
        'measured',
        `reference ${digits(score.reference)}, p ${digits(score.p_value)}`,
      );
    }
    const errors = layerErrors(doc.layers, doc.first_divergence);
    if (errors) page.chart(errors);
    const judged = doc.outputs.filter((row) => row.errors && row.distribution);
    if (judged.length) {
      page.section(
        'How the outputs differ',
        h(
          'div',
          {class: 'pair'},
          judged.slice(0, 2).flatMap((row) => [plot(quantiles(row)), plot(histogram(row))]),
        ),
      );
    }
    page.use('pareto');
    if (doc.pareto?.length) {
      page.chart(pareto(doc.pareto));
      page.rows('Candidates', 'pareto');
    }
    page.rows('Outputs', 'outputs', {first: COLUMNS}).rows('Layers', 'layers', {first: COLUMNS});
    confusion(page);
    if (doc.bisect?.details)
      page.rows('Layers that must be as in the reference', 'bisect', {rows: doc.bisect.details});
  },
};
