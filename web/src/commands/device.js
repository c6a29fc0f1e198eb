// `device show`, `import`, `calibrate`, `probe`; `link show`; `targets check`.
import {bars, stacks} from '../charts/bars.js';
import {curves} from '../charts/curves.js';
import {timeline} from '../charts/timeline.js';
import {h} from '../dom.js';
import {plot} from '../plot.js';
import {digits, withUnit} from '../units.js';

// Clusters of one device may have one name.
function clusterName(cluster) {
  const cpus = cluster.cpus ?? [];
  return cpus.length ? `${cluster.name}, CPUs ${cpus[0]}–${cpus.at(-1)}` : cluster.name;
}

function operatingPoints(page) {
  const {doc} = page;
  const series = (doc.clusters ?? []).map((cluster) => ({
    name: clusterName(cluster),
    points: cluster.operating_points
      .filter((p) => p.power_uw > 0)
      .map((p) => ({
        x: p.frequency_khz,
        y: p.power_uw,
        mark: p.inefficient ? 'hollow' : 'full',
        lines: [
          withUnit('voltage_uv', p.voltage_uv),
          p.inefficient ? 'inefficient: another point is quicker for no more energy' : '',
        ],
      })),
  }));
  if (series.some((one) => one.points.length)) {
    page.chart(
      curves({
        title: 'Power by frequency',
        note: 'Of one busy core of each cluster; hollow marks are inefficient points.',
        height: 340,
        x: {path: 'frequency_khz', label: 'frequency', source: 'stated'},
        y: {path: 'power_uw', label: 'power', source: 'stated', log: true},
        series: series.filter((one) => one.points.length),
      }),
    );
  }
}

function device(name) {
  return {
    name,
    subject: (doc) => doc.name,
    verdict: (doc) =>
      `${doc.model || doc.name}: ` +
      `${(doc.clusters ?? []).map((c) => `${c.cpus?.length ?? 0} × ${c.name}`).join(', ')}` +
      `; ${doc.thermal_zones?.length ?? 0} thermal zones.`,
    fill(page) {
      const {doc} = page;
      page.use('name', 'model', 'notes', 'source');
      page
        .tile('Battery', 'battery_mwh')
        .tile('Platform', 'platform_power_mw')
        .tile('Skin limit', 'thermal_network.skin_limit_c')
        .fact('From', doc.source, '');
      if (doc.notes?.length)
        page.section(
          'Notes',
          h(
            'ul',
            {},
            [doc.notes].flat().map((note) => h('li', {}, note)),
          ),
        );
      operatingPoints(page);
      const of = (key) =>
        (doc.clusters ?? []).flatMap((cluster) =>
          (cluster[key] ?? []).map((row) => ({cluster: clusterName(cluster), ...row})),
        );
      page.rows('Fits', 'fits', {
        rows: (doc.fits ?? []).map(({error, ...fit}) => ({...fit, fit_error: error})),
        first: [
          'cluster',
          'first_cpu',
          'points',
          'coefficient',
          'coefficient_error',
          'dynamic_coefficient',
          'static_uw_per_v',
          'fit_error',
          'stated_coefficient',
          'suspicious',
        ],
      });
      page.rows('Clusters', 'clusters', {
        rows: (doc.clusters ?? []).map(
          ({operating_points: a, idle_states: b, peaks: c, ...row}) => row,
        ),
      });
      page
        .rows('Operating points', 'clusters', {rows: of('operating_points')})
        .rows('Idle states', 'clusters', {rows: of('idle_states')})
        .rows('Peaks', 'clusters', {rows: of('peaks')});
      const zones = (doc.thermal_zones ?? []).map(({trips, cooling, ...zone}) => ({
        ...zone,
        trips: trips.map((t) => `${t.type} at ${withUnit('temperature_mc', t.temperature_mc)}`),
        cooling: cooling.map((c) => `${c.trip}: ${c.coolers.join(' ')}`),
      }));
      page.rows('Memory', 'memory').rows('Thermal zones', 'thermal_zones', {rows: zones});
      const network = doc.thermal_network ?? {};
      page
        .use('thermal_network')
        .rows('Thermal nodes', 'thermal_network', {rows: network.nodes})
        .rows('Thermal links', 'thermal_network', {rows: network.links});
      page.rows('Energy of operations', 'operation_energies');
    },
  };
}

