// Units are in the names of keys (`latency_us`, `size_bytes`): this file reads them from there and
// prints numbers in steps that people read.

// Of each dimension the steps, smallest first: what one of it is in the base unit, and its name.
const DIMENSIONS = {
  time: [
    [1e-9, 'ns'],
    [1e-6, 'µs'],
    [1e-3, 'ms'],
    [1, 's'],
    [3600, 'h'],
  ],
  bytes: [
    [1, 'B'],
    [1e3, 'kB'],
    [1e6, 'MB'],
    [1e9, 'GB'],
  ],
  energy: [
    [1e-9, 'nJ'],
    [1e-6, 'µJ'],
    [1e-3, 'mJ'],
    [1, 'J'],
    [1e3, 'kJ'],
  ],
  power: [
    [1e-6, 'µW'],
    [1e-3, 'mW'],
    [1, 'W'],
  ],
  frequency: [
    [1, 'Hz'],
    [1e3, 'kHz'],
    [1e6, 'MHz'],
    [1e9, 'GHz'],
  ],
  voltage: [
    [1e-3, 'mV'],
    [1, 'V'],
  ],
  temperature: [[1, '°C']],
  percent: [[0.01, '%']],
  times: [[1, '×']],
  flops: [
    [1, 'FLOP'],
    [1e3, 'kFLOP'],
    [1e6, 'MFLOP'],
    [1e9, 'GFLOP'],
    [1e12, 'TFLOP'],
  ],
  macs: [
    [1, 'MAC'],
    [1e3, 'kMAC'],
    [1e6, 'MMAC'],
    [1e9, 'GMAC'],
    [1e12, 'TMAC'],
  ],
  speed: [
    [1e6, 'MOP/s'],
    [1e9, 'GOP/s'],
    [1e12, 'TOP/s'],
  ],
  bandwidth: [
    [1e3, 'kB/s'],
    [1e6, 'MB/s'],
    [1e9, 'GB/s'],
  ],
  bitrate: [
    [1e3, 'kbit/s'],
    [1e6, 'Mbit/s'],
    [1e9, 'Gbit/s'],
  ],
  rate: [[1, '/s']],
  tokenrate: [[1, 'tokens/s']],
  intensity: [[1, 'FLOP/B']],
  count: [
    [1, 'count'],
    [1e3, 'thousand'],
    [1e6, 'million'],
    [1e9, 'billion'],
  ],
  number: [[1, 'count']],
  ratio: [[1, 'ratio']],
};

