// `power simulate`, `plan`, `energy`, `govern`.
import {bars, stacks} from '../charts/bars.js';
import {curves} from '../charts/curves.js';
import {h} from '../dom.js';
import {plot} from '../plot.js';
import {digits, withUnit} from '../units.js';

const RUN_COLUMNS = [
  'policy',
  'energy_mj_per_token',
  'sustained_tokens_per_s',
  'burst_tokens_per_s',
  'latency_us',
  'request_p95_us',
  'peak_temperature_c',
  'peak_skin_c',
  'setting_changes',
  'requests',
];

function over(title, doc, lines, path, name) {
  return curves({
    title,
    height: 260,
    x: {path: 'time_s', label: 'time'},
    y: {path, label: name},
    series: lines.flatMap(({key, dashed, suffix}) =>
      doc.runs.map((run, i) => ({
        name: `${run.choice.policy}${suffix ?? ''}`,
        dashed,
        colour: i,
        points: run.series.map((s) => ({x: s.time_s, y: s[key], lines: [s.setting]})),
      })),
    ),
  });
}

const simulate = {
  name: 'power-simulate',
  subject: (doc) => `${doc.model} (${doc.precision}) on ${doc.device}`,
  verdict(doc) {
    const [run] = doc.runs;
    if (!run) return 'Nothing was simulated.';
    const frugal = doc.runs.reduce((a, b) =>
      b.energy_mj_per_token < a.energy_mj_per_token ? b : a,
    );
    const text =
      `${run.choice.policy}: ${withUnit('energy_mj_per_token', run.energy_mj_per_token)}, ` +
      `${withUnit('sustained_tokens_per_s', run.sustained_tokens_per_s)} sustained, ` +
      `die up to ${withUnit('peak_temperature_c', run.peak_temperature_c)} (modelled).`;
    return doc.runs.length > 1
      ? `${text} Least energy: ${frugal.choice.policy} with ` +
          `${withUnit('energy_mj_per_token', frugal.energy_mj_per_token)}.`
      : text;
  },
  fill(page) {
    const {doc} = page;
    page.use(
      'device',
      'model',
      'precision',
      'choice',
      'runs',
      'energy_mj_per_token',
      'latency_us',
      'sustained_tokens_per_s',
      'peak_temperature_c',
    );
    page
      .tile('Energy', 'energy_mj_per_token')
      .tile('Sustained speed', 'sustained_tokens_per_s')
      .tile('Time per token', 'latency_us')
      .tile('Hottest die', 'peak_temperature_c')
      .fact('Policy', doc.choice?.policy ?? '', '', doc.choice?.setting);
    if (doc.runs.some((run) => run.series.length)) {
      page.section(
        'Power and heat over time',
        plot(over('Power', doc, [{key: 'power_w'}], 'power_w', 'power')),
        plot(
          over(
            'Temperature',
            doc,
            [
              {key: 'die_c', suffix: ', die'},
              {key: 'skin_c', suffix: ', skin', dashed: true},
            ],
            'die_c',
            'temperature',
          ),
        ),
        plot(over('Speed', doc, [{key: 'tokens_per_s'}], 'tokens_per_s', 'speed')),
        h('p', {class: 'note'}, 'Modelled, in virtual time.'),
      );
    }
    page.section(
      'Where the energy goes',
      stacks(
        doc.runs.map((run) => ({
          name: run.choice.policy,
          parts: Object.entries(run.energy_j).map(([name, value]) => ({name, value})),
        })),
        {path: 'energy_j', source: 'modelled', title: 'Energy by component'},
      ),
    );
    const rows = doc.runs.map(({series: _, choice, energy_j: __, ...run}) => ({
      policy: choice.policy,
      setting: choice.setting,
      ...run,
    }));
    page.rows('Policies', 'runs', {rows, first: RUN_COLUMNS});
    page.rows('Time at each frequency', 'runs', {
      rows: doc.runs.flatMap((run) =>
        run.residency.map((r) => ({policy: run.choice.policy, ...r})),
      ),
      bars: ['share'],
    });
    page.rows('Throttling', 'runs', {
      rows: doc.runs.flatMap((run) =>
        run.throttles.map((t) => ({policy: run.choice.policy, ...t})),
      ),
    });
  },
};