const probe = {
  name: 'device-probe',
  subject: (doc) => doc.cpu,
  verdict(doc) {
    const dram = doc.roofs?.DRAM?.read_gb_s?.value;
    const peak = doc.roofs?.['float32 vector']?.core_gop_s?.value;
    return (
      `${doc.topology.cores} cores; main memory reads ${digits(dram)} GB/s, one core ` +
      `reaches ${digits(peak)} GOP/s in float32 (measured).`
    );
  },
  fill(page) {
    const {doc} = page;
    page.use('cpu', 'roofs', 'largest_compute_spread', 'largest_memory_spread');
    page
      .tile('Cores', 'topology.cores')
      .tile('Memory', 'topology.memory_bytes')
      .tile('Spread of arithmetic', 'largest_compute_spread')
      .tile('Spread of memory', 'largest_memory_spread');
    const groups = Object.entries(doc.roofs ?? {});
    const unit = (ending, path, title) => {
      const rows = groups.flatMap(([group, figures]) =>
        Object.entries(figures)
          .filter(([name]) => name.endsWith(ending))
          .map(([name, figure]) => ({
            name: `${group} ${name.slice(0, -ending.length).replaceAll('_', ' ')}`,
            value: figure.value,
            text: `± ${digits(figure.spread * 100)} %`,
          })),
      );
      if (rows.length) page.section(title, bars(rows, {path, source: 'measured', title}));
    };
    unit('_gb_s', 'a_gb_s', 'Bandwidths');
    unit('_gop_s', 'a_gop_s', 'Peak arithmetic');
    unit('_us', 'a_us', 'Costs of starting and waiting');
    if (doc.scaling?.length > 1) {
      const line = (key) => doc.scaling.map((row) => ({x: row.threads, y: row[key]}));
      const x = {path: 'number', label: 'threads'};
      page.section(
        'Thread scaling',
        h(
          'div',
          {class: 'pair'},
          plot(
            curves({
              title: 'Arithmetic by threads',
              x,
              y: {path: 'a_gop_s', label: 'arithmetic', source: 'measured'},
              series: [{name: 'arithmetic', points: line('gop_s')}],
            }),
          ),
          plot(
            curves({
              title: 'Bandwidth by threads',
              x,
              y: {path: 'read_gb_s', label: 'read', source: 'measured'},
              series: [{name: 'read', points: line('read_gb_s')}],
            }),
          ),
        ),
      );
    }
    page.rows('Caches', 'caches').rows('Scaling', 'scaling');
  },
};

const link = {
  name: 'link-show',
  subject: (doc) => doc.name,
  verdict: (doc) =>
    `${doc.summary || doc.name}: ${digits(doc.uplink_mbit_s)} Mbit/s up, ` +
    `${digits(doc.downlink_mbit_s)} down, round trip ${digits(doc.round_trip_ms)} ms ` +
    '(stated).',
  fill(page) {
    const {doc} = page;
    page.use('name', 'summary', 'send', 'receive');
    page
      .tile('Up', 'uplink_mbit_s')
      .tile('Down', 'downlink_mbit_s')
      .tile('Round trip', 'round_trip_ms');
    const parts = [
      'propagation_ms',
      'access_ms',
      'transmission_ms',
      'queueing_ms',
      'processing_ms',
    ];
    const row = (name, delay) => ({
      name,
      text: withUnit('size_bytes', delay.size_bytes),
      parts: parts.map((key) => ({name: key.slice(0, -3), value: delay[key]})),
    });
    page.section(
      'What a message takes',
      stacks([row('send', doc.send), row('receive', doc.receive)], {
        path: 'a_ms',
        source: 'modelled',
        title: 'Delay by cause',
      }),
    );
    page.rows('Delays', 'send', {
      rows: [
        {direction: 'send', ...doc.send},
        {direction: 'receive', ...doc.receive},
      ],
    });
  },
};

const targets = {
  name: 'targets-check',
  checks: true,
  subject: (doc) => `${doc.target} on ${doc.hardware}`,
  verdict(doc) {
    const away = (doc.counts.cpu ?? 0) + (doc.counts.no ?? 0) + (doc.counts.custom ?? 0);
    const factor =
      doc.unconstrained_us > 0 && !doc.counts.no
        ? `, ${digits(doc.predicted_us / doc.unconstrained_us)} times what it would take ` +
          'had the target every operator'
        : '';
    const all = doc.nodes.length;
    const where = away ? `${away} of ${all} nodes do not run there` : `All ${all} nodes run there`;
    return where + `; ${withUnit('predicted_us', doc.predicted_us)} predicted (modelled)${factor}.`;
  },
  fill(page) {
    const {doc} = page;
    page.use(
      'target',
      'hardware',
      'counts',
      'placement',
      'predicted_us',
      'unconstrained_us',
      'transitions',
      'bytes_moved',
    );
    page
      .tile('Predicted', 'predicted_us')
      .tile('Had it everything', 'unconstrained_us')
      .tile('Transitions', 'transitions')
      .fact('Moved between them', withUnit('moved_bytes', doc.bytes_moved), 'counted')
      .fact('Reads opset', doc.max_opset ? `up to ${doc.max_opset}` : 'any', '');
    page.use('max_opset');
    const time = {};
    for (const node of doc.nodes)
      time[node.placement] =
        (time[node.placement] ?? 0) + (typeof node.time_us === 'number' ? node.time_us : 0);
    const order = Object.keys(doc.counts);
    page.section(
      'Where nodes run',
      stacks([{name: 'nodes', parts: order.map((name) => ({name, value: doc.counts[name]}))}], {
        path: 'number',
        source: 'counted',
        title: 'Nodes by placement',
        noun: 'nodes',
      }),
      stacks([{name: 'time', parts: order.map((name) => ({name, value: time[name] ?? 0}))}], {
        path: 'time_us',
        source: 'modelled',
        title: 'Time by placement',
      }),
    );
    let at = 0;
    const slices = doc.nodes
      .filter((node) => typeof node.time_us === 'number')
      .map((node) => {
        const slice = {
          track: node.placement,
          name: node.node,
          group: node.placement,
          start_us: at,
          time_us: node.time_us,
          lines: [node.op, node.reason, node.advice].filter(Boolean),
        };
        at += node.time_us;
        return slice;
      });
    if (slices.length && at > 0)
      page.chart(
        timeline(
          slices,
          'Node after node',
          'One track for each placement, in the order of the model (modelled).',
          order,
        ),
      );
    page.rows('Nodes', 'nodes');
  },
};

export const devices = [
  device('device-show'),
  device('device-import'),
  device('device-calibrate'),
  probe,
  link,
  targets,
];
