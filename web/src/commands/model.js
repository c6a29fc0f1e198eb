// `inspect`, `convert`, `run`, `bench`, `generate`, `perplexity`.
import {bars, stacks} from '../charts/bars.js';
import {curves} from '../charts/curves.js';
import {h} from '../dom.js';
import {digits, withUnit} from '../units.js';
import {layerErrors} from './verify.js';

const MEMORY = [
  ['Peak memory', 'peak_rss_bytes'],
  ['Arena', 'arena_bytes'],
  ['Largest live set', 'live_set_bytes'],
];

const inspect = {
  name: 'inspect',
  subject: (doc) => doc.producer || doc.architecture || '',
  verdict: (doc) =>
    `${doc.nodes} nodes, ` +
    `${withUnit('parameters', doc.parameters, false).replace('count', '')} ` +
    `parameters, ${withUnit('macs', doc.macs)}.`,
  fill(page) {
    const {doc} = page;
    page
      .tile('Nodes', 'nodes')
      .tile('Parameters', 'parameters')
      .tile(
        'Multiply-adds',
        'macs',
        doc.macs_complete === false ? 'of the nodes whose shapes are known' : '',
      )
      .tile('Constants', 'parameter_bytes')
      .fact('Opset', String(doc.opset), 'stated');
    const operators = Object.entries(doc.operators ?? {}).sort((a, b) => b[1] - a[1]);
    page.use('operators', 'opset', 'nodes', 'parameters', 'macs', 'parameter_bytes');
    if (operators.length) {
      page.section(
        'Operators',
        bars(
          operators.slice(0, 40).map(([name, value]) => ({name, value})),
          {path: 'number', source: 'counted', title: 'Nodes by operator', noun: 'nodes'},
        ),
      );
    }
    page.rows('Inputs', 'inputs').rows('Outputs', 'outputs');
  },
};

function precisionCounts(page) {
  const {doc} = page;
  page.use('precision');
  if (!doc.precision || typeof doc.precision === 'string') return;
  const nodes = Object.entries(doc.precision).map(([node, type]) => ({node, type}));
  if (!nodes.length) return;
  const counts = Object.entries(
    Object.groupBy
      ? Object.groupBy(nodes, (n) => n.type)
      : nodes.reduce((all, n) => ({...all, [n.type]: [...(all[n.type] ?? []), n]}), {}),
  );
  page.section(
    'Precision',
    stacks([{name: 'nodes', parts: counts.map(([name, list]) => ({name, value: list.length}))}], {
      path: 'number',
      source: 'counted',
      title: 'Nodes by type',
      noun: 'nodes',
    }),
  );
  page.rows('Precision of each node', 'precision', {rows: nodes});
}

const convert = {
  name: 'convert',
  checks: true,
  subject: (doc) => (doc.opset ? `Converted model, opset ${doc.opset}` : 'Converted model'),
  verdict(doc) {
    const nodes = doc.nodes_before
      ? `${doc.nodes_before} nodes became ${doc.nodes_after}`
      : `written with ${digits(doc.bits_per_weight)} bits per weight`;
    const check = doc.verification
      ? '; it computes the same (relative L2 ' +
        `${digits(Math.max(...doc.verification.outputs.map((o) => o.relative_l2), 0))}, ` +
        'measured)'
      : '';
    return doc.passed ? `${nodes}${check}.` : `${nodes}; it does not compute the same.`;
  },
  fill(page) {
    const {doc} = page;
    page
      .tile('Size', 'size_bytes')
      .tile('Nodes before', 'nodes_before')
      .tile('Nodes after', 'nodes_after');
    page
      .tile('Loss of quantisation', 'quantization.relative_l2', 'relative L2 on samples held back')
      .tile('Same answer', 'quantization.agreement')
      .tile(
        'Top-1',
        'quantization.top1',
        doc.quantization?.reference_top1
          ? `was ${withUnit('top1', doc.quantization.reference_top1)}`
          : '',
      )
      .tile('In int8', 'quantization.int8_macs_share', 'of multiply-adds');
    page
      .tile('Bits per weight', 'bits_per_weight')
      .tile('Divergence', 'mean_kl_divergence_nats')
      .tile('Same next token', 'top1_agreement');
    page.use('nodes_before', 'nodes_after', 'opset', 'size_bytes', 'verification', 'pareto');
    if (doc.pareto?.length) {
      page.chart(
        curves({
          title: 'Cost against error',
          note: 'Mixes of precisions that were weighed; the chosen one is named.',
          x: {path: 'cost', label: 'cost', source: 'modelled'},
          y: {
            path: 'error',
            label: 'error',
            source: 'measured',
            log: doc.pareto.every((p) => p.error > 0),
          },
          series: [
            {
              name: 'mixes',
              points: [...doc.pareto]
                .sort((a, b) => a.cost - b.cost)
                .map((p) => ({
                  x: p.cost,
                  y: p.error,
                  label: p.chosen ? 'chosen' : p.knee ? 'knee' : undefined,
                  lines: [`${p.changed_layers} layers changed`],
                })),
            },
          ],
        }),
      );
    }
    const timed = (doc.passes ?? [])
      .filter((pass) => pass.time_us > 0)
      .sort((a, b) => b.time_us - a.time_us);
    if (timed.length) {
      page.section(
        'Passes',
        bars(
          timed.slice(0, 15).map((pass) => ({
            name: pass.name,
            value: pass.time_us,
            text: pass.changed ? 'changed the graph' : 'found nothing',
          })),
          {path: 'time_us', source: 'measured', title: 'Time of each pass'},
        ),
      );
    }
    const guilty = doc.quantization?.guilty_layers ?? [];
    const errors = layerErrors(guilty, null);
    if (errors) page.chart({...errors, title: 'Error of quantised layers', note: 'Largest first.'});
    precisionCounts(page);
    page.rows('All passes', 'passes').rows('Choices', 'choices');
    if (doc.verification?.outputs?.length)
      page.rows('Checked against the original', 'verification', {rows: doc.verification.outputs});
    if (doc.quantization) page.record('quantization', doc.quantization);
  },
};