const plan = {
  name: 'power-plan',
  subject: (doc) => `${doc.model} on ${doc.device}`,
  verdict: (doc) =>
    `${doc.choice.precision}, batch ${doc.choice.batch}, decode on ${doc.choice.decode}: ` +
    `${withUnit('energy_mj_per_token', doc.energy_mj_per_token)} at ` +
    `${withUnit('latency_us', doc.latency_us)} a token (modelled).`,
  fill(page) {
    const {doc} = page;
    page.use(
      'device',
      'model',
      'choice',
      'energy_mj_per_token',
      'latency_us',
      'sustained_tokens_per_s',
      'peak_temperature_c',
    );
    page
      .tile('Energy', 'energy_mj_per_token')
      .tile('Time per token', 'latency_us')
      .tile('First token', 'choice.first_token_us')
      .tile('Sustained speed', 'sustained_tokens_per_s')
      .tile('Power', 'choice.power_w')
      .tile('Die', 'peak_temperature_c')
      .tile('Skin', 'choice.skin_c')
      .tile('One charge lasts', 'choice.battery_hours')
      .tile('Prefill on', 'choice.prefill')
      .tile('Decode on', 'choice.decode');
    if (doc.front?.length) {
      const same = (p) =>
        p.decode === doc.choice.decode &&
        p.precision === doc.choice.precision &&
        p.batch === doc.choice.batch &&
        p.duty === doc.choice.duty &&
        p.prefill === doc.choice.prefill;
      const kinds = [...new Set(doc.front.map((p) => p.precision))];
      page.chart(
        curves({
          title: 'Energy against time',
          note: 'Every setting of the front; the chosen one is named.',
          x: {path: 'latency_us', label: 'time per token', source: 'modelled'},
          y: {path: 'energy_mj_per_token', label: 'energy', source: 'modelled'},
          series: kinds.map((kind) => ({
            name: kind,
            scatter: true,
            points: doc.front
              .filter((p) => p.precision === kind)
              .map((p) => ({
                x: p.latency_us,
                y: p.energy_mj_per_token,
                label: same(p) ? 'chosen' : undefined,
                lines: [`decode ${p.decode}`, `batch ${p.batch}, duty ${digits(p.duty * 100)} %`],
              })),
          })),
        }),
      );
    }
    page
      .rows('The front', 'front', {
        first: [
          'decode',
          'precision',
          'batch',
          'duty',
          'energy_mj_per_token',
          'latency_us',
          'sustained_tokens_per_s',
          'power_w',
          'die_c',
        ],
      })
      .rows('What each limit costs', 'constraint_costs');
  },
};

const energy = {
  name: 'power-energy',
  subject: (doc) => `${doc.samples} samples`,
  verdict(doc) {
    const total = doc.windows.reduce((sum, window) => sum + window.energy_uj, 0);
    const windows = `${doc.windows.length} window${doc.windows.length === 1 ? '' : 's'}`;
    const gaps = `${doc.gaps.length} gaps (${doc.method})`;
    return `${withUnit('energy_uj', total)} in ${windows}; ${gaps}.`;
  },
  fill(page) {
    const {doc} = page;
    if (doc.windows.length) {
      page.section(
        'Energy by window',
        bars(
          doc.windows.slice(0, 40).map((w) => ({
            name: `${digits(w.start_s)} – ${digits(w.end_s)} s`,
            value: w.energy_uj,
            text:
              `± ${withUnit('energy_uj', w.uncertainty_uj)}, ` +
              `${withUnit('power_w', w.mean_power_w)}`,
          })),
          {path: 'energy_uj', source: 'measured', title: 'Energy by window'},
        ),
      );
    }
    page.rows('Windows', 'windows').rows('Gaps', 'gaps');
  },
};

const govern = {
  name: 'power-govern',
  subject: (doc) => doc.device,
  verdict: (doc) =>
    `${doc.policy}: ${doc.reached ? 'reached and held' : 'not reached'}; settings ` +
    `${doc.restored ? 'restored' : 'not restored'}.`,
  fill(page) {
    page
      .tile('Mean power', 'mean_power_w')
      .tile('Energy', 'energy_j')
      .tile('Hottest', 'hottest_c')
      .tile('Held for', 'held_s');
  },
};

export const power = [simulate, plan, energy, govern];
