// `split plan`, `codecs`, `offload`, `privacy`, `speculate`, `protect`.
import {bars, stacks} from '../charts/bars.js';
import {curves} from '../charts/curves.js';
import {crossingsMap} from '../charts/grid_map.js';
import {h} from '../dom.js';
import {digits, withUnit} from '../units.js';

const CUT_NAMES = {output: 'all on the device', input: 'all on the server'};
const cutName = (cut) => CUT_NAMES[cut] ?? `after ${cut}`;
const CUT_COLUMNS = [
  'plan',
  'cut',
  'latency_us',
  'device_energy_mj',
  'sent_bytes',
  'percentiles.p99_us',
  'bottleneck_us',
];

// Device, first hop, next tier, ...: in the order in which a request meets them.
function partsOf(cut) {
  const tiers = cut.tier_us.length;
  return cut.tier_us.flatMap((value, i) => {
    const tier = i === 0 ? 'device' : i === tiers - 1 ? 'server' : `tier ${i}`;
    const link = tiers > 2 ? `link ${i + 1}` : 'link';
    return i < tiers - 1
      ? [
          {name: tier, value},
          {name: link, value: cut.hop_us[i] ?? 0},
        ]
      : [{name: tier, value}];
  });
}

function plansOf(doc) {
  return [
    ['best', doc.best],
    ['runner-up', doc.runner_up],
    ['all on the device', doc.all_on_device],
    ['all on the server', doc.all_on_server],
    ...Object.entries(doc.heuristics ?? {}).map(([name, cut]) => [
      `heuristic ${name.replaceAll('_', ' ')}`,
      cut,
    ]),
  ].filter(([, cut]) => cut);
}

const plan = {
  name: 'split-plan',
  subject: (doc) => `Where to cut for the best ${doc.objective}`,
  verdict(doc) {
    const against = doc.runner_up
      ? `; the runner-up (${cutName(doc.runner_up.cut)}) costs ` +
        `${withUnit('a_us', doc.runner_up.costs_more_us)} more`
      : '';
    return (
      `Best: ${cutName(doc.cut)}, ${withUnit('latency_us', doc.latency_us)} ` +
      `(modelled)${against}.`
    );
  },
  fill(page) {
    const {doc} = page;
    const plans = plansOf(doc);
    page.use(
      'cut',
      'latency_us',
      'best',
      'runner_up',
      'all_on_device',
      'all_on_server',
      'heuristics',
      'lower_bound_us',
      'exact',
      'objective',
      'map',
    );
    page
      .tile(
        'Latency',
        'latency_us',
        doc.exact ? 'proved to be the least' : `at least ${withUnit('a_us', doc.lower_bound_us)}`,
      )
      .fact('Cut', cutName(doc.cut), '')
      .tile('Energy of the device', 'best.device_energy_mj')
      .tile('Weights on the device', 'best.device_weight_bytes')
      .tile('99 of 100 within', 'best.percentiles.p99_us');
    page.section(
      'Where a request spends its time',
      stacks(
        plans.map(([name, cut]) => ({name, parts: partsOf(cut), text: cutName(cut.cut)})),
        {path: 'latency_us', source: 'modelled', title: 'Latency of each plan'},
      ),
    );
    if (doc.map) page.chart(crossingsMap(doc.map));
    page.rows('Where the best cut changes', 'crossings', {
      note: 'With the given round trip: at which bandwidth one cut takes over from another.',
    });
    page.rows('Plans compared', 'best', {
      rows: plans.map(([name, cut]) => ({plan: name, ...cut})),
      first: CUT_COLUMNS,
    });
  },
};

const codecs = {
  name: 'split-codecs',
  subject: (doc) => `${doc.sent} over ${doc.bandwidth_mbit_s} Mbit/s`,
  verdict: (doc) =>
    `${doc.choice || 'None'} is the quickest that keeps ${digits(doc.floor * 100)} % ` +
    `of the answers${doc.runner_up ? `; runner-up ${doc.runner_up}` : ''}.`,
  fill(page) {
    const {doc} = page;
    page
      .tile('Bytes as they are', 'original_bytes')
      .tile('Bandwidth', 'bandwidth_mbit_s')
      .tile('Answers to keep', 'floor');
    const group = (keeps) =>
      doc.codecs
        .filter((c) => c.agreement >= doc.floor === keeps)
        .map((c) => ({
          x: c.size_bytes,
          y: c.total_us,
          label: c.codec === doc.choice ? 'chosen' : undefined,
          lines: [c.codec, `agreement ${digits(c.agreement * 100)} %`],
        }));
    page.chart(
      curves({
        title: 'Size against time',
        note: 'Time: coding, sending and decoding.',
        x: {path: 'size_bytes', label: 'size', source: 'counted', log: true},
        y: {path: 'total_us', label: 'time', source: 'modelled', log: true},
        series: [
          {name: 'keeps the answers', scatter: true, points: group(true)},
          {name: 'loses answers', scatter: true, points: group(false)},
        ],
      }),
    );
    page.rows('Codecs', 'codecs', {bars: ['agreement']}).use('choice', 'runner_up');
  },
};

