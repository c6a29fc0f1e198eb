// The hierarchical roofline: attainable speed over operations per byte, one slope per level of
// memory and one flat roof per arithmetic; an operator is a mark as large as its share of the time.
import {axis, grid, legend, logLabel} from '../plot.js';
import {digits, withUnit} from '../units.js';

const MARK_PX = [7, 34];

// `level`: at which level bytes are counted; empty: the furthest that the operator reaches.
function marks(doc, level) {
  return doc.operators
    .filter((op) => op.flops > 0 && op.gop_s > 0)
    .map((op) => {
      const at = op.levels.find((row) => row.level === level);
      const intensity = level && at?.bytes > 0 ? op.flops / at.bytes : op.intensity;
      return {op, intensity};
    })
    .filter((mark) => mark.intensity > 0);
}

function bounds(points, doc) {
  const xs = points.map((p) => p.intensity),
    ys = points.map((p) => p.op.gop_s);
  const peak = Math.max(...doc.roofs.filter((r) => r.unit === 'GOP/s').map((r) => r.value));
  const power = (value, round) => 10 ** round(Math.log10(value));
  return {
    x: [power(Math.min(0.1, ...xs), Math.floor), power(Math.max(1000, ...xs), Math.ceil)],
    y: [
      power(Math.max(1e-3, Math.min(peak / 1e4, ...ys)), Math.floor),
      power(peak * 1.2, Math.ceil),
    ],
  };
}

function roofLines(doc, box, colours) {
  const flat = doc.roofs.filter((roof) => roof.unit === 'GOP/s');
  const slopes = doc.roofs.filter((roof) => roof.unit === 'GB/s');
  const peak = Math.max(...flat.map((roof) => roof.value));
  const nearest = Math.max(...slopes.map((roof) => roof.value));
  const line = (roof, data, right) => ({
    name: roof.name,
    type: 'line',
    data,
    symbol: 'none',
    silent: true,
    clip: true,
    lineStyle: {color: colours.faint, width: 1.2, type: right ? 'solid' : 'dashed'},
    endLabel: {
      show: true,
      color: colours.faint,
      fontSize: 11,
      distance: 2,
      align: 'right',
      verticalAlign: 'bottom',
      formatter: `${roof.name}  ${digits(roof.value)} ${roof.unit}`,
    },
  });
  const rising = slopes.map((roof) => {
    const start = Math.max(box.x[0], box.y[0] / roof.value);
    const labelled = line(
      roof,
      [
        [start, start * roof.value],
        [peak / roof.value, peak],
      ],
      false,
    );
    labelled.endLabel.show = false;
    return labelled;
  });
  const level = flat.map((roof) =>
    line(
      roof,
      [
        [roof.value / nearest, roof.value],
        [box.x[1], roof.value],
      ],
      true,
    ),
  );
  return [...rising, ...level];
}

// Names of the slopes, written where each enters the picture, apart from one another.
function slopeNames(doc, box, colours) {
  const slopes = doc.roofs.filter((roof) => roof.unit === 'GB/s').sort((a, b) => b.value - a.value);
  return {
    type: 'scatter',
    silent: true,
    symbolSize: 0.1,
    data: slopes.map((roof, i) => {
      const x = Math.max(box.x[0], box.y[0] / roof.value) * 10 ** (0.1 + 0.42 * i);
      return {
        value: [x, x * roof.value],
        label: {
          show: true,
          position: 'right',
          distance: 6,
          color: colours.faint,
          fontSize: 11,
          backgroundColor: colours.card,
          padding: [1, 3],
          formatter: `${roof.name} ${digits(roof.value)} ${roof.unit}`,
        },
      };
    }),
  };
}

export function boundsOf(doc) {
  return [...new Set(doc.operators.filter((op) => op.flops > 0).map((op) => op.bound))].sort();
}

export function roofline(doc, level) {
  const points = marks(doc, level);
  const kinds = boundsOf(doc);
  const groups = kinds.map((bound) => points.filter((p) => p.op.bound === bound));
  const box = bounds(points, doc);
  const largest = Math.max(...points.map((p) => p.op.share), 1e-9);
  const size = (share) => MARK_PX[0] + (MARK_PX[1] - MARK_PX[0]) * Math.sqrt(share / largest);
  const where = level ? `bytes counted at ${level}` : 'bytes of the furthest level that it reaches';
  return {
    title: 'Roofline',
    height: 440,
    summary: `${points.length} operators; ${where}.`,
    note:
      `Each mark is an operator, as large as its share of the time; ${where}. A mark on a line ` +
      'is as quick as that limit allows; far below it, it is not. Kernels that compute less than ' +
      'is counted (Winograd) may lie above the lines of arithmetic.',
    describe: (series, i) => {
      const point = groups[series]?.[i];
      if (!point) return null;
      const {op, intensity} = point;
      return [
        op.name,
        `${withUnit('time_us', op.time_us)}, ${digits(op.share * 100)} % of the time`,
        `${digits(op.gop_s)} GOP/s of ${digits(op.attainable_gop_s)} attainable`,
        `${digits(intensity)} FLOP/B (${where})`,
        `bound by ${op.bound}; ${op.implementation}`,
      ];
    },
    option: (colours) => ({
      grid: grid(colours, {top: 56}),
      legend: legend(colours, {data: kinds.map((name) => `bound by ${name}`)}),
      xAxis: axis(colours, 'operations per byte (FLOP/B), counted', {
        type: 'log',
        min: box.x[0],
        max: box.x[1],
        axisLabel: {formatter: logLabel},
      }),
      yAxis: axis(colours, colours.narrow ? '' : 'speed (GOP/s), measured', {
        type: 'log',
        min: box.y[0],
        max: box.y[1],
        gap: 46,
        axisLabel: {formatter: logLabel},
      }),
      series: [
        ...groups.map((group, i) => ({
          name: `bound by ${kinds[i]}`,
          type: 'scatter',
          data: group.map((p) => ({
            value: [p.intensity, p.op.gop_s],
            symbolSize: size(p.op.share),
          })),
          itemStyle: {opacity: 0.75, borderColor: colours.card, borderWidth: 1},
          emphasis: {itemStyle: {borderColor: colours.text, borderWidth: 2, opacity: 1}},
        })),
        ...roofLines(doc, box, colours),
        ...(colours.narrow ? [] : [slopeNames(doc, box, colours)]),
      ],
    }),
  };
}
