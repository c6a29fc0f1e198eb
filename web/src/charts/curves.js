// Lines and scatters that several commands share.
import {axis, grid, legend, logLabel} from '../plot.js';
import {columnStep, digits, label, withUnit} from '../units.js';

function axisFor(colours, path, values, more) {
  const step = columnStep(path, values);
  const log = more?.type === 'log';
  const about = [step.name === 'count' ? '' : step.name, more?.source].filter(Boolean).join(', ');
  return axis(colours, `${more?.label ?? label(path)}${about && ` (${about})`}`, {
    scale: !log,
    ...more,
    minInterval: step.name === 'count' ? 1 : undefined,
    axisLabel: {
      formatter: (value) => (log ? logLabel(value * step.factor) : digits(value * step.factor)),
    },
  });
}

// series: {name, points: [{x, y, lines, mark}], dashed, scatter, step}; x and y: {path, label,
// source, log}.
export function curves({title, note, x, y, series, height = 300, limits = []}) {
  const all = series.flatMap((one) => one.points);
  const bare = ({path: _, ...more}) => more;
  const kind = (more) => (more.log ? {...bare(more), type: 'log'} : bare(more));
  const style = (point, colours, colour) => {
    if (point.mark === 'hollow')
      return {itemStyle: {color: colours.card, borderColor: colour, borderWidth: 2}};
    if (point.mark === 'bad') return {itemStyle: {color: colours.bad}};
    return {};
  };
  return {
    title,
    note,
    height,
    summary: `${series.length} series, ${all.length} points.`,
    describe: (s, i) => {
      const point = series[s]?.points[i];
      return (
        point && [
          series[s].name,
          `${x.label ?? label(x.path)}: ${point.name ?? withUnit(x.path, point.x)}`,
          `${y.label ?? label(y.path)}: ${withUnit(y.path, point.y)}`,
          ...(point.lines ?? []),
        ]
      );
    },
    option: (colours) => ({
      grid: grid(colours, {
        top:
          series.length > 1 ? (colours.narrow ? 34 + 22 * Math.ceil(series.length / 2) : 56) : 20,
      }),
      legend: series.length > 1 ? legend(colours) : undefined,
      xAxis: axisFor(
        colours,
        x.path,
        all.map((p) => p.x),
        kind(x),
      ),
      yAxis: {
        ...axisFor(
          colours,
          y.path,
          all.map((p) => p.y),
          kind(y),
        ),
        nameGap: colours.narrow ? 38 : 48,
      },
      series: series.map((one, i) => ({
        name: one.name,
        step: one.step,
        areaStyle: one.step ? {opacity: 0.25} : undefined,
        type: one.scatter ? 'scatter' : 'line',
        symbol: 'circle',
        symbolSize: one.scatter ? 11 : one.points.length > 80 ? 0.1 : 7,
        showAllSymbol: one.points.length <= 80,
        showSymbol: one.points.length <= 80,
        lineStyle: {width: 2, type: one.dashed ? 'dashed' : 'solid'},
        itemStyle: {color: colours.series[(one.colour ?? i) % colours.series.length]},
        emphasis: {scale: 1.6, itemStyle: {borderColor: colours.text, borderWidth: 2}},
        data: one.points.map((point) => ({
          value: [point.x, point.y],
          ...style(point, colours, colours.series[(one.colour ?? i) % colours.series.length]),
          label: point.label
            ? {show: true, position: 'top', color: colours.text, formatter: point.label}
            : undefined,
        })),
        markLine:
          i === 0 && limits.length
            ? {
                silent: true,
                symbol: 'none',
                data: limits.map((limit) => ({
                  [limit.axis ?? 'yAxis']: limit.value,
                  label: {formatter: limit.name, color: colours.bad, position: 'insideEndTop'},
                  lineStyle: {color: colours.bad, type: 'dotted'},
                })),
              }
            : undefined,
      })),
    }),
  };
}
