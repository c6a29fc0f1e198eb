// Where figures come from: measured on this machine, modelled, counted in the model, or stated by a
// file. A document that says so itself (`sources`) is believed; else these rows, the first that
// fits. `*` is any command.

const ROWS = [
  ['power-energy', /^(samples|duplicates|wraps)$/, 'counted'],
  ['device-calibrate', /^fits\.(first_cpu|stated_coefficient)$/, 'stated'],
  ['device-calibrate', /^fits\.points$/, 'counted'],
  ['*', /(^|\.)(threads|seed|runs|samples|layer_samples|examined|batch|level)$/, 'stated'],
  ['bench', /bandwidth_bytes_per_s|bandwidth_share/, 'modelled'],
  ['bench', /bytes_per_token|weight_bytes|cache_bytes|arena|live_set|^model\.|context$/, 'counted'],
  ['bench', /./, 'measured'],
  ['generate', /predicted|bandwidth_bytes_per_s/, 'modelled'],
  ['generate', /bytes_per_token|weight_bytes|cache_bytes|tokens$/, 'counted'],
  ['generate', /./, 'measured'],
  ['inspect', /./, 'counted'],
  ['convert', /_us$|relative_l2|agreement|top1|cosine|max_abs|error|kl_/, 'measured'],
  ['convert', /^pareto\.cost/, 'modelled'],
  ['convert', /./, 'counted'],
  ['verify', /size_bytes|model_runs|layers_compared/, 'counted'],
  ['verify', /./, 'measured'],
  ['run', /./, 'counted'],
  ['perplexity', /tokens/, 'counted'],
  ['perplexity', /./, 'measured'],
  ['device-probe', /error_/, 'measured'],
  ['device-probe', /topology|caches|layers$/, 'counted'],
  ['device-probe', /./, 'measured'],
  ['device-show', /./, 'stated'],
  ['device-import', /./, 'stated'],
  ['device-calibrate', /^fits/, 'modelled'],
  ['device-calibrate', /./, 'stated'],
  ['link-show', /^(send|receive)/, 'modelled'],
  ['link-show', /./, 'stated'],
  ['profile', /^by_|^phases|wall|^timeline|^tracks/, 'measured'],
  ['profile', /^roofs|^load|^first_inference/, 'measured'],
  ['profile', /(gop_s|efficiency|share|samples|spread|first_us|second_us|ratio|total)/, 'measured'],
  ['profile', /attainable|ridge|predicted|speedup|priority|cost|p_value|locality/, 'modelled'],
  ['profile', /_bytes|flops|multiply_adds|intensity|count|bytes/, 'counted'],
  ['profile', /./, 'measured'],
  ['power-simulate', /./, 'modelled'],
  ['power-plan', /./, 'modelled'],
  ['power-govern', /writes|rounds/, 'counted'],
  ['power-govern', /./, 'measured'],
  ['power-energy', /uncertainty/, 'modelled'],
  ['power-energy', /./, 'measured'],
  ['split-codecs', /floor|bandwidth/, 'stated'],
  ['split-codecs', /bytes|ratio/, 'counted'],
  ['split-codecs', /total_us/, 'modelled'],
  ['split-codecs', /./, 'measured'],
  ['split-protect', /sigma|clip|epsilon/, 'stated'],
  ['split-protect', /device_us|overhead_share/, 'modelled'],
  ['split-protect', /./, 'measured'],
  ['split-plan', /bytes|tensors/, 'counted'],
  ['split-plan', /./, 'modelled'],
  ['split-offload', /mean_mbit_s/, 'measured'],
  ['split-offload', /./, 'modelled'],
  ['split-privacy', /./, 'modelled'],
  ['split-speculate', /./, 'modelled'],
  ['targets-check', /counts|transitions|bytes_moved|opset/, 'counted'],
  ['targets-check', /./, 'modelled'],
  ['deploy', /size_bytes/, 'counted'],
  ['deploy', /limit/, 'stated'],
  ['deploy', /./, 'modelled'],
  ['serve', /./, 'measured'],
];

export function sourceOf(doc, command, path) {
  const key = path.replace(/\.\d+/g, '');
  const stated = doc.sources ?? {};
  for (let at = key; at; at = at.slice(0, Math.max(0, at.lastIndexOf('.')))) {
    if (stated[at]) return stated[at];
  }
  const row = ROWS.find(
    ([name, pattern]) => (name === '*' || name === command) && pattern.test(key),
  );
  return row ? row[2] : '';
}