// Endings of keys, the first that fits: [ending, dimension, what one is in the base unit, unit].
const ENDINGS = [
  ['mj_per_token', 'energy', 1e-3, '/token'],
  ['mj_per_request', 'energy', 1e-3, '/request'],
  ['mj_per_token_without', 'energy', 1e-3, '/token'],
  ['ms_per_token', 'time', 1e-3, '/token'],
  ['bytes_per_token', 'bytes', 1, '/token'],
  ['pj_per_byte', 'energy', 1e-12, '/B'],
  ['flop_per_byte', 'intensity', 1],
  ['bytes_per_cycle', 'fixed', 1, 'B/cycle'],
  ['dmips_per_mhz', 'fixed', 1, 'DMIPS/MHz'],
  ['uw_per_v', 'fixed', 1, 'µW/V'],
  ['j_per_k', 'fixed', 1, 'J/K'],
  ['w_per_k', 'fixed', 1, 'W/K'],
  ['leakage_per_k', 'fixed', 1, '1/K'],
  ['tokens_per_s', 'tokenrate', 1],
  ['bytes_per_s', 'bandwidth', 1],
  ['operations_per_s', 'speed', 1],
  ['per_s', 'rate', 1],
  ['_kb_s', 'bandwidth', 1e3],
  ['gop_s', 'speed', 1e9],
  ['gb_s', 'bandwidth', 1e9],
  ['mbit_s', 'bitrate', 1e6],
  ['picojoules', 'energy', 1e-12],
  ['_us', 'time', 1e-6],
  ['_ms', 'time', 1e-3],
  ['_s', 'time', 1],
  ['_hours', 'time', 3600],
  ['_bytes', 'bytes', 1],
  ['_mj', 'energy', 1e-3],
  ['_uj', 'energy', 1e-6],
  ['_j', 'energy', 1],
  ['_uw', 'power', 1e-6],
  ['_mw', 'power', 1e-3],
  ['_w', 'power', 1],
  ['_mwh', 'fixed', 1, 'mWh'],
  ['_mc', 'temperature', 1e-3],
  ['_c', 'temperature', 1],
  ['_khz', 'frequency', 1e3],
  ['_uv', 'voltage', 1e-6],
  ['_db', 'fixed', 1, 'dB'],
  ['_nats', 'fixed', 1, 'nats'],
  ['_nm', 'fixed', 1, 'nm'],
  ['_bits', 'fixed', 1, 'bit'],
  ['bits_per_weight', 'fixed', 1, 'bit'],
  ['coefficient', 'fixed', 1, 'µW/(MHz·V²)'],
  ['coefficient_error', 'percent', 1],
  ['error_without_outliers', 'percent', 1],
  ['fit_error', 'percent', 1],
  ['share', 'percent', 1],
  ['spread', 'percent', 1],
  ['efficiency', 'percent', 1],
  ['padding', 'percent', 1],
  ['agreement', 'percent', 1],
  ['accuracy', 'percent', 1],
  ['acceptance', 'percent', 1],
  ['locality', 'percent', 1],
  ['top1', 'percent', 1],
  ['residency', 'percent', 1],
  ['duty', 'percent', 1],
  ['floor', 'percent', 1],
  ['error_median', 'percent', 1],
  ['error_p90', 'percent', 1],
  ['speedup', 'times', 1],
  ['ratio', 'times', 1],
  ['ageing_acceleration', 'times', 1],
  ['intensity', 'intensity', 1],
  ['flops', 'flops', 1],
  ['multiply_adds', 'macs', 1],
  ['macs', 'macs', 1],
  ['parameters', 'count', 1],
  ['perplexity', 'fixed', 1, 'perplexity'],
];
// Real numbers without a unit; any other key without one is a count.
const RATIOS = new Set([
  'relative_l2',
  'cosine',
  'p_value',
  'max_abs',
  'error',
  'priority',
  'mean',
  'variance',
  'skewness',
  'kurtosis',
  'wasserstein_1',
  'mean_square',
  'derivative_relative_l2',
  'output_relative_l2',
  'energy_balance',
  'timing_derating',
  'sigma',
  'clip',
  'epsilon',
  'ssim',
  'regret',
  'concurrency',
  'instruction_parallelism',
  'average_concurrency',
  'cost',
  'mean_cost',
  'oracle_cost',
  'capacity',
  'significance',
  'exact_epsilon',
  'rdp_epsilon',
  'zcdp_epsilon',
  'analytic_sigma',
  'classical_sigma',
  'log_probabilities',
  'mean_kl_divergence',
  'loss',
  'reference',
  'candidate',
  'contribution',
  'price',
  'value',
  'limit',
  'reached',
]);

// The unit of a key such as `parts_us.launch`: the last of its words that names one.
export function unitOf(path) {
  for (const key of path.split('.').reverse()) {
    for (const [ending, dimension, factor, suffix] of ENDINGS) {
      if (key === ending || key.endsWith(ending) || key === ending.slice(1)) {
        return {dimension, factor, suffix: suffix ?? ''};
      }
    }
    if (RATIOS.has(key)) return {dimension: 'ratio', factor: 1, suffix: ''};
  }
  return {dimension: 'number', factor: 1, suffix: ''};
}