const offload = {
  name: 'split-offload',
  subject: (doc) => `a link of ${digits(doc.mean_mbit_s)} Mbit/s on average`,
  verdict(doc) {
    const best = doc.policies.reduce(
      (a, b) => (b.mean_cost < a.mean_cost ? b : a),
      doc.policies[0],
    );
    return best
      ? `${best.policy} costs least: ${digits(best.mean_cost)}, against ` +
          `${digits(doc.oracle_cost)} with foresight.`
      : '';
  },
  fill(page) {
    page.tile('With foresight', 'oracle_cost', 'mean cost, in ms').tile('Link', 'mean_mbit_s');
    page.section(
      'Mean cost',
      bars(
        page.doc.policies.map((p) => ({
          name: p.policy,
          value: p.mean_cost,
          text: `regret ${digits(p.regret_share * 100)} %`,
        })),
        {path: 'mean_cost_ms', source: 'modelled', title: 'Mean cost by policy'},
      ),
    );
    page.rows('Policies', 'policies');
  },
};

const privacy = {
  name: 'split-privacy',
  subject: () => 'Gaussian noise',
  verdict: (doc) =>
    `Noise of sigma ${digits(doc.sigma)}; all releases together leak epsilon ` +
    `${digits(doc.exact_epsilon ?? doc.rdp_epsilon)} at most (modelled).`,
  fill(page) {
    page
      .tile('Sigma', 'sigma')
      .tile('Analytic sigma', 'analytic_sigma')
      .tile('Exact epsilon', 'exact_epsilon')
      .tile('Epsilon by RDP', 'rdp_epsilon')
      .tile('Epsilon by zCDP', 'zcdp_epsilon');
  },
};

const speculate = {
  name: 'split-speculate',
  subject: (doc) => `Drafting over a round trip of ${digits(doc.round_trip_ms)} ms`,
  verdict: (doc) =>
    doc.best_speedup > 1
      ? `Drafting pays: ${digits(doc.best_speedup)} times as quick with ` +
        `${doc.best_length} tokens at a time (modelled).`
      : 'Drafting does not pay over this link (modelled).',
  fill(page) {
    const {doc} = page;
    page
      .tile('Speed-up', 'speedup', `with ${doc.length} tokens`)
      .tile('Per token', 'ms_per_token')
      .tile('Without drafts', 'plain_ms_per_token')
      .tile('Breaks even at', 'break_even_ms', 'of round trip');
    if (doc.lengths?.length) {
      page.chart(
        curves({
          title: 'Best length by round trip',
          x: {path: 'round_trip_ms', label: 'round trip', source: 'stated'},
          y: {path: 'count', label: 'tokens drafted', source: 'modelled'},
          series: [
            {
              name: 'best length',
              points: doc.lengths.map((row) => ({x: row.round_trip_ms, y: row.best_length})),
            },
          ],
        }),
      );
    }
    page.rows('Best lengths', 'lengths');
  },
};

const protect = {
  name: 'split-protect',
  subject: (doc) => `${doc.attacked} inputs attacked`,
  verdict(doc) {
    const plain = doc.defences[0];
    if (!plain) return '';
    return (
      'Without defence an attacker rebuilds inputs to SSIM ' +
      `${digits(Math.max(plain.linear.ssim, plain.kernel.ssim, plain.optimised.ssim))}` +
      `; guessing blindly gives ${digits(doc.blind.ssim)}.`
    );
  },
  fill(page) {
    const worst = (row) => Math.max(row.linear.ssim, row.kernel.ssim, row.optimised.ssim);
    page.section(
      'What an attacker rebuilds',
      h('p', {class: 'note'}, 'SSIM of the best attack: 1 is the input itself.'),
      bars(
        page.doc.defences.map((row) => ({
          name: row.defence,
          value: worst(row),
          text: `agreement ${digits(row.agreement * 100)} %`,
        })),
        {path: 'ssim', source: 'measured', title: 'SSIM by defence'},
      ),
    );
    page.rows('Defences', 'defences');
  },
};

export const split = [plan, codecs, offload, privacy, speculate, protect];