const run = {
  name: 'run',
  subject: (doc) => doc.backend ?? '',
  verdict: (doc) => `${doc.outputs.length} output${doc.outputs.length === 1 ? '' : 's'} written.`,
  fill(page) {
    page.rows('Outputs', 'outputs');
  },
};

function languageFigures(page) {
  page
    .tile('Decode', 'decode_tokens_per_s')
    .tile('Prefill', 'prefill_tokens_per_s')
    .tile('First token', 'ttft_us')
    .tile('Read per token', 'bytes_per_token')
    .tile("Of the memory's speed", 'bandwidth_share')
    .tile('Weights', 'weight_bytes')
    .tile('Cache', 'cache_bytes')
    .tile('Load', 'load_us')
    .tile('Peak memory', 'peak_rss_bytes');
  page.use(
    'decode_tokens_per_s',
    'prefill_tokens_per_s',
    'ttft_us',
    'bytes_per_token',
    'bandwidth_share',
    'weight_bytes',
    'cache_bytes',
    'load_us',
    'peak_rss_bytes',
  );
}

const bench = {
  name: 'bench',
  subject: (doc) => doc.model?.architecture ?? doc.backend ?? '',
  verdict: (doc) =>
    doc.latency_us
      ? `${withUnit('latency_us', doc.latency_us.median)} per inference (median of ` +
        `${doc.runs}), ${digits(doc.throughput_per_s)} a second, ${doc.threads} ` +
        `thread${doc.threads > 1 ? 's' : ''} (measured).`
      : `${withUnit('decode_tokens_per_s', doc.decode_tokens_per_s)} decoding, ` +
        `${withUnit('prefill_tokens_per_s', doc.prefill_tokens_per_s)} reading ` +
        '(measured).',
  fill(page) {
    const {doc} = page;
    if (!doc.latency_us) {
      languageFigures(page);
      const points = (key) => (doc.contexts ?? []).map((row) => ({x: row.context, y: row[key]}));
      if (doc.contexts?.length > 1) {
        const x = {path: 'number', label: 'context, tokens'};
        page.chart(
          curves({
            title: 'Decoding by context',
            x,
            y: {path: 'decode_tokens_per_s', label: 'decoding', source: 'measured'},
            series: [{name: 'decoding', points: points('decode_tokens_per_s')}],
          }),
        );
      }
      page.rows('Contexts', 'contexts');
      return;
    }
    page.use(
      'latency_us',
      'throughput_per_s',
      'load_us',
      'first_inference_us',
      'peak_rss_bytes',
      'arena_bytes',
      'live_set_bytes',
      'runs',
    );
    page
      .tile('Median', 'latency_us.median')
      .tile('Throughput', 'throughput_per_s', 'inferences')
      .tile('Load', 'load_us')
      .tile('First inference', 'first_inference_us');
    for (const [name, key] of MEMORY) page.tile(name, key);
    const names = {
      min: 'least',
      median: 'median',
      p90: '90 of 100 within',
      p99: '99 of 100 within',
    };
    page.section(
      'Latency',
      bars(
        Object.entries(doc.latency_us)
          .filter(([, value]) => value !== null)
          .map(([key, value]) => ({name: names[key] ?? key, value})),
        {path: 'latency_us', source: 'measured', title: 'Latency'},
      ),
    );
  },
};

const generate = {
  name: 'generate',
  subject: (doc) => `${doc.prompt_tokens} tokens of prompt`,
  verdict: (doc) =>
    `${Array.isArray(doc.tokens) ? doc.tokens.length : doc.tokens} tokens at ` +
    `${withUnit('decode_tokens_per_s', doc.decode_tokens_per_s)} (measured), ended ` +
    `by ${doc.finish}.`,
  fill(page) {
    languageFigures(page);
    page.use('text', 'log_probabilities', 'tokens', 'finish', 'prompt_tokens');
    page.section('Text', h('blockquote', {}, page.doc.text));
    const list = page.doc.log_probabilities ?? [];
    if (list.length > 1) {
      page.chart(
        curves({
          title: 'Log probability of each token',
          x: {path: 'number', label: 'token'},
          y: {path: 'log_probability_nats', label: 'log probability', source: 'measured'},
          series: [
            {
              name: 'tokens',
              points: list.filter((v) => typeof v === 'number').map((y, i) => ({x: i + 1, y})),
            },
          ],
        }),
      );
    }
  },
};

const perplexity = {
  name: 'perplexity',
  subject: (doc) => `${digits(doc.tokens)} tokens`,
  verdict: (doc) =>
    `Perplexity ${digits(doc.perplexity)} over ${digits(doc.tokens)} tokens (measured).`,
  fill(page) {
    page
      .fact('Perplexity', digits(page.doc.perplexity), 'measured', 'lower is better')
      .fact('Tokens', digits(page.doc.tokens), 'counted');
    page.use('perplexity', 'tokens');
  },
};

export const model = [inspect, convert, run, bench, generate, perplexity];