// The step of a dimension in which a value has between one and three digits before its point.
export function stepFor(unit, value) {
  if (unit.dimension === 'fixed') return {factor: unit.factor, name: unit.suffix};
  const steps = DIMENSIONS[unit.dimension];
  const base = Math.abs(value) * unit.factor;
  let chosen = steps.find(([, name]) => ['s', 'J', 'W', 'V', 'B'].includes(name)) ?? steps[0];
  if (base > 0) {
    chosen = steps[0];
    for (const step of steps) {
      if (base >= step[0] * 0.9995) chosen = step;
    }
  }
  return {factor: unit.factor / chosen[0], name: chosen[1] + unit.suffix};
}

// A number as an exponent.
export function raised(exponent) {
  return [...String(exponent)].map((c) => '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'['-0123456789'.indexOf(c)]).join('');
}

// Four digits that count; whole numbers whole, with thin spaces between their thousands.
export function digits(value) {
  if (!Number.isFinite(value)) return String(value);
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1e15 || size < 1e-4) {
    const [number, exponent] = value.toExponential(2).split('e');
    return `${Number(number)}·10${raised(Number(exponent))}`;
  }
  const text = Number.isInteger(value)
    ? String(value)
    : value.toFixed(Math.max(0, 3 - Math.floor(Math.log10(size)))).replace(/(\.\d*?)0+$/, '$1');
  const [whole, fraction] = text.replace(/\.$/, '').split('.');
  const grouped =
    Math.abs(Number(whole)) >= 1e4 ? whole.replace(/\B(?=(\d{3})+$)/g, '\u202f') : whole;
  return fraction ? `${grouped}.${fraction}` : grouped;
}

// A number with its unit, as in "12.4 ms". Counts and ratios say so only where `bare` is false.
export function withUnit(path, value, bare = true) {
  if (typeof value !== 'number') return String(value);
  const unit = unitOf(path);
  const step = stepFor(unit, value);
  const plain = bare && ['count', 'ratio'].includes(step.name);
  return plain ? digits(value * step.factor) : `${digits(value * step.factor)}\u00a0${step.name}`;
}

// One step for a whole column: that of its median, so that most cells read well.
export function columnStep(path, values) {
  const sizes = values.filter((v) => typeof v === 'number' && v !== 0).map(Math.abs);
  sizes.sort((a, b) => a - b);
  return stepFor(unitOf(path), sizes.length ? sizes[sizes.length >> 1] : 0);
}

// Endings of several words that name a unit, and are printed as one.
const COMPOUND = new RegExp(
  '_(mj_per_token|mj_per_request|gb_s|gop_s|mbit_s|' +
    'tokens_per_s|bytes_per_s|operations_per_s|flop_per_byte|per_s|uw_per_v|j_per_k|w_per_k)$',
);

const LABELS = {
  energy_mj_per_token_without: 'energy without it',
  macs: 'multiply-adds',
  ttft: 'first token after',
  tpot: 'time per token',
  p_value: 'p',
  dmips_per_mhz: 'relative speed',
  energy_pj_per_byte: 'energy',
  stream_bytes_per_cycle: 'reads',
  cpus: 'CPUs',
  first_cpu: 'first CPU',
  shared_by_cpus: 'shared by CPUs',
  gop_s: 'speed',
  attainable_gop_s: 'roofline',
  op: 'operator',
  relative_l2: 'relative L2 error',
  max_abs: 'largest absolute error',
  cosine: 'cosine',
  time: 'time',
  wall: 'wall time',
  profiled_wall: 'wall time while profiling',
  operators: 'sum of operators',
  peak_rss: 'peak memory',
};

// A key as people read it: without its unit.
export function label(path) {
  const key = path
    .split('.')
    .map((part, i, all) => (i < all.length - 1 ? `${clean(part)}: ` : clean(part)));
  return key.join('');
}
function clean(key) {
  if (LABELS[key]) return LABELS[key];
  const stem = key.replace(COMPOUND, '');
  if (stem && stem !== key) return LABELS[stem] ?? stem.replaceAll('_', ' ');
  const unit = ENDINGS.find(([ending]) => ending.startsWith('_') && key.endsWith(ending));
  const rest = unit ? key.slice(0, -unit[0].length) : key;
  return LABELS[rest] ?? rest.replaceAll('_', ' ');
}
